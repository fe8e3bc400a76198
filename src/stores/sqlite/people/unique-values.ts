// The unique values of accounts in SQLite: a row each, which goes with its account (ON DELETE CASCADE). Each
// function is a part of a transaction.
import type { DatabaseSync } from 'node:sqlite'
import type { UniqueValue, ValueTaken } from '../../ports/directory.ts'

export interface UniqueValues {
  /** The tag of the account that has the value. */
  ownerOf(value: UniqueValue): string | undefined
  /** What the account has. */
  of(tag: string): readonly UniqueValue[]
  /** The first of the values that another account than that of the tag has. */
  takenFrom(tag: string, values: readonly UniqueValue[]): ValueTaken | undefined
  /** Gives the account these values, in the place of those that it had; nobody else has them. */
  replace(tag: string, values: readonly UniqueValue[]): void
}

/** Makes the unique values of this file. */
export function createUniqueValues(db: DatabaseSync): UniqueValues {
  const select = db.prepare(
    'SELECT user_tag FROM unique_values WHERE attribute = ? AND value = ?',
  )
  const insert = db.prepare(
    'INSERT INTO unique_values (attribute, value, user_tag) VALUES (?, ?, ?)',
  )
  const clear = db.prepare('DELETE FROM unique_values WHERE user_tag = ?')

  const ofTag = db.prepare(
    'SELECT attribute, value FROM unique_values WHERE user_tag = ? ORDER BY attribute, value',
  )

  function ownerOf({ attribute, value }: UniqueValue): string | undefined {
    const row = select.get(attribute, value)
    return row === undefined ? undefined : String(row['user_tag'])
  }

  return {
    ownerOf,
    of: tag =>
      ofTag.all(tag).map(({ attribute, value }) => ({
        attribute: String(attribute),
        value: String(value),
      })),
    takenFrom(tag, values) {
      const taken = values.find(value => ![undefined, tag].includes(ownerOf(value)))
      return taken && { kind: 'value_taken', attribute: taken.attribute }
    },
    replace(tag, values) {
      clear.run(tag)
      for (const { attribute, value } of values) insert.run(attribute, value, tag)
    },
  }
}
