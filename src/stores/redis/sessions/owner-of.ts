// Whose session a sid is. Redis has no index of sids, which would cost every login a key in another slot: one
// walk over the keys of each primary finds the family, whose key says the user.
import type { Families } from '../../ports/families.ts'
import type { RedisAdapter } from '../adapter.ts'
import { primariesOf } from '../safety/inspect.ts'

/** How many keys one step of the walk looks at. */
const SCAN_COUNT = 1000

/** Makes the search. */
export function createOwnerOf({
  link,
  keys,
  doubt,
}: Pick<RedisAdapter, 'link' | 'keys' | 'doubt'>): Families['ownerOf'] {
  return async function ownerOf(sid) {
    for (const primary of primariesOf(link.client)) {
      let cursor = '0'
      do {
        const [next, [found]] = await link.run(() =>
          primary.scan(cursor, 'MATCH', keys.familiesOf(sid), 'COUNT', SCAN_COUNT),
        )
        if (found !== undefined) return keys.ownerIn(found, sid)
        cursor = next
      } while (cursor !== '0')
    }
    // What isn't there may have been lost.
    await doubt()
    return undefined
  }
}
