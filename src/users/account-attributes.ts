// What becomes of an account's attributes when somebody changes them.
import type { Emit } from '../base/events/events.ts'
import type { Account, AttributesChange } from '../stores/ports/directory.ts'
import {
  checkAttributes,
  isFault,
  isSameEmail,
  type AttributeChanges,
  type AttributeFault,
  type CheckedAttributes,
} from './attributes/check.ts'
import type { CheckClaims } from './attributes/claims-budget.ts'
import type { Declarations } from './attributes/declarations.ts'
import type { Directory } from './directory/directory.ts'
import { roleValues } from './groups/role-values.ts'
import { withoutUnclaimed } from './known-values.ts'

/** What is said about a user. */
export interface AttributesRequest {
  /** What isn't named stays; null removes. */
  readonly attributes?: AttributeChanges
  /** Undefined: as it was, unless the address changes. */
  readonly emailVerified?: boolean | undefined
}

/** Another account has the value. */
export interface AttributeTaken {
  readonly reason: 'attribute_taken'
  readonly path: string
}

/** Why nothing is changed here that a directory elsewhere says (directory/external.ts). */
export const DIRECTORY_OWNS = 'directory_owns'
export type DirectoryOwns = typeof DIRECTORY_OWNS

/** Whether the account is a directory's, which says its name, its password, its roles and its attributes. */
export function isOwnedElsewhere(account: Account | undefined): account is Account {
  return account?.external !== undefined
}

/** What comes of changing attributes; only `done` has changed anything. */
export type AttributesOutcome =
  | { readonly kind: 'done'; readonly sub: string }
  | {
      readonly kind: 'refused'
      readonly reason: 'user_unknown' | 'changed_meanwhile' | DirectoryOwns
    }
  | ({ readonly kind: 'refused' } & (AttributeFault | AttributeTaken))

/** What an account would have. */
export type NextAttributes = CheckedAttributes & Pick<Account, 'emailVerified'>

/** Changes the attributes of the account of that name. Rejects with StoreUnavailable. */
export type SetAttributes = (
  name: string,
  request: AttributesRequest,
) => Promise<AttributesOutcome>

export interface SetAttributesOptions {
  readonly directory: Pick<Directory, 'find' | 'setAttributes' | 'uniqueValuesOf'>
  readonly emit: Emit
  /** As configured now. */
  readonly declarations: () => Declarations
  readonly checkClaims: CheckClaims
}

/** What attributes are held to. */
export interface AttributeRules {
  readonly declarations: Declarations
  readonly checkClaims: CheckClaims
}

/** Of writers at once one is first, and the others look again: so many times. */
export const MOST_TRIES = 100

/** What is known of somebody new. */
export const NOTHING_KNOWN = { attributes: {}, emailVerified: false }

/** What a change begins with, and the roles that the account has after it. */
export type Before = Pick<Account, 'sub' | 'roles' | 'attributes' | 'emailVerified'>

/** Makes the change. */
export function createSetAttributes(options: SetAttributesOptions): SetAttributes {
  const { directory, declarations, checkClaims, emit } = options
  return async function setAttributes(name, request) {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const account = await directory.find(name)
      if (account === undefined) return { kind: 'refused', reason: 'user_unknown' }
      if (isOwnedElsewhere(account)) return { kind: 'refused', reason: DIRECTORY_OWNS }
      const rules = { declarations: declarations(), checkClaims }
      const next = nextAttributes(account, request, rules)
      if (isFault(next)) return { kind: 'refused', ...next }
      const outcome = await directory.setAttributes(
        await withoutUnclaimed(account, changeOf(account, next), directory),
      )
      if (outcome.kind === 'superseded') continue
      if (outcome.kind === 'user_unknown') {
        return { kind: 'refused', reason: outcome.kind }
      }
      if (outcome.kind === 'value_taken') {
        return {
          kind: 'refused',
          reason: 'attribute_taken',
          path: outcome.attribute,
        }
      }
      const { sub } = account
      const attributes = changedNames(account, next, request)
      const event = {
        type: 'user.changed',
        sub,
        change: 'attributes',
        attributes,
      } as const
      emit(event, undefined, { before: account })
      return { kind: 'done', sub }
    }
    return { kind: 'refused', reason: 'changed_meanwhile' }
  }
}

/** What an account would have after a change; a new account has nothing before. */
export function nextAttributes(
  before: Before,
  { attributes: changes = {}, emailVerified }: AttributesRequest,
  { declarations, checkClaims }: AttributeRules,
): NextAttributes | AttributeFault {
  const checked = checkAttributes(before.attributes, changes, declarations)
  if (isFault(checked)) return checked
  const [was, is] = [before.attributes['email'], checked.attributes['email']]
  if (emailVerified === true && is === undefined) {
    return {
      reason: 'attribute_invalid',
      path: 'email_verified',
      expected: 'an attribute email, which it is about',
    }
  }
  // Another address is another mailbox: nobody has proved to read it.
  const stays = before.emailVerified && is !== undefined && isSameEmail(was, is)
  const next = {
    ...checked,
    uniqueValues: [...checked.uniqueValues, ...roleValues(before.sub, before.roles)],
    emailVerified: emailVerified ?? stays,
  }
  return checkClaims(before, next) ?? next
}

function changeOf({ tag, version }: Account, next: NextAttributes): AttributesChange {
  return { ...next, tag, version }
}

/** Names only: values are nobody's business in a log. */
function changedNames(
  { emailVerified }: Account,
  next: NextAttributes,
  { attributes = {} }: AttributesRequest,
): readonly string[] {
  return [
    ...Object.keys(attributes),
    ...(emailVerified === next.emailVerified ? [] : ['email_verified']),
  ]
}
