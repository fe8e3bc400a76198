// The entries of an account in the index of accounts: texts in sorted sets, whose order is that of their
// bytes. What is sorted by stands first, then NUL, then the account's tag.
import { hash } from 'node:crypto'
import type { Account, UniqueValue } from '../../../ports/directory.ts'

/** What the entries are made of. */
export interface Indexed extends Pick<
  Account,
  'tag' | 'sub' | 'foldedName' | 'createdAt'
> {
  readonly uniqueValues: readonly UniqueValue[]
}

/** By the instant of creation, or by the name and the unique values. */
export type Order = 'created' | 'texts'

/** An account's entries. */
export type Entries = Readonly<Record<Order, readonly string[]>>

/** What is sorted by, from one text on and before another one; in bytes. */
export interface Range {
  readonly from: Buffer
  readonly before: Buffer
}

/** So many shards: ten million accounts with an e-mail address make 30 MB and 60 MB in each. */
export const SHARDS: readonly string[] = Array.from({ length: 64 }, (_, index) =>
  String(index).padStart(2, '0'),
)

/** Milliseconds, until the year 5138. */
const INSTANT_DIGITS = 14
/** Stands between what is sorted by and the tag. */
const END = '\0'
/** Sorts behind END, and before everything else that follows. */
const BEHIND = '\u0001'
/** UTF-8 has no such byte: sorts behind every text. */
const LAST_BYTE = Buffer.of(0xff)

/** The shard that has all entries of an account. */
export function shardOf(tag: string): string {
  const [byte = 0] = hash('sha256', tag, 'buffer')
  return String(SHARDS[byte % SHARDS.length])
}

/** The entries that an account has. */
export function entriesOf(account: Indexed): Entries {
  return { created: entriesIn('created', account), texts: entriesIn('texts', account) }
}

/** Those of one order. */
export function entriesIn(
  order: Order,
  { tag, sub, foldedName, createdAt, uniqueValues }: Indexed,
): readonly string[] {
  if (order === 'texts') {
    const fields = [nameField(foldedName), ...uniqueValues.map(valueField)]
    return fields.map(field => textEntry(field, tag))
  }
  const instant = String(createdAt).padStart(INSTANT_DIGITS, '0')
  return [`${instant}${sub}${END}${tag}`]
}

/** The entry of a name or a unique value, as `nameField` or `valueField` has it. */
export function textEntry(field: string, tag: string): string {
  return `${escaped(field)}${END}${tag}`
}

/** The tag in an entry. */
export function tagIn(entry: string): string {
  return entry.slice(entry.lastIndexOf(END) + END.length)
}

/** A folded name, beside the unique values: no attribute has an empty name. */
export function nameField(foldedName: string): string {
  return valueField({ attribute: '', value: foldedName })
}

/** A unique value as it is claimed; the name of an attribute holds no colon. */
export function valueField({ attribute, value }: UniqueValue): string {
  return `${attribute}:${value}`
}

/** All accounts, or those behind one. */
export function createdRange(
  after: Pick<Account, 'createdAt' | 'sub'> | undefined,
): Range {
  const before = LAST_BYTE
  if (after === undefined) return { from: Buffer.of(), before }
  const [entry = ''] = entriesOf({
    ...after,
    tag: '',
    foldedName: '',
    uniqueValues: [],
  }).created
  return { from: behind(entry), before }
}

/** The texts that begin with a prefix, or those of them behind one. */
export function textRange(prefix: string, after: string | undefined): Range {
  return {
    from:
      after === undefined ? Buffer.from(escaped(prefix)) : behind(textEntry(after, '')),
    before: Buffer.concat([Buffer.from(escaped(prefix)), LAST_BYTE]),
  }
}

/** Names alone. */
export const NAMES = textRange(nameField(''), undefined)

/** The same range behind an entry alone: others of the same text, which have another tag, may follow. */
export function rangeBehind(entry: string, { before }: Range): Range {
  return { from: Buffer.from(`${entry}\0`), before }
}

/** A range as ZRANGEBYLEX takes it. */
export function boundsOf({ from, before }: Range): readonly [Buffer, Buffer] {
  return [
    Buffer.concat([Buffer.from('['), from]),
    Buffer.concat([Buffer.from('('), before]),
  ]
}

/** Behind all entries of what is sorted by in that one. */
function behind(entry: string): Buffer {
  return Buffer.from(entry.slice(0, entry.lastIndexOf(END)) + BEHIND)
}

/** A text attribute may hold NUL; its order stays. */
function escaped(text: string): string {
  return text.replaceAll(BEHIND, `${BEHIND}\u0002`).replaceAll(END, `${BEHIND}${BEHIND}`)
}
