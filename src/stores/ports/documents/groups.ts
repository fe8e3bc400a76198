// Groups of users, which are roles that somebody has named (../store.ts has the rest). All of them are one
// document; who belongs to one is said by the accounts.
import type { Shared, Versioned } from './shared.ts'

/** A group. */
export interface Group {
  /** Stays when it is renamed. */
  readonly id: string
  /** What its members have among their roles; never changes. */
  readonly role: string
  readonly displayName: string
  /** What other systems call it, by the name under which that is kept. */
  readonly externalIds: Readonly<Record<string, string>>
  readonly createdAt: number
  readonly updatedAt: number
  /** Counts its changes, also those of its members. */
  readonly revision: number
}

/** All groups, in the order of creation. */
export interface GroupList extends Versioned {
  readonly groups: readonly Group[]
}

export const NO_GROUPS: GroupList = { version: 0, groups: [] }

/** What is kept of groups. */
export type Groups = Shared<GroupList>
