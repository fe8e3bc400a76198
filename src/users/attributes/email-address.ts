// E-mail addresses: their syntax (RFC 5321 §4.1.2, RFC 6531 §3.3), and the form in which two are compared.
import { domainToASCII } from 'node:url'
import { foldPrefix, judgeName } from '../names/user-name.ts'

/** An address. */
export interface EmailAddress {
  /** As it was written, without what surrounded it. */
  readonly written: string
  /** The form that is compared: the local part folded as a name is, the domain by IDNA in ASCII. */
  readonly folded: string
}

const MAX_BYTES = 254
const MAX_LOCAL_BYTES = 64

// Atoms between single dots; beyond ASCII whatever a name may hold.
const LOCAL =
  /^(?:[\w!#$%&'*+\-/=?^`{|}~]|[^\0-\x7F])+(?:\.(?:[\w!#$%&'*+\-/=?^`{|}~]|[^\0-\x7F])+)*$/u
// URLs would take more: percent signs, ports, addresses of machines.
const DOMAIN_WRITTEN = /^[\p{L}\p{M}\p{N}.。．｡-]+$/u
const DOMAIN =
  /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)*[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/
const NUMBER = /(?:^|\.)\d+$/

/**
 * Reads an e-mail address. Quoted local parts, comments and addresses of machines are none here. Two
 * addresses that differ by case only are one: no provider gives them to two people.
 *
 * @returns undefined for an invalid one
 */
export function readEmail(text: string): EmailAddress | undefined {
  const judged = judgeName(text)
  if ('fault' in judged) return undefined
  const { written } = judged
  const at = written.lastIndexOf('@')
  const local = written.slice(0, Math.max(0, at))
  const domain = written.slice(at + 1)
  const foldedLocal = foldLocal(local)
  const foldedDomain = foldDomain(domain)
  if (foldedLocal === undefined || foldedDomain === undefined) return undefined
  const folded = `${foldedLocal}@${foldedDomain}`
  return Math.max(Buffer.byteLength(written), Buffer.byteLength(folded)) > MAX_BYTES
    ? undefined
    : { written, folded }
}

/**
 * The form in which two addresses of one mailbox are equal. It folds less than `folded`, under which two that
 * look alike are one, although two people may have them: of the local part the case of ASCII's letters only
 * (RFC 6531 §3.3: what is beyond is its host's business). The domain is as DNS compares it.
 *
 * @returns the text itself where it is no address
 */
export function mailboxOf(text: string): string {
  const { written, folded } = readEmail(text) ?? {}
  if (written === undefined || folded === undefined) return text
  const local = written.slice(0, written.lastIndexOf('@'))
  const lower = local.replaceAll(/[A-Z]/g, letter => letter.toLowerCase())
  return lower + folded.slice(folded.lastIndexOf('@'))
}

/** The beginning of an address in the form in which addresses are compared, the domain whole or not. */
export function foldEmailPrefix(text: string): string {
  const at = text.lastIndexOf('@')
  if (at === -1) return foldPrefix(text)
  const domain = text.slice(at + 1)
  // A beginning may be none that IDNA takes.
  return `${foldPrefix(text.slice(0, at))}@${domainToASCII(domain) || domain.toLowerCase()}`
}

function foldLocal(local: string): string | undefined {
  const judged = judgeName(local)
  if ('fault' in judged) return undefined
  // Folding may make an @ of another character.
  const forms = [local, judged.folded]
  return forms.every(
    form => LOCAL.test(form) && Buffer.byteLength(form) <= MAX_LOCAL_BYTES,
  )
    ? judged.folded
    : undefined
}

function foldDomain(domain: string): string | undefined {
  if (!DOMAIN_WRITTEN.test(domain)) return undefined
  const ascii = domainToASCII(domain)
  return DOMAIN.test(ascii) && !NUMBER.test(ascii) ? ascii : undefined
}
