// Subject identifiers (RFC 9493): how other systems say whom they mean.
import type { Account } from '../stores/ports/directory.ts'
import type { Declarations } from './attributes/declarations.ts'
import { uniqueValueOf } from './attributes/texts.ts'
import type { Directory } from './directory/directory.ts'
import type { BuiltInDirectory } from '../stores/ports/directory.ts'
import { userTag } from '../base/ids.ts'

/** A subject identifier whose form was checked. */
export type SubjectIdentifier = SingleIdentifier | AliasesIdentifier

/** It names the subject in one way. */
export type SingleIdentifier =
  | { readonly format: 'iss_sub'; readonly iss: string; readonly sub: string }
  | { readonly format: 'opaque'; readonly id: string }
  | { readonly format: 'email'; readonly email: string }
  | { readonly format: 'phone_number'; readonly phone_number: string }

/** It names the subject in several ways (§3.2.8). */
export interface AliasesIdentifier {
  readonly format: 'aliases'
  readonly identifiers: readonly SingleIdentifier[]
}

/** Finds the account; undefined: none is meant, or the identifiers name several. */
export type FindSubject = (identifier: SubjectIdentifier) => Promise<Account | undefined>

export interface FindSubjectOptions {
  readonly issuer: string
  readonly directory: Pick<Directory, 'byTag'> & Pick<BuiltInDirectory, 'byValue'>
  /** Which attributes accounts may have, as configured now. */
  readonly declarations: () => Declarations
}

/**
 * Makes the function. `opaque` is a `sub`; `email` and `phone_number` find an account where the attribute of
 * that name is declared as unique. Rejects with StoreUnavailable.
 */
export function createFindSubject({
  issuer,
  directory,
  declarations,
}: FindSubjectOptions): FindSubject {
  const bySub = (sub: string) => directory.byTag(userTag(sub))

  async function byValue(attribute: string, text: string): Promise<Account | undefined> {
    const value = uniqueValueOf(attribute, text, declarations())
    return value === undefined ? undefined : directory.byValue(value)
  }

  async function find(identifier: SingleIdentifier): Promise<Account | undefined> {
    switch (identifier.format) {
      case 'iss_sub':
        return identifier.iss === issuer ? bySub(identifier.sub) : undefined
      case 'opaque':
        return bySub(identifier.id)
      case 'email':
        return byValue('email', identifier.email)
      case 'phone_number':
        return byValue('phone_number', identifier.phone_number)
    }
  }

  return async function findSubject(identifier) {
    if (identifier.format !== 'aliases') return find(identifier)
    const found = await Promise.all(identifier.identifiers.map(find))
    const accounts = found.filter(account => account !== undefined)
    const [first] = accounts
    return accounts.every(({ sub }) => sub === first?.sub) ? first : undefined
  }
}
