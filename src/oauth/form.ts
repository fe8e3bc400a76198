// The request body of RFC 6749: application/x-www-form-urlencoded (appendix B), read strictly.
import { invalidRequest } from './errors.ts'

/** Decoded parameters. Without prototype, so that no name is special. An empty value counts as absent (RFC 6749 §3.2). */
export interface Form {
  readonly [name: string]: string | string[] | undefined
  /** The one parameter that may repeat (RFC 8707 §2). */
  readonly resource?: string[]
}

// RFC 6749 appendix A: UNICODECHARNOCRLF, that is no control character but the tab.
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\x00-\x08\x0A-\x1F\x7F\uFFFE\uFFFF]/

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads a form-encoded body.
 *
 * @throws OAuthError invalid_request when it isn't UTF-8, a percent-encoding is broken, a control character stands in it, or a parameter
 *   other than `resource` is repeated (RFC 6749 §3.2)
 */
export function parseForm (body: Uint8Array): Form {
  const values = new Map<string, string>()
  const resource: string[] = []
  const text = decodeUtf8(body)
  refuseForbidden(text)
  for (const pair of text.split('&')) {
    if (pair !== '') readPair(pair, values, resource)
  }
  return toForm(values, resource)
}

/**
 * Undoes application/x-www-form-urlencoded for one name or value.
 *
 * @throws OAuthError invalid_request when it can't be decoded or holds a control character
 */
export function decodeFormComponent (encoded: string): string {
  const decoded = decode(encoded)
  refuseForbidden(decoded)
  return decoded
}

function decode (encoded: string): string {
  const spaced = encoded.includes('+') ? encoded.replaceAll('+', ' ') : encoded
  return spaced.includes('%') ? decodePercent(spaced) : spaced
}

function refuseForbidden (text: string): void {
  if (FORBIDDEN.test(text)) throw invalidRequest('a parameter holds a control character')
}

// The whole text was looked through: only what stood behind a percent sign can be new.
function decodeChecked (encoded: string): string {
  return encoded.includes('%') ? decodeFormComponent(encoded) : decode(encoded)
}

function readPair (pair: string, values: Map<string, string>, resource: string[]): void {
  const split = pair.indexOf('=')
  const name = decodeChecked(split === -1 ? pair : pair.slice(0, split))
  const value = split === -1 ? '' : decodeChecked(pair.slice(split + 1))
  if (name === 'resource') {
    resource.push(value)
    return
  }
  if (values.has(name)) throw invalidRequest('a parameter is repeated')
  values.set(name, value)
}

// Empty values go only after repeats were looked for: `scope=&scope=a` repeats scope.
function toForm (values: Map<string, string>, resource: string[]): Form {
  const form = Object.create(null)
  for (const [name, value] of values) {
    if (value !== '') form[name] = value
  }
  const named = resource.filter(value => value !== '')
  if (named.length > 0) form.resource = named
  return form
}

function decodeUtf8 (body: Uint8Array): string {
  try {
    return utf8.decode(body)
  } catch {
    throw invalidRequest('the body is not UTF-8')
  }
}

function decodePercent (encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw invalidRequest('a parameter is not form-encoded')
  }
}
