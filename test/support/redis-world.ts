// The directory in Redis with what lies behind it, and something that comes between two steps of one call.
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { createAdapter, type RedisAdapter } from '../../src/stores/redis/adapter.ts'
import { createLink } from '../../src/stores/redis/connection/link.ts'
import { createRedisDirectory } from '../../src/stores/redis/people/directory.ts'
import { createRedisKeys } from '../../src/stores/redis/redis-keys.ts'
import { createHandClock } from './clock.ts'
import { PATIENT } from './until.ts'

let worlds = 0

/** A directory with keys of its own in a Redis, and what lies behind it. */
export function createRedisWorld(t: Test, url: string) {
  worlds += 1
  const client = new Redis(url)
  const link = createLink({ ...PATIENT, client, verify: async () => {} })
  t.teardown(() => link.close())
  const keys = createRedisKeys(`world-${worlds}:`)
  const clock = createHandClock()
  const adapter = createAdapter({ link, keys, time: () => String(clock()) })
  return { adapter, client, keys, clock, directory: createRedisDirectory(adapter) }
}

/**
 * The adapter, where something is done just before the durable script of that number is sent; those that
 * write the index of accounts don't count.
 */
export function crossedAt(
  adapter: RedisAdapter,
  number: number,
  cross: () => unknown,
): RedisAdapter {
  let sent = 0
  return {
    ...adapter,
    durably(name) {
      const script = adapter.durably(name)
      return (keys, args) => {
        if (name !== 'people/index/put') sent += 1
        if (name !== 'people/index/put' && sent === number) cross()
        return script(keys, args)
      }
    },
  }
}
