// The mark in Redis that says which release has written to it: an older one works on what it can read, and
// refuses the rest before it writes anything (docs/decisions/stored-data.md).
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { blockOf } from '../docs/support/blocks.ts'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'
import { REDIS_FORMAT, type RedisFormat } from '../../src/stores/redis/safety/format.ts'
import { createRedisStore, type RedisStore } from '../../src/stores/redis/store.ts'
import { migrate } from '../../src/stores/sqlite/database/migrations.ts'
import { SQLITE_STEPS } from '../../src/stores/sqlite/database/steps.ts'
import { dumpRedis } from '../support/golden.ts'
import { runMain } from '../support/server.ts'
import { startRedis } from '../support/redis.ts'
import { someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

const HOUR = 3_600_000
const KNOWN = REDIS_FORMAT.written
const NEXT = KNOWN + 1
const NEWER: RedisFormat = { written: NEXT, readableFrom: 0 }
const BREAKING: RedisFormat = { written: NEXT, readableFrom: NEXT }

/** A server's store; `format`: of another release. */
async function serverOn(t: Test, url: string, format?: RedisFormat): Promise<RedisStore> {
  const store = await createRedisStore({ ...PATIENT, url, lossPeriodMs: HOUR, format })
  t.teardown(() => store.close())
  return store
}

async function redisUrl(t: Test, cluster = false): Promise<string> {
  const redis = await startRedis({ cluster })
  t.teardown(() => redis.stop())
  return redis.url
}

const markOf = ({ client }: RedisStore) => client.hgetall('lk:format')

for (const cluster of [false, true]) {
  const name = cluster ? 'Redis Cluster' : 'Redis'
  t.test(`${name}: a server marks its format; a command only looks`, async t => {
    const url = await redisUrl(t, cluster)
    const command = await createRedisStore({ ...PATIENT, url })
    t.teardown(() => command.close())
    t.same(await markOf(command), {})
    const server = await serverOn(t, url)
    t.same(
      await markOf(server),
      { written: String(KNOWN), readableFrom: '4' },
      'new: sharded',
    )
    t.notMatch(await server.inspect(), [{ check: 'format' }])
  })
}

t.test('what a newer release has added to is worked on, and stays marked', async t => {
  const url = await redisUrl(t)
  await serverOn(t, url, NEWER)
  const store = await serverOn(t, url)
  t.equal(await store.directory.add(someAccount('kept')), 'added')
  t.same(await markOf(store), { written: String(NEXT), readableFrom: '4' })
  const risks = await store.inspect()
  const advice = risks.find(({ check }) => check === 'format')?.advice
  t.match(
    advice,
    new RegExp(
      `newer Latchkey has written to the store \\(format ${NEXT}, this one knows ${KNOWN}\\)`,
    ),
  )
})

t.test(
  'what a newer release has broken with is refused, and nothing written',
  async t => {
    const url = await redisUrl(t)
    const newer = await serverOn(t, url, BREAKING)
    await newer.directory.add(someAccount('kept'))
    await newer.close()
    const before = await dumpRedis(url)
    const shown = blockOf('docs/decisions/stored-data.md', 'Redis at redis:6379')
    const said = shown
      .trim()
      .replaceAll('\n', ' ')
      .replace('redis:6379', new URL(url).host)
      .replace('format 3', `format ${NEXT}`)
      .replace('up to 2', `up to ${KNOWN}`)
    const refused = {
      name: 'StoreUnavailable',
      message: said,
    }
    await t.rejects(
      createRedisStore({ ...PATIENT, url, lossPeriodMs: HOUR }),
      refused,
      'a server',
    )
    await t.rejects(createRedisStore({ ...PATIENT, url }), refused, 'a command')
    t.same(await dumpRedis(url), before)

    const config = {
      issuer: 'https://id.example.com',
      store: { url },
      secrets: ['s'.repeat(43)],
      clients: [{ id: 'mobile' }],
    }
    const dir = t.testdir({ 'latchkey.yaml': JSON.stringify(config) })
    const run = runMain({ LATCHKEY_CONFIG: join(dir, 'latchkey.yaml') })
    t.not(await run.ended, 0)
    t.match(run.lines.join('\n'), refused.message, 'and the process says so')
  },
)

t.test('a store that has lost its data is marked again', async t => {
  const store = await serverOn(t, await redisUrl(t), BREAKING)
  await store.client.flushall()
  await until(async () => (await markOf(store))['readableFrom'] === String(NEXT))
  t.same(await markOf(store), { written: String(NEXT), readableFrom: String(NEXT) })
})

t.test('a back-up by a release that this one cannot read is refused', async t => {
  const file = join(t.testdir(), 'store.backup')
  const newer = await serverOn(t, await redisUrl(t), BREAKING)
  await newer.backups.save(file)
  const store = await serverOn(t, await redisUrl(t))
  await store.directory.add(someAccount('kept'))
  await t.rejects(store.backups.restore(file, { replace: true }), {
    name: 'BackupRefused',
    reason: 'file_newer',
    message:
      `${file} can't be restored: a newer Latchkey has made it (format ${NEXT}, ` +
      `this one knows ${KNOWN})`,
  })
  t.ok(await store.subjects.byTag(someAccount('kept').tag), 'nothing was given up')
})

/** A file of SQLite as the next release leaves it, with an account. */
async function addedTo(file: string): Promise<void> {
  const db = new DatabaseSync(file)
  migrate(db, { steps: [...SQLITE_STEPS, 'CREATE TABLE later_things (id TEXT) STRICT'] })
  db.close()
}

t.test(
  'SQLite: a restore leaves out nothing that a newer release has put there',
  async t => {
    const dir = t.testdir()
    const open = async (name: string) => {
      const url = `sqlite:${join(dir, name)}`
      const opened = await openStore({ ...PATIENT, url, clock: systemClock })
      t.teardown(() => opened.store.close())
      return opened
    }
    const known = SQLITE_STEPS.length
    const [own, ofNewer] = [join(dir, 'own.backup'), join(dir, 'newer.backup')]
    const here = await open('here.db')
    await here.store.directory.add(someAccount('here'))
    await here.backups.save(own)
    await addedTo(join(dir, 'newer.db'))
    const newer = await open('newer.db')
    await newer.store.directory.add(someAccount('there'))
    await newer.backups.save(ofNewer)

    await t.rejects(here.backups.restore(ofNewer, { replace: true }), {
      reason: 'file_newer',
      message: `made it (format ${known + 1}, this one knows ${known})`,
    })
    await t.rejects(newer.backups.restore(own, { replace: true }), {
      reason: 'store_newer',
      message: `added to the store (format ${known + 1}, this one knows ${known})`,
    })
    t.ok(await here.store.subjects.byTag(someAccount('here').tag))
    t.ok(
      await newer.store.subjects.byTag(someAccount('there').tag),
      'nothing was given up',
    )
  },
)
