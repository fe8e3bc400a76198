// What a caller of the management listener may do, as scopes of its token.

/** What a route needs. */
export type ManagementScope = 'scim' | 'scim.read' | 'admin' | 'admin.read'

/** The scopes that hold each one: whoever may write may read. */
const HELD_BY: Readonly<Record<ManagementScope, readonly string[]>> = {
  scim: ['scim'],
  'scim.read': ['scim', 'scim.read'],
  admin: ['admin'],
  'admin.read': ['admin', 'admin.read'],
}

/**
 * Whether an account with these roles may use the listener at all, whatever its token is for.
 *
 * @param scopesOf role → the scopes that its users may use
 */
export function isOperator(
  roles: readonly string[],
  scopesOf: Readonly<Record<string, readonly string[]>>,
): boolean {
  return Object.entries(scopesOf).some(
    ([role, scopes]) => scopes.length > 0 && roles.includes(role),
  )
}

/** Whether one of the scopes that somebody has is enough. */
export function holdsScope(held: readonly string[], needed: ManagementScope): boolean {
  return HELD_BY[needed].some(scope => held.includes(scope))
}
