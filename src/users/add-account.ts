// Adds an account that an operator, or a client of SCIM, asks for.
import type { Emit } from '../base/events/events.ts'
import { userTag } from '../base/ids.ts'
import { systemRandom, type Random } from '../base/random.ts'
import type { User } from '../stores/ports/subjects.ts'
import {
  NOTHING_KNOWN,
  nextAttributes,
  type AttributesRequest,
  type AttributeTaken,
} from './account-attributes.ts'
import { isFault, type AttributeFault } from './attributes/check.ts'
import type { CheckClaims } from './attributes/claims-budget.ts'
import type { Declarations } from './attributes/declarations.ts'
import type { Directory } from './directory/directory.ts'
import type { PasswordHasher } from './hashing/hasher.ts'
import { NO_PASSWORD } from './hashing/no-password.ts'
import { readName } from './names/user-name.ts'
import type { CheckNewPassword, PasswordFault } from './new-password.ts'
import { isRole } from './roles.ts'

/** A new account. */
export interface NewUser extends Pick<User, 'scopes' | 'roles'>, AttributesRequest {
  readonly name: string
  /** Undefined: none yet, and no password logs in. */
  readonly password?: string | undefined
  /** Default false. */
  readonly disabled?: boolean
}

/** Why an account isn't added. */
export type AddFault = PasswordFault | 'name_invalid' | 'name_taken' | 'role_invalid'

/** What comes of adding an account. */
export type AddOutcome =
  | { readonly kind: 'added'; readonly account: Pick<User, 'sub' | 'name'> }
  | { readonly kind: 'refused'; readonly reason: AddFault }
  | ({ readonly kind: 'refused' } & (AttributeFault | AttributeTaken))

/** What it is made of. */
export interface AddAccountOptions {
  readonly directory: Pick<Directory, 'findLogin' | 'add'>
  readonly hasher: Pick<PasswordHasher, 'hash'>
  readonly emit: Emit
  readonly checkNewPassword: CheckNewPassword
  /** Which attributes accounts may have, as configured now. */
  readonly declarations: () => Declarations
  /** Whether tokens may carry what an account would have. */
  readonly checkClaims: CheckClaims
  /** Default: the system's. */
  readonly random?: Random
}

/** Makes the step. */
export function createAdd({
  directory,
  hasher,
  checkNewPassword,
  emit,
  declarations,
  checkClaims,
  random = systemRandom,
}: AddAccountOptions): (user: NewUser) => Promise<AddOutcome> {
  return async ({
    name: typed,
    password,
    scopes,
    roles,
    disabled = false,
    ...request
  }) => {
    const read = readName(typed)
    if (read === undefined) return refused('name_invalid')
    if (!roles.every(isRole)) return refused('role_invalid')
    const { written: name, folded: foldedName } = read
    // Also where it is another account's address, by which that one logs in.
    if ((await directory.findLogin(name)) !== undefined) return refused('name_taken')
    const sub = random.uuid()
    const rules = { declarations: declarations(), checkClaims }
    const next = nextAttributes({ ...NOTHING_KNOWN, sub, roles }, request, rules)
    if (isFault(next)) return { kind: 'refused', ...next }
    const fault =
      password === undefined ? undefined : await checkNewPassword(password, name)
    if (fault !== undefined) return refused(fault)
    const outcome = await directory.add({
      sub,
      tag: userTag(sub),
      name,
      foldedName,
      scopes,
      roles,
      disabled,
      ...next,
      passwordHash: password === undefined ? NO_PASSWORD : await hasher.hash(password),
    })
    if (outcome === 'name_taken') return refused('name_taken')
    if (outcome !== 'added') {
      return {
        kind: 'refused',
        reason: 'attribute_taken',
        path: outcome.attribute,
      }
    }
    emit({ type: 'user.changed', sub, change: 'added' })
    return { kind: 'added', account: { sub, name } }
  }
}

function refused(reason: AddFault): AddOutcome {
  return { kind: 'refused', reason }
}
