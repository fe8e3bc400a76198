// A user in Redis whose tokens have status bits.
import type { Test } from 'tap'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import type { Clock } from '../../src/base/clock.ts'
import { systemRandom } from '../../src/base/random.ts'
import type { FamilyRef } from '../../src/stores/ports/families.ts'
import { newListName } from '../../src/stores/ports/status-lists.ts'
import { startRedis } from './redis.ts'
import { addSomeone, presented, signIn } from './stores.ts'
import { PATIENT } from './until.ts'

export const TTL = 600_000
export const SID = 'b'.repeat(22)
export const HOUR = Math.floor(Date.now() / 3_600_000)
export const LIST = newListName(HOUR, systemRandom)
export const NEXT_LIST = newListName(HOUR + 1, systemRandom)

/** Starts a store in Redis with a user. `old`: an earlier release has begun it. */
export async function setScene(
  t: Test,
  { old = false, clock }: { old?: boolean; clock?: Clock } = {},
) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const connect = async () => {
    const store = await createRedisStore({ ...PATIENT, url: redis.url, clock })
    t.teardown(() => store.close())
    return store
  }
  const store = await connect()
  if (old) {
    await store.client.flushall()
    await store.client.hset('lk:format', 'written', 1)
    await store.client.hset('lk:names', 'someone', 'tag')
  }
  const used = old ? await connect() : store
  const userTag = await addSomeone(used)
  const key = `lk:{${userTag}}:t`
  const families = new Map<string, number>()
  return {
    store: used,
    connect,
    userTag,
    key,
    type: () => used.client.type(key),
    open: (sid: string, idx: number, forMs = TTL) => {
      families.set(sid, 0)
      return signIn(used, userTag, { sid, status: { list: LIST, idx, forMs } })
    },
    async next(
      ref: FamilyRef,
      idx: number,
      { forMs = TTL, list = LIST, by = used } = {},
    ) {
      const generation = (families.get(ref.sid) ?? 0) + 1
      families.set(ref.sid, generation)
      const token = presented(ref, generation, { status: { list, idx, forMs } })
      return by.families.rotate(token)
    },
    async revoked(list = LIST) {
      const [found] = (await used.statusLists.read(new Map())).filter(
        each => each.list === list,
      )
      return [...(found?.revoked ?? [])].sort((a, b) => a - b)
    },
  }
}

/** From 0 on. */
export const upTo = (count: number) => Array.from({ length: count }, (_, idx) => idx)
