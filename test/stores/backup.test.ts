// Back-ups in trouble: a store that is away for a while or for good, files that nobody has checked, keys that
// come and go meanwhile. Whatever happens, no half of a back-up passes for the whole.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { gunzipSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { createRedisStore, type RedisStore } from '../../src/stores/redis/store.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { commandLine } from '../support/command-line.ts'
import { startRedis } from '../support/redis.ts'
import { someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

const HOUR = 3_600_000
/** More than are read or written at once. */
const MANY = 450
/** Long enough to be there when a busy machine has made the back-up. */
const BRIEF_MS = 5_000

async function redisOf(t: Test) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  return redis
}

/** As a server has it, which watches the store's identity, or as a command has it. */
async function open(
  t: Test,
  { url }: { readonly url: string },
  role: 'server' | 'command' = 'server',
): Promise<RedisStore> {
  const store = await createRedisStore({
    ...PATIENT,
    url,
    ...(role === 'server' && { lossPeriodMs: HOUR }),
  })
  t.teardown(() => store.close())
  return store
}

/** By one command past the store: a busy machine would let so many steps run into their deadlines. */
const addMany = ({ client }: RedisStore) =>
  client.mset(
    Object.fromEntries(
      Array.from({ length: MANY }, (_, index) => [`lk:{user-${index}}:f:sid`, 'bytes']),
    ),
  )

t.test('a Redis that answers nothing for a second is asked again', async t => {
  const store = await open(t, await redisOf(t))
  await addMany(store)
  const file = join(t.testdir(), 'store.backup')
  const pauses: Array<Promise<unknown>> = []
  const content = await store.backups.save(file, () => {
    if (pauses.length === 0) pauses.push(store.client.call('CLIENT', 'PAUSE', '1000'))
  })
  await Promise.all(pauses)
  t.equal(pauses.length, 1)
  t.equal(content.sessions, MANY, 'and none is missing')
  const other = await open(t, await redisOf(t))
  t.equal((await other.backups.restore(file, { replace: false })).sessions, MANY)
})

t.test('a Redis that goes away meanwhile leaves no half of a file', async t => {
  const redis = await redisOf(t)
  const store = await open(t, redis)
  await addMany(store)
  const file = join(t.testdir(), 'store.backup')
  let wasThere = false
  await t.rejects(
    store.backups.save(file, () => {
      wasThere ||= existsSync(file)
      redis.stop()
    }),
    { name: 'StoreUnavailable', reason: new RegExp(`127\\.0\\.0\\.1:${redis.port}`) },
  )
  t.ok(wasThere, 'it was begun')
  t.notOk(existsSync(file))
})

t.test('a command that Redis forbids is named on the command line', async t => {
  const redis = await redisOf(t)
  const { client } = await open(t, redis)
  const rights = ['~*', '&*', '+@all', '-scan']
  await client.call('ACL', 'SETUSER', 'keeper', 'on', '>sesame', ...rights)
  const { latchkey, file, directory } = commandLine(t)
  const env = {
    LATCHKEY_CONFIG: file,
    STORE: `redis://keeper:sesame@127.0.0.1:${redis.port}/0`,
  }
  const to = join(directory, 'store.backup')
  t.match(await latchkey(`store backup ${to}`, '', { env }), {
    code: 1,
    err: /^latchkey: the store is unavailable: NOPERM at .*the ACL user may not run scan/,
  })
  t.notOk(existsSync(to))
})

t.test(
  'what ends or goes while a back-up is made or kept does not come back',
  async t => {
    const store = await open(t, await redisOf(t))
    const { client } = store
    await store.directory.add(someAccount('erin'))
    await store.replays.once('long', HOUR)
    await store.replays.once('brief', BRIEF_MS)
    const brief = (await client.keys('lk:*brief*')).join()
    await client.set('lk:going', 'text')
    const type = client.type.bind(client)
    const gone: string[] = []
    client.type = async (name: string) => {
      // It was found a moment ago.
      if (name === 'lk:going') gone.push(`${await client.del(name)} gone`)
      return type(name)
    }
    const file = join(t.testdir(), 'store.backup')
    await store.backups.save(file)
    t.same(gone, ['1 gone'])
    t.equal(gunzipSync(readFileSync(file)).includes(brief.slice('lk:'.length)), true)
    await until(async () => (await client.exists(brief)) === 0)
    await store.backups.restore(file, { replace: true })
    t.same(await client.exists('lk:going', brief), 0)
    t.equal(await store.replays.once('long', HOUR), false)
  },
)

