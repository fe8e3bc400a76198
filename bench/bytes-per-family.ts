// What one session costs in Redis: all of its memory, its place in its user's index included, and the same
// after thousands of refreshes.
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { createRedisStore, type RedisStore } from '../src/stores/redis/store.ts'
import { sidOf, userTag } from '../src/base/ids.ts'
import type { FamilyRef } from '../src/stores/ports/families.ts'
import { someAccount } from '../test/support/stores.ts'
import { AUDIENCE, CLIENT } from './parties.ts'

const FAMILIES = 9_000
/** Sessions of each user. */
const DEVICES = 3
const DAY = 86_400_000
const PREFIX = 'bytes:'

/**
 * Opens thousands of families, three for each user, refreshes one of them again and again, and reports what
 * that took.
 */
export async function bytesPerFamily(url: string, refreshes: number): Promise<string> {
  const store = await createRedisStore({ url, prefix: PREFIX })
  const redis = new Redis(url)
  try {
    const tags = await addUsers(store, FAMILIES / DEVICES)
    await settle(redis, tags)
    const before = await usedMemory(redis)
    const refs: FamilyRef[] = []
    for (const userTag of tags) refs.push(...(await signIn(store, userTag)))
    const each = ((await usedMemory(redis)) - before) / FAMILIES

    const [ref = { userTag: '', sid: '' }] = refs
    const key = `${PREFIX}{${ref.userTag}}:f:${ref.sid}`
    const young = await redis.memory('USAGE', key)
    await refresh(store, ref, refreshes)
    const old = await redis.memory('USAGE', key)
    return (
      `bytes per family: ${each.toFixed(0)} all in (used_memory, ${FAMILIES} families, ${DEVICES} of each ` +
      `user); MEMORY USAGE of one: ${young}, after ${refreshes} refreshes: ${old}`
    )
  } finally {
    redis.disconnect()
    await store.close()
  }
}

/** Adds so many accounts; gives their tags. */
async function addUsers({ directory }: RedisStore, count: number): Promise<string[]> {
  const subs = Array.from({ length: count }, (_, user) => `somebody-${user}`)
  for (const sub of subs) {
    await directory.add(
      someAccount(sub, { name: sub, foldedName: sub, passwordHash: 'x'.repeat(97) }),
    )
  }
  return subs.map(userTag)
}

/**
 * Has Redis finish growing the tables of the accounts' hashes. It goes on with each look into one, and how
 * far it is after an account was added differs from one start to the next: 64 bytes of each account.
 */
async function settle(redis: Redis, tags: readonly string[]): Promise<void> {
  for (const tag of tags) {
    const looks = redis.pipeline()
    for (let look = 0; look < 32; look++) looks.hget(`${PREFIX}{${tag}}:u`, 'sub')
    await looks.exec()
  }
}

/** Opens a user's families. */
async function signIn({ families }: RedisStore, userTag: string): Promise<FamilyRef[]> {
  const refs = Array.from({ length: DEVICES }, () => ({
    userTag,
    sid: sidOf(randomBytes(16)),
  }))
  for (const ref of refs) {
    await families.open({
      ...ref,
      clientId: CLIENT,
      scope: 'profile orders:read',
      audience: [AUDIENCE],
      sessionsEpoch: 1,
      idleMs: 14 * DAY,
      absoluteMs: 90 * DAY,
      device: { name: undefined, userAgent: 'okhttp', network: '192.0.2.0/24' },
    })
  }
  return refs
}

async function refresh(
  { families }: RedisStore,
  ref: FamilyRef,
  refreshes: number,
): Promise<void> {
  for (let generation = 1; generation <= refreshes; generation++) {
    const { kind } = await families.rotate({
      ...ref,
      clientId: CLIENT,
      generation,
      idleMs: 14 * DAY,
      reuseGraceMs: 10_000,
      lateRetry: 'burn',
    })
    if (kind !== 'rotated') throw new Error(`a refresh was answered ${kind}`)
  }
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
}
