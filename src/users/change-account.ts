// Changes whatever is asked for of an account, at once or not at all. What the account is to be is decided
// from what it is: where somebody else was faster, it is decided anew.
import { isDeepStrictEqual } from 'node:util'
import type { Emit } from '../base/events/events.ts'
import type { UserChange } from '../base/events/changes.ts'
import { userTag } from '../base/ids.ts'
import type { Account, AccountChange } from '../stores/ports/directory.ts'
import {
  DIRECTORY_OWNS,
  MOST_TRIES,
  nextAttributes,
  type AttributesRequest,
  type AttributeTaken,
  type DirectoryOwns,
} from './account-attributes.ts'
import { isFault, type AttributeFault } from './attributes/check.ts'
import type { CheckClaims } from './attributes/claims-budget.ts'
import type { Declarations } from './attributes/declarations.ts'
import type { Directory } from './directory/directory.ts'
import type { PasswordHasher } from './hashing/hasher.ts'
import { withoutKnown, withoutUnclaimed } from './known-values.ts'
import { namesakeOf } from './names/namesake.ts'
import { readName } from './names/user-name.ts'
import type { CheckNewPassword, PasswordFault } from './new-password.ts'
import { isRole } from './roles.ts'

/** What an account is to be; what isn't named stays. */
export interface AccountRequest
  extends
    AttributesRequest,
    Partial<Pick<Account, 'name' | 'disabled' | 'scopes' | 'roles'>> {
  /** Ends every session. */
  readonly password?: string
  /** In the place of a password: a hash that was checked. Ends every session. */
  readonly passwordHash?: string
  /**
   * Writes also what is so already, as nobody's change: the index may lack it (an earlier release). `values`:
   * and claims every unique value that the account has.
   */
  readonly rewrites?: 'roles' | 'values'
}

/** Why nothing was changed. */
export type AccountFault =
  | {
      readonly reason:
        | 'user_unknown'
        | 'changed_meanwhile'
        | 'name_invalid'
        | 'name_taken'
        | 'role_invalid'
        | DirectoryOwns
        | PasswordFault
    }
  | AttributeFault
  | AttributeTaken

/** What comes of it: the account as it is now. */
export type AccountOutcome =
  | { readonly kind: 'done'; readonly account: Account }
  | ({ readonly kind: 'refused' } & AccountFault)

/**
 * Changes the account of that `sub`. What `decide` throws is thrown, and nothing was changed then. Rejects
 * with StoreUnavailable, and where a password is hashed with OAuthError temporarily_unavailable.
 *
 * @param decide says from the account of now what it is to be; is asked again where that has changed
 */
export type ChangeWholeAccount = (
  sub: string,
  decide: (account: Account) => AccountRequest,
) => Promise<AccountOutcome>

export interface ChangeAccountOptions {
  readonly directory: Pick<Directory, 'byTag' | 'change' | 'uniqueValuesOf'>
  /** The account that logs in with a text: no other one may have that for its name. */
  readonly findLogin: Directory['findLogin']
  readonly hasher: Pick<PasswordHasher, 'hash'>
  readonly emit: Emit
  readonly checkNewPassword: CheckNewPassword
  readonly declarations: () => Declarations
  readonly checkClaims: CheckClaims
}

/** Makes the change. */
export function createChangeAccount(options: ChangeAccountOptions): ChangeWholeAccount {
  const { directory, emit } = options
  const next = createNext(options)

  return async function changeAccount(sub, decide) {
    const tag = userTag(sub)
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const account = await directory.byTag(tag)
      if (account === undefined) return { kind: 'refused', reason: 'user_unknown' }
      const request = decide(account)
      const change = await next(account, request)
      if ('reason' in change) return { kind: 'refused', ...change }
      const changes = changesOf(account, change, request)
      if (changes.length === 0 && request.rewrites === undefined) {
        return { kind: 'done', account }
      }
      if (account.external !== undefined && changes.some(isOfDirectory)) {
        return { kind: 'refused', reason: DIRECTORY_OWNS }
      }
      const outcome = await directory.change(
        request.rewrites === 'values'
          ? change
          : await withoutUnclaimed(account, change, directory),
      )
      if (outcome.kind === 'superseded') continue
      if (outcome.kind === 'value_taken') {
        return { kind: 'refused', reason: 'attribute_taken', path: outcome.attribute }
      }
      if (outcome.kind !== 'changed') return { kind: 'refused', reason: outcome.kind }
      for (const { roles: _, ...each } of changes) {
        emit({ type: 'user.changed', sub, ...each }, undefined, { before: account })
      }
      const after = await directory.byTag(tag)
      return after === undefined
        ? { kind: 'refused', reason: 'user_unknown' }
        : { kind: 'done', account: after }
    }
    return { kind: 'refused', reason: 'changed_meanwhile' }
  }
}

