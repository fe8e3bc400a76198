// A request body in JSON, read as strictly as a form: one object of texts, each name once.
import { isUtf8 } from 'node:buffer'
import { invalidRequest } from './errors.ts'
import { parseForm, type Form } from './form.ts'

/** A text of valid JSON, and the colon that makes it the name of a member. */
const TEXTS = /"(?:[^"\\]|\\.)*"(\s*:)?/g

/**
 * Reads an object of texts as the parameters that a form with these names and values has.
 *
 * @param repeatable names that may have a list of texts, too
 * @throws OAuthError invalid_request when it isn't JSON in UTF-8, is no object, repeats a name, or has a
 * value that is no text, and wherever parseForm throws
 */
export function parseJsonForm(body: Uint8Array, repeatable: readonly string[]): Form {
  if (!isUtf8(body)) throw invalidRequest('the body is not UTF-8')
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const text = bytes.toString('utf8')
  const members = membersOf(text)
  refuseRepeats(text, members.length)
  const form = new URLSearchParams()
  for (const [name, value] of members) {
    const values = repeatable.includes(name) ? [value].flat() : [value]
    for (const one of [name, ...values]) requireText(one)
    for (const one of values) form.append(name, String(one))
  }
  return parseForm(Buffer.from(form.toString()), repeatable)
}

function membersOf(text: string): [string, unknown][] {
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRequest('the body must be a JSON object')
  }
  return Object.entries(value)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidRequest('the body is not JSON')
  }
}

// The parser keeps the last of several members with one name. No value is an object, or requireText refuses
// it: every name in the text is a member of this object.
function refuseRepeats(text: string, members: number): void {
  const names = [...text.matchAll(TEXTS)].filter(([, colon]) => colon !== undefined)
  if (names.length > members) throw invalidRequest('a parameter is repeated')
}

// Half of a surrogate pair has no form in UTF-8.
function requireText(value: unknown): void {
  if (typeof value !== 'string' || !value.isWellFormed()) {
    throw invalidRequest('a parameter must be a text')
  }
}
