// What may be used once, in Redis: a key that is there until nobody would take the id any more.
import type { Replays } from '../ports.ts'
import type { RedisAdapter } from './adapter.ts'
import { reaching } from './scripts.ts'

export function createRedisReplays ({ client, keys }: RedisAdapter): Replays {
  return {
    once: async (id, forMs) => await reaching(() => client.set(keys.replay(id), 1, 'PX', forMs, 'NX')) === 'OK',
  }
}
