// The JSON of a body with long lists, written a piece at a time: meanwhile the server does other things.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Resource } from '../../../scim/schema.ts'

/** So many characters make a piece: a tenth of a millisecond. */
const PIECE_LENGTH = 32_768

/** The text of a body. */
export async function bodyText(body: Resource): Promise<string> {
  const members: string[] = []
  for (const [name, value] of Object.entries(body)) {
    if (value === undefined) continue
    const text = Array.isArray(value) ? await listText(value) : textOf(value)
    members.push(`${textOf(name)}:${text}`)
  }
  return `{${members.join(',')}}`
}

async function listText(items: readonly unknown[]): Promise<string> {
  const texts: string[] = []
  let length = 0
  for (const item of items) {
    if (length > PIECE_LENGTH) {
      await nextTurn()
      length = 0
    }
    const text = textOf(item)
    length += text.length
    texts.push(text)
  }
  return `[${texts.join(',')}]`
}

function textOf(value: unknown): string {
  return JSON.stringify(value)
}
