// This folder makes one-time tickets and reads them: who holds one may do one thing at one account, once. It
// changes no account; the store takes a ticket in the same step as the change. src/self-service/ calls it for
// its routes, and whoever sends a ticket calls `make` when it sends.
import { createHmac, hash } from 'node:crypto'
import { systemRandom, type Random } from '../base/random.ts'
import { deriveKeys } from '../base/secrets.ts'
import { userTag } from '../base/ids.ts'
import type {
  PresentedTicket,
  TicketPurpose,
  TicketRef,
  Tickets as TicketStore,
} from '../stores/ports/people/tickets.ts'

/** What a ticket is made for. */
export interface TicketRequest {
  readonly purpose: TicketPurpose
  /** The user's stable id. */
  readonly sub: string
  /** The subject's sessions epoch, as it was read. */
  readonly epoch: number
  /** Where the ticket goes; empty: nowhere in particular. */
  readonly address: string
  /** How long it lives, in milliseconds; default: as configured, at most a day. */
  readonly ttl?: number
}

/** A ticket that was made: the only time that anybody sees it. */
export interface MadeTicket {
  readonly ticket: string
  /** Eight digits that do the same at the account's name; absent: there is none. */
  readonly code?: string
  /** Milliseconds by the store's clock. */
  readonly expiresAt: number
}

/** As configured now. */
export interface TicketPolicy {
  /** Milliseconds. */
  readonly ttl: number
  /** Whether a short code goes along. */
  readonly codes: boolean
}

/** What somebody presents: a ticket, or a code at an account. */
export type Shown =
  | { readonly kind: 'ticket'; readonly tag: string; readonly hash: string }
  | { readonly kind: 'code'; readonly tag: string; readonly code: string }

/** The tickets. Promises reject with StoreUnavailable. */
export interface Tickets {
  /**
   * Makes a ticket, which voids the older one of that purpose at that account; undefined: there is no such
   * account, or all of its sessions were ended since.
   */
  make(request: TicketRequest): Promise<MadeTicket | undefined>
  /** Reads a ticket without asking anybody; undefined: it is none of ours. */
  read(ticket: string): Shown | undefined
  /** What the store is asked about. `address`: the one that the account has now for that purpose. */
  presented(shown: Shown, purpose: TicketPurpose, address: string): PresentedTicket
}

/** What tickets are made of. */
export interface TicketsOptions {
  readonly tickets: Pick<TicketStore, 'make'>
  /** The first makes the codes' hashes, all check. */
  readonly secrets: readonly string[]
  readonly policy: () => TicketPolicy
  /** Default: the system's. */
  readonly random?: Random
}

/** NIST SP 800-63B-4 §4.2.1.2: no longer than a day. */
export const LONGEST_TTL_MS = 86_400_000

const FORM = /^tk_([A-Za-z0-9_-]{66})$/
const VERSION = 1
const TAG_BYTES = 16
const SECRET_BYTES = 32
const CODE_DIGITS = 8
const CODE_TRIES = 5
const CODE = /^[0-9]{8}$/

/** Whether a text has the form of a code. */
export function isCode(text: string): boolean {
  return CODE.test(text)
}

/** Makes the tickets. */
export function createTickets(options: TicketsOptions): Tickets {
  const { tickets, policy, random = systemRandom } = options
  const codeHashes = createCodeHashes(options.secrets)
  return {
    async make({ purpose, sub, epoch, address, ttl }) {
      const { ttl: usual, codes } = policy()
      const tag = userTag(sub)
      const bytes = Buffer.concat([
        Buffer.from([VERSION]),
        Buffer.from(tag, 'base64url'),
        random.bytes(SECRET_BYTES),
      ])
      const ticket = `tk_${bytes.toString('base64url')}`
      const code = codes
        ? String(random.int(10 ** CODE_DIGITS)).padStart(CODE_DIGITS, '0')
        : undefined
      const [codeHash] = code === undefined ? [] : codeHashes({ tag, purpose }, code)
      const expiresAt = await tickets.make({
        tag,
        purpose,
        hash: hashOf(ticket),
        sessionsEpoch: epoch,
        address: hashOf(address),
        forMs: Math.min(ttl ?? usual, LONGEST_TTL_MS),
        code: codeHash,
        codeTries: CODE_TRIES,
      })
      if (expiresAt === undefined) return undefined
      return { ticket, expiresAt, ...(code !== undefined && { code }) }
    },

    read: readTicket,

    presented(shown, purpose, address) {
      const { tag } = shown
      const ref = { tag, purpose, address: hashOf(address) }
      return shown.kind === 'ticket'
        ? { ...ref, hash: shown.hash, codes: [] }
        : { ...ref, hash: '', codes: codeHashes(ref, shown.code) }
    },
  }
}

function readTicket(ticket: string): Shown | undefined {
  const [, text] = FORM.exec(ticket) ?? []
  if (text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64url')
  // 66 characters hold 49 bytes and 4 bits: one way of writing each ticket is taken.
  if (bytes[0] !== VERSION || bytes.toString('base64url') !== text) return undefined
  const tag = bytes.toString('base64url', 1, 1 + TAG_BYTES)
  return { kind: 'ticket', tag, hash: hashOf(ticket) }
}

// A ticket has 256 random bits: a plain hash of it can't be reversed. A code has 27, so its hash is keyed.
function hashOf(text: string): string {
  return hash('sha256', text, 'base64url')
}

function createCodeHashes(secrets: readonly string[]) {
  const keys = deriveKeys(secrets, 'ticket-code')
  return ({ tag, purpose }: TicketRef, code: string): string[] =>
    keys.map(({ key }) =>
      createHmac('sha256', key).update(`${purpose} ${tag} ${code}`).digest('base64url'),
    )
}
