// A delta of another system: what has changed there of accounts that are here. What a record doesn't say
// stays; who isn't here is left to the import.
import type { Emit } from '../../base/events/events.ts'
import type { UserChange } from '../../base/events/changes.ts'
import { userTag } from '../../base/ids.ts'
import type {
  Account,
  BuiltInDirectory,
  UniqueValue,
  ValueTaken,
} from '../../stores/ports/directory.ts'
import {
  createChangeAccount,
  type AccountRequest,
  type ChangeAccountOptions,
} from '../change-account.ts'
import type { NameLogins } from '../attributes/login-texts.ts'
import { judgeName } from '../names/user-name.ts'
import type { PasswordHasher } from '../hashing/hasher.ts'
import type { ForeignUser, UpdateAccount } from './import-accounts.ts'
import { refused, type ImportOutcome } from './outcome.ts'

export interface UpdateOptions extends Omit<
  ChangeAccountOptions,
  'directory' | 'hasher'
> {
  readonly directory: Pick<
    BuiltInDirectory,
    'byTag' | 'byName' | 'byValue' | 'uniqueValuesOf' | 'change'
  >
  readonly hasher: Pick<PasswordHasher, 'hash' | 'checkForeign'>
  /** Says by which texts an account would log in. */
  readonly nameLogins: Pick<NameLogins, 'naming'>
  /** Whether everything is checked and nothing changed. */
  readonly dryRun: boolean
}

/**
 * Makes the update. An account is that of the record's `sub`, or where the record has none that of its name.
 * A new hash and a disabled account end every session, in the step that changes the rest.
 */
export function createUpdateAccounts(options: UpdateOptions): UpdateAccount {
  const { directory, hasher, dryRun, emit } = options
  const writes = dryRun ? dry(directory, options.nameLogins) : directory
  return async ({ user }) => {
    if ('refusal' in user) return undefined
    const account = await accountOf(user, directory)
    if (account === undefined) return undefined
    const { sub } = account
    const { secret } = user
    const fault =
      'passwordHash' in secret ? hasher.checkForeign(secret.passwordHash) : undefined
    if (fault !== undefined) return refused(fault)
    const changes: UserChange[] = []
    const note: Emit = (event, origin) => {
      if (event.type === 'user.changed') changes.push(event.change)
      if (!dryRun) emit(event, origin)
    }
    const change = createChangeAccount({
      ...options,
      directory: writes,
      emit: note,
    })
    const outcome = await change(sub, now => requestOf(user, now))
    if (outcome.kind === 'refused') return refusedBy(outcome)
    return changes.length === 0
      ? { kind: 'already_there', sub }
      : { kind: 'updated', sub, changes }
  }
}

async function accountOf(
  { sub, name }: ForeignUser,
  { byTag, byName }: UpdateOptions['directory'],
): Promise<Account | undefined> {
  if (sub !== undefined) return byTag(userTag(sub))
  const judged = judgeName(name)
  return 'fault' in judged ? undefined : byName(judged.folded)
}

/** What the record says; a hash that the account has is no new one. */
function requestOf(
  { name, secret, says, ...user }: ForeignUser,
  { passwordHash }: Account,
): AccountRequest {
  return {
    name,
    ...(user.attributes !== undefined && { attributes: user.attributes }),
    emailVerified: user.emailVerified,
    ...(says?.has('scopes') === true && { scopes: user.scopes }),
    ...(says?.has('roles') === true && { roles: user.roles }),
    ...(says?.has('disabled') === true && { disabled: user.disabled }),
    ...('password' in secret && { password: secret.password }),
    ...('passwordHash' in secret &&
      secret.passwordHash !== passwordHash && { passwordHash: secret.passwordHash }),
  }
}

function refusedBy(
  fault: Exclude<
    Awaited<ReturnType<ReturnType<typeof createChangeAccount>>>,
    { kind: 'done' }
  >,
): ImportOutcome {
  const { kind: _, reason, ...more } = fault
  return refused({
    reason:
      reason === 'user_unknown' || reason === 'role_invalid'
        ? 'changed_meanwhile'
        : reason,
    ...('path' in more && { field: `attributes.${more.path}` }),
    ...('expected' in more && { detail: `expected ${more.expected}` }),
  })
}

/** Says what would come of a change, and changes nothing. */
function dry(
  { byTag, byValue, byName, uniqueValuesOf }: UpdateOptions['directory'],
  { naming }: UpdateOptions['nameLogins'],
): ChangeAccountOptions['directory'] {
  const isOthers = (owner: Account | undefined, tag: string) =>
    owner !== undefined && owner.tag !== tag
  return {
    byTag,
    uniqueValuesOf,
    async change(wanted) {
      const { tag, uniqueValues, logins } = naming(wanted)
      // Who has the name was looked up before.
      for (const value of uniqueValues) {
        if (isOthers(await byValue(value), tag)) return valueTaken(value)
      }
      for (const value of logins?.ofValues ?? []) {
        const isKept = (await byValue(value)) !== undefined
        if (!isKept && isOthers(await byName(value.foldedName), tag)) {
          return valueTaken(value)
        }
      }
      return { kind: 'changed' }
    },
  }
}

function valueTaken({ attribute }: UniqueValue): ValueTaken {
  return { kind: 'value_taken', attribute }
}
