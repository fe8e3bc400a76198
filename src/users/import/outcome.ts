// What becomes of one record of an import.
import type { UserChange } from '../../base/events/changes.ts'
import type { NewAccount, UniqueValue } from '../../stores/ports/directory.ts'
import type { AttributeTaken } from '../account-attributes.ts'
import type { AttributeFault } from '../attributes/check.ts'
import type { HashFault } from '../hashing/hasher.ts'
import type { PasswordFault } from '../new-password.ts'

/** Why an account isn't imported. */
export type ImportFault =
  | PasswordFault
  | HashFault['reason']
  | 'line_no_json'
  | 'line_malformed'
  | 'user_deleted'
  | 'no_password'
  | 'changed_meanwhile'
  | 'directory_owns'
  | 'name_invalid'
  | 'name_taken'
  | 'sub_invalid'
  | 'sub_taken'
  | 'sub_of_client'
  | AttributeFault['reason']
  | AttributeTaken['reason']

/** A fault and where it is; never a value of the record, which may be a secret. */
export interface Refusal {
  readonly reason: ImportFault
  /** The field of the file. */
  readonly field?: string
  /** What is wrong with it, where the reason says less. */
  readonly detail?: string
  /** Where in the same file the name, the id or the value stands before. */
  readonly twin?: number
}

export type ImportOutcome =
  | { readonly kind: 'imported'; readonly sub: string }
  /** The account is there, from an earlier run: its name and its `sub`. Nothing was changed. */
  | { readonly kind: 'already_there'; readonly sub: string }
  /** The account was there, and is now as the record says; `changes` has at least one. */
  | {
      readonly kind: 'updated'
      readonly sub: string
      readonly changes: readonly UserChange[]
    }
  | ({ readonly kind: 'refused' } & Refusal)

/** An account that may be added, once its hash is made. */
export interface Candidate {
  readonly kind: 'candidate'
  readonly sub: string
  readonly foldedName: string
  readonly uniqueValues: NewAccount['uniqueValues']
  readonly logins: NewAccount['logins']
  readonly make: (dryRun: boolean) => Promise<NewAccount>
}

/** What is known of a record before accounts are added. */
export type Judged = Candidate | ImportOutcome

/** Refuses a record. */
export function refused(refusal: Refusal): ImportOutcome {
  return { kind: 'refused', ...refusal }
}

/** Another account, or another record, has the value. */
export function takenAt({ attribute }: UniqueValue): Refusal {
  return { reason: 'attribute_taken', field: `attributes.${attribute}` }
}
