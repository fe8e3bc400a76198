// What may be used once, in Redis: a key that is there until nobody would take the id any more.
import type { Replays } from '../../ports/replays.ts'
import type { RedisAdapter } from '../adapter.ts'

export function createRedisReplays({ link, keys }: RedisAdapter): Replays {
  return {
    once: async (id, forMs) =>
      (await link.run(client => client.set(keys.replay(id), 1, 'PX', forMs, 'NX'))) ===
      'OK',
  }
}
