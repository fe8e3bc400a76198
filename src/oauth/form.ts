// The request body of RFC 6749: application/x-www-form-urlencoded (appendix B), read strictly.
import { isUtf8 } from 'node:buffer'
import { invalidRequest } from './errors.ts'

/**
 * Decoded parameters. Without prototype, so that no name is special. An empty value counts as absent (RFC
 * 6749 §3.2).
 */
export interface Form {
  readonly [name: string]: string | string[] | undefined
}

/**
 * Names that most forms have, by themselves. V8 would look for each one among all names of properties there
 * are, as a piece of a request is a text of its own; this costs a third of that.
 */
const USUAL_NAMES: ReadonlyMap<string, string> = new Map(
  [
    'grant_type',
    'client_id',
    'client_secret',
    'refresh_token',
    'token',
    'token_type_hint',
    'username',
    'password',
    'scope',
    'resource',
  ].map(name => [name, name]),
)

/** Parameters that may repeat wherever nothing else is said (RFC 8707 §2). */
const REPEATABLE: readonly string[] = ['resource']

// RFC 6749 appendix A: UNICODECHARNOCRLF, that is no control character but the tab.
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\x00-\x08\x0A-\x1F\x7F\uFFFE\uFFFF]/
/** One range: nearly every text is without, and this is seen in half of the time. */
const UNUSUAL = /[^\x20-\x7E]/

/**
 * Reads a form-encoded body. Parameters that may repeat are arrays, also where they stand once.
 *
 * @throws OAuthError invalid_request when it isn't UTF-8, a percent-encoding is broken, a control character
 * stands in it, or a parameter that isn't among `repeatable` is repeated (RFC 6749 §3.2)
 */
export function parseForm(body: Uint8Array, repeatable = REPEATABLE): Form {
  const text = decodeUtf8(body)
  refuseForbidden(text)
  const form = Object.create(null)
  const empty = new Set<string>()
  for (const pair of text.split('&')) {
    if (pair !== '') readPair(pair, form, { empty, repeatable })
  }
  return form
}

/**
 * Undoes application/x-www-form-urlencoded for one name or value.
 *
 * @throws OAuthError invalid_request when it can't be decoded or holds a control character
 */
export function decodeFormComponent(encoded: string): string {
  const decoded = decode(encoded)
  refuseForbidden(decoded)
  return decoded
}

function decode(encoded: string): string {
  const spaced = encoded.includes('+') ? encoded.replaceAll('+', ' ') : encoded
  return spaced.includes('%') ? decodePercent(spaced) : spaced
}

function refuseForbidden(text: string): void {
  if (UNUSUAL.test(text) && FORBIDDEN.test(text)) {
    throw invalidRequest('a parameter holds a control character')
  }
}

// The whole text was checked before: only percent-decoded characters can be new.
function decodeChecked(encoded: string): string {
  return encoded.includes('%') ? decodeFormComponent(encoded) : decode(encoded)
}

interface Reading {
  /** Names that had no value so far. */
  readonly empty: Set<string>
  readonly repeatable: readonly string[]
}

// An empty value counts as absent, but it does count as a repeat: `scope=&scope=a` repeats scope.
function readPair(
  pair: string,
  form: Record<string, string | string[] | undefined>,
  { empty, repeatable }: Reading,
): void {
  const split = pair.indexOf('=')
  const given = decodeChecked(split === -1 ? pair : pair.slice(0, split))
  const name = USUAL_NAMES.get(given) ?? given
  const value = split === -1 ? '' : decodeChecked(pair.slice(split + 1))
  if (repeatable.includes(name)) {
    if (value !== '') form[name] = [form[name] ?? [], value].flat()
  } else if (name in form || empty.has(name)) {
    throw invalidRequest('a parameter is repeated')
  } else if (value === '') empty.add(name)
  else form[name] = value
}

function decodeUtf8(body: Uint8Array): string {
  if (!isUtf8(body)) throw invalidRequest('the body is not UTF-8')
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
}

function decodePercent(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw invalidRequest('a parameter is not form-encoded')
  }
}
