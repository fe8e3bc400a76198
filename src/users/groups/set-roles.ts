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

/** What becomes of the roles of some accounts. */
export interface RoleChange {
  readonly role: string
  /** Whether they have it from now on. */
  readonly has: boolean
  /** By their `sub`, who had it already: they get the entry for it where they lack one. */
  readonly holders?: ReadonlySet<string>
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
    { role, has, holders }: RoleChange,
  ): Promise<RoleRefusal | undefined> => {
    const refusals = await inTurns(subs, async sub => {
      // Whoever gets it only now gets its entry with it.
      const isUnlisted = holders?.has(sub) === true && !(await isListed(sub, role))
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
