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

/** Whether one of the scopes that somebody has is enough. */
export function holdsScope(held: readonly string[], needed: ManagementScope): boolean {
  return HELD_BY[needed].some(scope => held.includes(scope))
}