t.test(
  'a store that no server has seen yet takes the identity of the back-up',
  async t => {
    const [first, second] = [await redisOf(t), await redisOf(t)]
    const server = await open(t, first)
    await server.directory.add(someAccount('erin'))
    const mark = await server.client.get('lk:epoch:0')
    t.type(mark, 'string')
    const directory = t.testdir()
    const file = join(directory, 'first.backup')
    await server.backups.save(file)
    const command = await open(t, second, 'command')
    await command.backups.restore(file, { replace: false })
    t.equal(await command.client.get('lk:epoch:0'), mark)
    const started = await open(t, second)
    t.match(await started.directory.byName('name of erin'), { sub: 'erin' })
    t.equal(started.condition().isLost, false)

    // The other way round: the back-up of a store without one.
    const third = await open(t, await redisOf(t), 'command')
    await third.directory.add(someAccount('dave'))
    const nameless = join(directory, 'third.backup')
    await third.backups.save(nameless)
    const fourth = await open(t, await redisOf(t), 'command')
    await fourth.backups.restore(nameless, { replace: false })
    t.equal(await fourth.client.get('lk:epoch:0'), null)
    t.match(await fourth.directory.byName('name of dave'), { sub: 'dave' })
  },
)

/** A file whose sum is right, whatever is in it. */
function forge(file: string, record: object): void {
  const lines = [{ latchkey: 'back-up of Redis', format: 1, takenAt: 1 }, record]
  const text = lines.map(line => `${JSON.stringify(line)}\n`).join('')
  const sha256 = createHash('sha256').update(text).digest('base64url')
  const end = JSON.stringify({ end: true, count: 1, sha256 })
  writeFileSync(file, gzipSync(`${text}${end}\n`))
}

t.test('a record that Redis refuses: servers go on refusing, too', async t => {
  const redis = await redisOf(t)
  const server = await open(t, redis)
  await server.directory.add(someAccount('erin'))
  const file = join(t.testdir(), 'forged.backup')
  forge(file, { key: 'a', sorted: ['member', 'no number'] })
  const command = await open(t, redis, 'command')
  await t.rejects(command.backups.restore(file, { replace: true }), {
    name: 'StoreUnavailable',
    reason: /^ERR at .*not a valid float/,
  })
  await t.rejects(server.directory.byName('name of erin'), { name: 'StoreUnavailable' })
})

t.test('SQLite: a file of another release, or a damaged one, is refused', async t => {
  const directory = t.testdir()
  const store = createSqliteStore({ file: join(directory, 'a.db'), clock: Date.now })
  t.teardown(() => store.close())
  await store.directory.addAll(
    Array.from({ length: 200 }, (_, index) => someAccount(`user-${index}`)),
  )
  const file = join(directory, 'whole')
  await store.backups.save(file)

  const newer = join(directory, 'newer')
  writeFileSync(newer, readFileSync(file))
  const other = new DatabaseSync(newer)
  other.exec('PRAGMA user_version = 999')
  other.close()
  await t.rejects(store.backups.restore(newer, { replace: true }), {
    name: 'BackupRefused',
    message: new RegExp(`^${newer} can't be restored: .*newer`),
  })

  const damaged = join(directory, 'damaged')
  const bytes = readFileSync(file)
  writeFileSync(damaged, bytes.fill(0xff, bytes.length / 2))
  await t.rejects(store.backups.restore(damaged, { replace: true }), {
    name: 'BackupRefused',
    message: new RegExp(`^${damaged} can't be restored: `),
  })
  t.ok(await store.directory.byName('name of user-0'))
})

t.test("SQLite: a copy made by SQLite's own means is as old as the file", async t => {
  const directory = t.testdir()
  const clock = () => 1_790_000_000_000
  const store = createSqliteStore({ file: join(directory, 'a.db'), clock })
  t.teardown(() => store.close())
  await store.directory.add(someAccount('erin'))
  const copy = join(directory, 'copy.db')
  const beside = new DatabaseSync(join(directory, 'a.db'))
  beside.exec(`VACUUM INTO '${copy}'`)
  beside.close()
  utimesSync(copy, 1_700_000_000, 1_700_000_000)
  t.match(await store.backups.restore(copy, { replace: true }), {
    takenAt: 1_700_000_000_000,
    accounts: 1,
  })
  t.match(await store.directory.byName('name of erin'), { sub: 'erin' })
})

t.test('SQLite in memory has back-ups, too', async t => {
  const [first, second] = ['a', 'b'].map(() => {
    const store = createSqliteStore({ file: ':memory:', clock: Date.now })
    t.teardown(() => store.close())
    return store
  })
  const file = join(t.testdir(), 'store.backup')
  await first?.directory.add(someAccount('erin'))
  t.match(await first?.backups.save(file), { accounts: 1 })
  t.match(await second?.backups.restore(file, { replace: false }), { accounts: 1 })
  t.match(await second?.directory.byName('name of erin'), { sub: 'erin' })
})

t.test('SQLite: a back-up that fails leaves no file', async t => {
  const directory = t.testdir()
  const store = createSqliteStore({ file: join(directory, 'a.db'), clock: Date.now })
  await store.directory.add(someAccount('erin'))
  const file = join(directory, 'store.backup')
  const sizes: number[] = []
  await store.close()
  await t.rejects(
    store.backups.save(file, () => sizes.push(statSync(file).size)),
    { name: 'StoreUnavailable' },
  )
  t.same(sizes, [0], 'it was begun')
  t.notOk(existsSync(file))
})
