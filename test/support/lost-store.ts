// A Redis that loses its data, and the servers on it: for the suites about what happens then.
import type { Test } from 'tap'
import { createRedisStore, type RedisStore } from '../../src/stores/redis/store.ts'
import { startRedis, type TestRedis } from './redis.ts'
import { PATIENT, until } from './until.ts'

const HOUR = 3_600_000

/** What a call is rejected with while the store has lost its data. */
export const LOST = {
  name: 'StoreUnavailable',
  cause: { message: 'the store has lost its data' },
}

/** The store of one server, which watches for a loss. */
export async function serverOn(
  t: Test,
  { url }: TestRedis,
  lossPeriodMs = HOUR,
): Promise<RedisStore> {
  const store = await createRedisStore({ ...PATIENT, url, lossPeriodMs })
  t.teardown(() => store.close())
  return store
}

/** Starts a single Redis. */
export async function redisOf(
  t: Test,
  args: readonly string[] = [],
  port?: number,
): Promise<TestRedis> {
  const redis = await startRedis({ args, ...(port !== undefined && { port }) })
  t.teardown(() => redis.stop())
  return redis
}

/**
 * What a call is rejected with, or `answered`. A Redis that says nothing, which happens on a busy machine, is
 * asked again.
 */
export async function faultOf(call: () => Promise<unknown>): Promise<unknown> {
  let fault: unknown
  await until(async () => {
    fault = await call().then(
      () => 'answered',
      (error: unknown) => error,
    )
    return !/no answer within|connection|known to be down/.test(String(fault))
  })
  return fault
}
