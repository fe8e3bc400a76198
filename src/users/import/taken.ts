// What an account of the store has that a record wants.
import type {
  BuiltInDirectory,
  NewAccount,
  UniqueValue,
} from '../../stores/ports/directory.ts'

/** The first value that an account has, or whose text is an account's name. Rejects with StoreUnavailable. */
export async function firstTaken(
  { uniqueValues, logins }: Pick<NewAccount, 'uniqueValues' | 'logins'>,
  { byValue, byName }: Pick<BuiltInDirectory, 'byValue' | 'byName'>,
): Promise<UniqueValue | undefined> {
  for (const value of uniqueValues) {
    if ((await byValue(value)) !== undefined) return value
  }
  for (const value of logins?.ofValues ?? []) {
    if ((await byName(value.foldedName)) !== undefined) return value
  }
  return undefined
}
