// What a newer release has put into a store, and this one doesn't know, is still there when this one has
// written.
import { createHash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createSave } from '../../src/keys/save.ts'
import { createSealer } from '../../src/keys/seal.ts'
import { createSightings } from '../../src/keys/verifiers/sightings.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import type { StoredKey } from '../../src/stores/ports/documents/keys.ts'
import { EMPTY_SIGHTINGS } from '../../src/stores/ports/documents/sightings.ts'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { startRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { PATIENT } from '../support/until.ts'

const DAY = 86_400_000
const KEPT = 'of a newer release'

/** A store, and what only a newer release knows of: put beside a session and an account, and looked for. */
interface Newer {
  readonly store: Store
  put(userTag: string, sid: string): Promise<void>
  /** What stands there now. */
  found(userTag: string, sid: string): Promise<Record<'session' | 'account', unknown>>
}

async function onRedis(t: Test): Promise<Newer> {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const store = await createRedisStore({ ...PATIENT, url: redis.url })
  t.teardown(() => store.close())
  const family = (userTag: string, sid: string) => `lk:{${userTag}}:f:${sid}`
  const { client } = store
  return {
    store,
    async put(userTag, sid) {
      await client.append(family(userTag, sid), KEPT)
      await client.hset(`lk:{${userTag}}:u`, 'mail', KEPT)
    },
    async found(userTag, sid) {
      const tail = await client.getrange(family(userTag, sid), -KEPT.length, -1)
      return { session: tail, account: await client.hget(`lk:{${userTag}}:u`, 'mail') }
    },
  }
}

async function onSqlite(t: Test): Promise<Newer> {
  const file = join(t.testdir(), 'latchkey.db')
  const store = createSqliteStore({ file, clock: Date.now })
  t.teardown(() => store.close())
  const db = new DatabaseSync(file)
  t.teardown(() => db.close())
  db.exec('ALTER TABLE families ADD COLUMN device TEXT')
  db.exec('ALTER TABLE users ADD COLUMN mail TEXT')
  return {
    store,
    async put(userTag, sid) {
      db.prepare('UPDATE families SET device = ? WHERE user_tag = ? AND sid = ?').run(
        KEPT,
        userTag,
        sid,
      )
      db.prepare('UPDATE users SET mail = ? WHERE tag = ?').run(KEPT, userTag)
    },
    async found(userTag, sid) {
      const row = db
        .prepare(
          'SELECT device, mail FROM families JOIN users ON tag = user_tag WHERE tag = ? AND sid = ?',
        )
        .get(userTag, sid)
      return { session: row?.['device'], account: row?.['mail'] }
    },
  }
}

for (const [name, open] of [
  ['Redis', onRedis],
  ['SQLite', onSqlite],
] as const) {
  t.test(
    `${name}: fields of a newer release outlive every change by this one`,
    async t => {
      const { store, put, found } = await open(t)
      const { tag, passwordHash } = someAccount('kept')
      await store.directory.add(someAccount('kept'))
      const ref = await signIn(store, tag)
      await put(tag, ref.sid)
      const holds = async (what: string, done: unknown) => {
        t.ok(done, what)
        t.same(await found(tag, ref.sid), { session: KEPT, account: KEPT }, what)
      }
      const rotate = async (generation: number, graceMs = 10_000) => {
        const { kind } = await store.families.rotate(
          presented(ref, generation, { reuseGraceMs: graceMs }),
        )
        return kind
      }
      t.equal(await rotate(1), 'rotated')
      await holds('an exchange', true)
      t.equal(await rotate(1, -1), 'late')
      await holds('a late retry', true)
      t.equal(await rotate(4), 'healed')
      await holds('an exchange after a failover', true)
      const { directory, subjects } = store
      await holds(
        'a better hash',
        await directory.upgradePassword(tag, passwordHash, '$argon2id$better'),
      )
      await holds(
        'other roles',
        await subjects.setAccess(tag, { scopes: null, roles: ['a'] }),
      )
      await holds('a new password', await directory.setPassword(tag, '$argon2id$new'))
      await holds('an account disabled', await subjects.setDisabled(tag, true))
      await holds('an account enabled', await subjects.setDisabled(tag, false))
      const change = {
        tag,
        attributes: { seats: 1 },
        emailVerified: true,
        uniqueValues: [],
      }
      const { kind } = await directory.setAttributes({ ...change, version: 4 })
      await holds('other attributes', kind === 'changed')
      await holds('all sessions ended', await subjects.endSessions(tag))
      await holds(
        'one session ended',
        await store.families.end({ ...ref, clientId: null }),
      )
    },
  )

  t.test(`${name}: documents keep what this release does not know`, async t => {
    const { store } = await open(t)
    const { keys, sightings } = store
    const ofNewer = { device: KEPT }
    await keys.save({
      ...(await keys.load()),
      keys: [{ ...someKey(), ...ofNewer }],
      ...ofNewer,
    })
    const ring = createSave({
      keys,
      now: () => store.now(),
      monotonic: () => 0,
      policy: () => Object(null),
      emit: () => {},
      sealer: createSealer([createHash('sha256').update('test').digest('base64url')]),
    })
    await ring.save(({ keys: known }) => ({ keys: [...known], gone: ['another'] }))
    const saved = await keys.load()
    t.match(saved, { ...ofNewer, gone: ['another'], keys: [ofNewer] })

    const fetch = {
      clientId: 'orders',
      userAgent: 'a/1',
      address: '10.0.0.1',
      conditional: false,
    }
    const seen = { ...fetch, fetches: 1, firstAt: 1, lastAt: 1, gaps: [], ...ofNewer }
    const signed = [{ kid: 'kid', expiresAt: 2 * DAY, count: 1, ...ofNewer }]
    await sightings.save({ ...EMPTY_SIGHTINGS, verifiers: [seen], signed, ...ofNewer })
    const noted = createSightings({ sightings, clock: () => DAY })
    noted.fetched(fetch)
    noted.signed('kid', (2 * DAY) / 1000)
    await noted.flush()
    t.match(await sightings.load(), {
      ...ofNewer,
      verifiers: [{ fetches: 2, ...ofNewer }],
      signed: [{ count: 2, ...ofNewer }],
    })
  })
}

t.test('Redis: counts of failed logins keep what stands behind them', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const store = await createRedisStore({ ...PATIENT, url: redis.url })
  t.teardown(() => store.close())
  const count = (by: 'pair' | 'network', id: string) => ({
    by,
    id,
    limit: { free: 5, forgetMs: DAY },
  })
  const attempt = {
    pair: count('pair', 'a'),
    others: [count('network', 'b')],
    repeat: 'c',
    maxDelayMs: DAY,
  }
  const key = 'lk:{login}:ne:b'
  await store.loginAttempts.begin(attempt)
  await store.client.append(key, KEPT)
  t.equal((await store.loginAttempts.begin(attempt)).kind, 'admitted')
  t.equal(await store.client.getrange(key, -KEPT.length, -1), KEPT)
  t.equal(await store.client.strlen(key), 4 * 8 + KEPT.length, 'and only once')
})

function someKey(): StoredKey {
  return {
    kid: 'kid',
    alg: 'ES256',
    line: 'main',
    publishAt: 0,
    signFrom: 0,
    signUntil: 0,
    removeAt: 0,
    publicJwk: {},
    sealed: null,
  }
}
