// Gives a role to many accounts, or takes it from them, a few at once.
import type { Accounts } from '../accounts.ts'
import { roleValues } from './role-values.ts'

/** So many accounts are changed at once. */
const AT_ONCE = 16

/** Makes the change; whoever has gone has no role. Resolves to undefined where no account was refused. */
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
  ): Promise<'member_of_directory' | 'changed_meanwhile' | undefined> => {
    const outcomes = await inTurns(subs, async sub => {
      const isUnlisted = has && !(await isListed(sub, role))
      return accounts.change(sub, ({ roles }) => {
        if (roles.includes(role) === has) return isUnlisted ? { rewrites: true } : {}
        return {
          roles: has ? [...roles, role] : roles.filter(each => each !== role),
        }
      })
    })
    const reasons = outcomes.flatMap(outcome =>
      outcome.kind === 'refused' ? [outcome.reason] : [],
    )
    if (reasons.includes('directory_owns')) return 'member_of_directory'
    return reasons.includes('changed_meanwhile') ? 'changed_meanwhile' : undefined
  }
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
