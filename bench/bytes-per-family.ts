// What one session costs in Redis: all of its memory, and the same after thousands of refreshes.
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { createRedisStore } from '../src/stores/redis/store.ts'
import { sidOf, userTag } from '../src/base/ids.ts'
import { AUDIENCE, CLIENT } from './parties.ts'

const FAMILIES = 10_000
const DAY = 86_400_000

/**
 * Opens thousands of families of one user, refreshes one of them again and again, and tells what that took.
 */
export async function bytesPerFamily(url: string, refreshes: number): Promise<string> {
  const store = await createRedisStore({ url, prefix: 'bytes:' })
  const redis = new Redis(url)
  try {
    const sub = 'somebody'
    await store.directory.add({
      sub,
      tag: userTag(sub),
      name: sub,
      foldedName: sub,
      passwordHash: 'x',
      scopes: null,
      roles: [],
      disabled: false,
    })
    const subject = await store.subjects.byTag(userTag(sub))
    const before = await usedMemory(redis)
    const sids = Array.from({ length: FAMILIES }, () => sidOf(randomBytes(16)))
    for (const sid of sids) {
      await store.families.open({
        userTag: userTag(sub),
        sid,
        clientId: CLIENT,
        scope: 'profile orders:read',
        audience: [AUDIENCE],
        sessionsEpoch: subject?.sessionsEpoch ?? NaN,
        idleMs: 14 * DAY,
        absoluteMs: 90 * DAY,
      })
    }
    const each = ((await usedMemory(redis)) - before) / FAMILIES

    const [sid = ''] = sids
    const key = `bytes:{${userTag(sub)}}:f:${sid}`
    const young = await redis.memory('USAGE', key)
    for (let generation = 1; generation <= refreshes; generation++) {
      const { kind } = await store.families.rotate({
        userTag: userTag(sub),
        sid,
        clientId: CLIENT,
        generation,
        idleMs: 14 * DAY,
        reuseGraceMs: 10_000,
        lateRetry: 'burn',
      })
      if (kind !== 'rotated') throw new Error(`a refresh was answered ${kind}`)
    }
    const old = await redis.memory('USAGE', key)
    return (
      `bytes per family: ${each.toFixed(0)} all in (used_memory, ${FAMILIES} families); MEMORY USAGE ` +
      `of one: ${young}, after ${refreshes} refreshes: ${old}`
    )
  } finally {
    redis.disconnect()
    await store.close()
  }
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
}
