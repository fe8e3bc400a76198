// Gives a role to many accounts, or takes it from them, a few at once.
import { DIRECTORY_OWNS } from '../account-attributes.ts'
import type { Accounts } from '../accounts.ts'
import type { AccountOutcome } from '../change-account.ts'
import { roleValues } from './role-values.ts'

/** So many accounts are changed at once. */
const AT_ONCE = 16

/** An account that keeps what roles it has, and why. */
export interface MemberRefused {
  readonly reason: 'member_refused'
  readonly sub: string
  readonly refused: Extract<AccountOutcome, { kind: 'refused' }>
}

/** Why somebody's roles are as they were. */
export type RoleRefusal = { readonly reason: 'member_of_directory' } | MemberRefused

/**
 * Makes the change; whoever has gone has no role. Resolves to the first refusal, once all the others are
 * changed, or to undefined.
 */
export function createSetRoles(accounts: Pick<Accounts, 'byValue' | 'change'>) {
  // Whom an earlier release gave the role has no entry for it.
  async function isListed(sub: string, role: string): Promise<boolean> {
    const entries = roleValues(sub, [role]).map(accounts.byValue)
    return !(await Promise.all(entries)).includes(undefined)
  }

  return async (
    subs: readonly string[],
    role: string,
    has: boolean,
  ): Promise<RoleRefusal | undefined> => {
    const refusals = await inTurns(subs, async sub => {
      const isUnlisted = has && !(await isListed(sub, role))
      const outcome = await accounts.change(sub, ({ roles }) => {
        if (roles.includes(role) === has) return isUnlisted ? { rewrites: 'roles' } : {}
        return {
          roles: has ? [...roles, role] : roles.filter(each => each !== role),
        }
      })
      return refusalOf(sub, outcome)
    })
    return refusals.find(refusal => refusal !== undefined)
  }
}

function refusalOf(sub: string, outcome: AccountOutcome): RoleRefusal | undefined {
  if (outcome.kind === 'done' || outcome.reason === 'user_unknown') return undefined
  return outcome.reason === DIRECTORY_OWNS
    ? { reason: 'member_of_directory' }
    : { reason: 'member_refused', sub, refused: outcome }
}

/** The results of all, in their order. */
export async function inTurns<Item, Result>(
  items: readonly Item[],
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  for (let at = 0; at < items.length; at += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(act))))
  }
  return results
}
