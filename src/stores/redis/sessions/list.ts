// A user's living families in Redis, as an operator sees them: by the index of them in the user's account, or
// by a walk where there is none.
import type { Families, FamilyRef, Session } from '../../ports/families.ts'
import type { RedisAdapter } from '../adapter.ts'
import { familyOf, listOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'

/** How many keys one step of a walk looks at. */
const SCAN_COUNT = 1000

/** So many sessions of a user an index takes: `MAX_INDEXED` of shared.lua. */
const MAX_INDEXED = 256

/**
 * Makes `families.list`: one step by the index. A user of an earlier release has none yet, one with more
 * sessions than an index takes never has: a walk finds theirs, and leaves an index for the next time.
 */
export function createList(adapter: RedisAdapter): Families['list'] {
  const { link, keys, time } = adapter
  const listScript = loadScript(link, 'sessions/list')
  const walk = createWalk(adapter)

  async function fromIndex(userTag: string): Promise<Session[] | undefined> {
    const anyFamily = keys.family({ userTag, sid: '' })
    const [isIndexed, living] = await listScript(
      [keys.user(userTag), anyFamily],
      [time()],
    )
    if (isIndexed !== 1) return undefined
    return listOf(living)
      .map(listOf)
      .map(([sid, ...found]) => sessionOf({ userTag, sid: String(sid) }, found))
  }

  return async function list(userTag) {
    const sessions = (await fromIndex(userTag)) ?? (await walk(userTag))
    return sessions.sort((a, b) => b.startedAt - a.startedAt)
  }
}

/** Makes the walk over all keys of the node that has the user. */
function createWalk({
  link,
  keys,
  time,
}: RedisAdapter): (userTag: string) => Promise<Session[]> {
  const walkScript = loadScript(link, 'sessions/walk')
  const indexScript = loadScript(link, 'sessions/index')

  async function find(userTag: string): Promise<Map<string, Session>> {
    // A walk may meet a key twice.
    const sessions = new Map<string, Session>()
    let cursor = '0'
    do {
      const [next, living] = await walkScript(
        [keys.user(userTag)],
        [time(), cursor, keys.families(userTag), SCAN_COUNT],
      )
      for (const [key, ...found] of listOf(living).map(listOf)) {
        const ref = keys.refOf(userTag, String(key))
        sessions.set(ref.sid, sessionOf(ref, found))
      }
      cursor = String(next)
    } while (cursor !== '0')
    return sessions
  }

  return async function walk(userTag) {
    const sessions = await find(userTag)
    if (sessions.size <= MAX_INDEXED) {
      await indexScript([keys.user(userTag)], [time(), ...sessions.keys()])
    }
    return [...sessions.values()]
  }
}

/** `family_reply` and `session_reply` of shared.lua. */
function sessionOf(ref: FamilyRef, [family, session]: readonly unknown[]): Session {
  const [generation, lateCount, usedAt, ...device] = listOf(JSON.parse(String(session)))
  const [name, userAgent, network] = device.map(part => String(part) || undefined)
  return {
    ...familyOf(ref, family),
    device: { name, userAgent, network },
    lastUsedAt: Number(usedAt),
    generation: Number(generation),
    lateCount: Number(lateCount),
  }
}
