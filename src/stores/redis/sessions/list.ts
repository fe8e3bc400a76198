// A user's living families in Redis, as an operator sees them.
import type { Families, FamilyRef, Session } from '../../ports/families.ts'
import type { RedisAdapter } from '../adapter.ts'
import { familyOf, listOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'

/** How many keys one step of a walk looks at. */
const SCAN_COUNT = 1000

/**
 * Makes `families.list`. There is no index of a user's families, which would make each session larger: an
 * operator's question may look at all keys of a node.
 */
export function createList({ link, keys, time }: RedisAdapter): Families['list'] {
  const listScript = loadScript(link, 'sessions/list')

  return async function list(userTag) {
    // A walk may meet a key twice.
    const sessions = new Map<string, Session>()
    let cursor = '0'
    do {
      const [next, living] = await listScript(
        [keys.user(userTag)],
        [time(), cursor, keys.families(userTag), SCAN_COUNT],
      )
      for (const [key, ...found] of listOf(living).map(listOf)) {
        sessions.set(String(key), sessionOf(keys.refOf(userTag, String(key)), found))
      }
      cursor = String(next)
    } while (cursor !== '0')
    return [...sessions.values()].sort((a, b) => b.startedAt - a.startedAt)
  }
}

function sessionOf(
  ref: FamilyRef,
  [family, generation, lateCount]: readonly unknown[],
): Session {
  return {
    ...familyOf(ref, family),
    generation: Number(generation),
    lateCount: Number(lateCount),
  }
}