/** Makes the step from a request to what is written. */
function createNext({
  findLogin,
  hasher,
  checkNewPassword,
  declarations,
  checkClaims,
}: ChangeAccountOptions) {
  return async (
    account: Account,
    {
      name,
      password,
      passwordHash,
      disabled,
      scopes,
      roles,
      ...attributes
    }: AccountRequest,
  ): Promise<AccountChange | AccountFault> => {
    const read = name === undefined ? undefined : readName(name)
    if (name !== undefined && read === undefined) return { reason: 'name_invalid' }
    if (roles?.every(isRole) === false) return { reason: 'role_invalid' }
    if (read !== undefined && read.folded !== account.foldedName) {
      const namesake = await namesakeOf(findLogin, read.written, account.tag)
      if (namesake !== undefined) return { reason: 'name_taken' }
    }
    const rules = { declarations: declarations(), checkClaims }
    const known = nextAttributes(
      { ...account, ...(roles && { roles }) },
      withoutKnown(account, attributes),
      rules,
    )
    if (isFault(known)) return known
    const fault =
      password === undefined
        ? undefined
        : await checkNewPassword(password, read?.written ?? account.name)
    if (fault !== undefined) return { reason: fault }
    const { tag, version } = account
    return {
      tag,
      version,
      ...known,
      ...(read !== undefined && { name: read.written, foldedName: read.folded }),
      ...(password !== undefined && { passwordHash: await hasher.hash(password) }),
      ...(passwordHash !== undefined && { passwordHash }),
      ...(disabled !== undefined && { disabled }),
      ...(scopes !== undefined && { scopes }),
      ...(roles !== undefined && { roles }),
      endsSessions:
        password !== undefined ||
        passwordHash !== undefined ||
        (disabled === true && !account.disabled),
    }
  }
}

/** Whether a directory elsewhere says what is changed there; scopes and who is disabled are said here. */
function isOfDirectory({ change, roles }: Change): boolean {
  return !(
    change === 'disabled' ||
    change === 'enabled' ||
    (change === 'access' && !roles)
  )
}

interface Change {
  /** Whether roles are changed. */
  readonly roles?: true
  readonly change: UserChange
  readonly attributes?: readonly string[]
}

/** What differs, as the audit log says it; nothing where the account is so already. */
function changesOf(
  before: Account,
  after: AccountChange,
  asked: AccountRequest,
): Change[] {
  const differs = (member: 'name' | 'scopes' | 'roles' | 'disabled') =>
    after[member] !== undefined && !isDeepStrictEqual(before[member], after[member])
  const attributes = changedAttributes(before, after)
  return [
    ...(differs('name') ? [{ change: 'renamed' } as const] : []),
    ...(asked.password === undefined && asked.passwordHash === undefined
      ? []
      : [{ change: 'password' } as const]),
    ...(differs('disabled')
      ? [{ change: after.disabled === true ? 'disabled' : 'enabled' } as const]
      : []),
    ...(differs('scopes') || differs('roles')
      ? [
          {
            change: 'access',
            ...(differs('roles') ? { roles: true as const } : {}),
          } as const,
        ]
      : []),
    ...(attributes.length > 0 ? [{ change: 'attributes', attributes } as const] : []),
  ]
}

/** Names only: values are nobody's business in a log. */
function changedAttributes(before: Account, after: AccountChange): readonly string[] {
  const names = new Set([
    ...Object.keys(before.attributes),
    ...Object.keys(after.attributes),
  ])
  return [
    ...[...names].filter(
      name => !isDeepStrictEqual(before.attributes[name], after.attributes[name]),
    ),
    ...(before.emailVerified === after.emailVerified ? [] : ['email_verified']),
  ]
}
