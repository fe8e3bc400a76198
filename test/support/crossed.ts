// Something that comes between two steps of one call of the Redis store.
import type { RedisAdapter } from '../../src/stores/redis/adapter.ts'

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
        if (name !== 'people/index-put') sent += 1
        if (name !== 'people/index-put' && sent === number) cross()
        return script(keys, args)
      }
    },
  }
}
