// Whether another account logs in by a text that an account is to get. Names and values are claimed in
// different slots. So whoever wants such a text claims what they want first and looks then: of two at once,
// one sees the claim of the other, or both do.
import type { LoginTexts, UniqueValue, ValueTaken } from '../../../ports/directory.ts'
import type { Claims } from './claims.ts'
import type { UniqueValues } from './unique-values.ts'

/** What an account is to get, and has claimed. */
export interface WantedTexts {
  readonly tag: string
  readonly logins?: LoginTexts | undefined
  /** Whether the name is another one than before. */
  readonly isNamed: boolean
  /** The unique values that the account has had before. */
  readonly had: readonly UniqueValue[]
}

/** The first text by which another account logs in. Rejects with StoreUnavailable. */
export type FindTaken = (
  wanted: WantedTexts,
) => Promise<ValueTaken | { readonly kind: 'name_taken' } | undefined>

/** Makes the look. */
export function createFindTaken({
  names,
  values,
}: {
  readonly names: Pick<Claims, 'isOthers'>
  readonly values: Pick<UniqueValues, 'isOthers'>
}): FindTaken {
  return async ({ tag, logins = { ofName: [], ofValues: [] }, isNamed, had }) => {
    for (const value of isNamed ? logins.ofName : []) {
      if (await values.isOthers(value, tag)) return { kind: 'name_taken' }
    }
    for (const { foldedName, attribute, value } of logins.ofValues) {
      const isKept = had.some(own => own.attribute === attribute && own.value === value)
      if (isKept || !(await names.isOthers(foldedName, tag))) continue
      return { kind: 'value_taken', attribute }
    }
    return undefined
  }
}
