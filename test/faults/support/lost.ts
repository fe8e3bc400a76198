// What a failover lost: the rotations that clients were told of and the records don't show.
import { createRedisKeys } from '../../../src/stores/redis/redis-keys.ts'
import type { DelayedNode } from './delayed-node.ts'
import { type Session, tokenOf } from './load.ts'

const KEYS = createRedisKeys('lk:')

/** The key of a session's record. */
export function familyKey(session: Session): string {
  return KEYS.family(tokenOf(session))
}

/** How many acknowledged rotations of the sessions a node doesn't have. */
export async function lostOn(
  { admin }: DelayedNode,
  sessions: readonly Session[],
): Promise<number> {
  const missing = await Promise.all(
    sessions.map(async session => {
      const record = await admin.getBuffer(familyKey(session))
      // It begins with prev and cur (scripts/shared.lua).
      return Math.max(0, tokenOf(session).generation - (record?.readUInt32BE(4) ?? 0))
    }),
  )
  return missing.reduce((sum, count) => sum + count, 0)
}
