// Whether another account logs in by a text that an account is to get. A part of the transaction that writes.
import type { DatabaseSync } from 'node:sqlite'
import type { LoginTexts, ValueTaken } from '../../ports/directory.ts'
import { ACCOUNT_SQL, readAccount } from './account-columns.ts'
import type { UniqueValues } from './unique-values.ts'

/** The looks; each is about an account's tag and the texts that it is to get. */
export interface TakenTexts {
  /** Whether somebody else has a value that the name stands for. */
  isNameTaken(tag: string, logins?: LoginTexts): boolean
  /** The value whose text is somebody else's name, unless the account has the value already. */
  valueTaken(tag: string, logins?: LoginTexts): ValueTaken | undefined
}

/** Makes the looks. */
export function createTakenTexts(
  db: DatabaseSync,
  { ownerOf }: Pick<UniqueValues, 'ownerOf'>,
): TakenTexts {
  const byName = db.prepare(ACCOUNT_SQL.byName)

  function isOthersName(foldedName: string, tag: string): boolean {
    const row = byName.get(foldedName)
    return row !== undefined && readAccount(row).tag !== tag
  }

  return {
    isNameTaken: (tag, logins) =>
      logins?.ofName.some(value => ![undefined, tag].includes(ownerOf(value))) ?? false,
    valueTaken(tag, logins) {
      const taken = logins?.ofValues.find(
        value => ownerOf(value) !== tag && isOthersName(value.foldedName, tag),
      )
      return taken && { kind: 'value_taken', attribute: taken.attribute }
    },
  }
}
