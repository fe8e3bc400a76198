// The JSON of a body with long lists, written a piece at a time: meanwhile the server does other things. As
// bytes: a long text would be joined with its head and encoded in one step, when it is sent.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Resource } from '../../../scim/schema.ts'

/** So many characters make a piece: less than a tenth of a millisecond. */
const PIECE_LENGTH = 16_384

/** The bytes of a body. */
export async function bodyBytes(body: Resource): Promise<Buffer> {
  const pieces: Buffer[] = []
  let text = ''
  for (const part of partsOf(body)) {
    if (text.length > PIECE_LENGTH) {
      pieces.push(Buffer.from(text))
      text = ''
      await nextTurn()
    }
    text += part
  }
  return Buffer.concat([...pieces, Buffer.from(text)])
}

function* partsOf(body: Resource): Generator<string> {
  let sign = '{'
  for (const [name, value] of Object.entries(body)) {
    if (value === undefined) continue
    yield `${sign}${textOf(name)}:`
    sign = ','
    if (Array.isArray(value)) yield* itemsOf(value)
    else yield textOf(value)
  }
  yield sign === '{' ? '{}' : '}'
}

function* itemsOf(items: readonly unknown[]): Generator<string> {
  let sign = '['
  for (const item of items) {
    yield `${sign}${textOf(item)}`
    sign = ','
  }
  yield sign === '[' ? '[]' : ']'
}

function textOf(value: unknown): string {
  return JSON.stringify(value)
}
