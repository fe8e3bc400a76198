// The record of refused logins in Redis: all of it in one slot, and bounded. One script adds to it and drops
// what is too much.
import {
  REFUSED_GROUPS,
  type LoginRefusal,
  type LoginRefusals,
} from '../../ports/logins/refusals.ts'
import type { RedisAdapter } from '../adapter.ts'
import { loadScript } from '../scripts.ts'

export function createRedisLoginRefusals({
  link,
  keys,
  time,
}: RedisAdapter): LoginRefusals {
  const script = loadScript(link, 'people/refusals')
  const allKeys = REFUSED_GROUPS.flatMap(group => [
    keys.refusals(group, 'names'),
    keys.refusals(group, 'order'),
  ])
  return {
    async add(refused, { names, refusals, keepMs }) {
      await script(allKeys, [
        time(),
        keepMs,
        names,
        refusals,
        ...refused.flatMap(one => [
          REFUSED_GROUPS.indexOf(one.group) + 1,
          one.name,
          JSON.stringify(one.refusals),
        ]),
      ])
    },

    async of(names) {
      const kept = await link.run(client =>
        Promise.all(
          REFUSED_GROUPS.map(group =>
            client.hmget(keys.refusals(group, 'names'), ...names),
          ),
        ),
      )
      return kept.flat().flatMap((json): LoginRefusal[] => JSON.parse(json ?? '[]'))
    },
  }
}
