// npm run bench:accounts [COUNT] [redis|sqlite]: what many accounts cost, each with an e-mail address. A page
// of the list, a search by a prefix and a look by the address: round trips, the store's own time, how long
// the caller waits. Then what accounts and sessions take, and the largest key.
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import { sidOf, userTag } from '../src/base/ids.ts'
import type { BuiltInDirectory, NewAccount } from '../src/stores/ports/directory.ts'
import type { Store } from '../src/stores/ports/store.ts'
import { createRedisStore } from '../src/stores/redis/store.ts'
import { createSqliteStore } from '../src/stores/sqlite/store.ts'
import { startRedis } from '../test/support/redis.ts'
import { someAccount } from '../test/support/stores.ts'
import { AUDIENCE, CLIENT } from './parties.ts'
import { printTable } from './report.ts'
import { median, quantile } from './verdict.ts'

const COUNT = Number(process.argv[2] ?? 1_000_000)
const ONLY = process.argv[3]
/** Accounts that are added at once; a busy machine answers no thousand in time. */
const BATCH = 100
const PAGE = 50
const TIMES = 200
const SESSIONS = 9_000
const DAY = 86_400_000
/** An operator's goals: round trips, and milliseconds of the store's own time. */
const [TRIPS, STORE_MS] = [2, 5]

/** What one call costs. */
interface Cost {
  readonly trips?: number
  /** The store's own time, in milliseconds; with SQLite, the call's. */
  readonly storeMs: number
  readonly waitMs: number
}

/** Measures one call. */
type Meter = (call: () => Promise<unknown>) => Promise<Cost>

const subOf = (index: number) => `somebody-${String(index).padStart(8, '0')}`
const mailOf = (index: number) => `${subOf(index)}@example.com`
const someIndex = () => Math.floor(Math.random() * COUNT)

function accountOf(index: number): NewAccount {
  const name = subOf(index)
  const email = mailOf(index)
  return someAccount(name, {
    name,
    foldedName: name,
    passwordHash: 'x'.repeat(97),
    attributes: { email },
    uniqueValues: [{ attribute: 'email', value: email }],
  })
}

async function fill({ directory }: Pick<Store, 'directory'>): Promise<string> {
  const startedAt = performance.now()
  for (let from = 0; from < COUNT; from += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, COUNT - from) }, (_, at) =>
      accountOf(from + at),
    )
    // A busy machine leaves a call unanswered now and then; those that are there stay.
    await directory.addAll(batch).catch(() => directory.addAll(batch))
  }
  const seconds = (performance.now() - startedAt) / 1000
  return `${COUNT} accounts added in ${seconds.toFixed(0)} s`
}

/** What an operator or a login asks. */
function callsOf({ page, search, byValue }: BuiltInDirectory) {
  let after: Awaited<ReturnType<typeof page>>[number] | undefined
  return {
    'a page of the list': async () => {
      // From page to page, and from the first one again.
      after = (await page({ limit: PAGE, after })).at(-1)
    },
    'a search by a name’s prefix': () =>
      search({ prefix: subOf(someIndex()).slice(0, -2), limit: PAGE }),
    'a search by an e-mail’s prefix': () =>
      search({
        attribute: 'email',
        prefix: subOf(someIndex()).slice(0, -2),
        limit: PAGE,
      }),
    'a look by the e-mail': () =>
      byValue({ attribute: 'email', value: mailOf(someIndex()) }),
  }
}

async function measure(directory: BuiltInDirectory, meter: Meter): Promise<string[][]> {
  const rows: string[][] = []
  for (const [name, call] of Object.entries(callsOf(directory))) {
    const costs: Cost[] = []
    // A Redis that has never run a script is sent its text first, once.
    await call()
    for (let times = 0; times < TIMES; times++) costs.push(await meter(call))
    const trips = Math.max(...costs.map(cost => cost.trips ?? 0))
    const storeMs = median(costs.map(cost => cost.storeMs))
    const waits = costs.map(cost => cost.waitMs)
    rows.push([
      name,
      trips === 0 ? '' : String(trips),
      storeMs.toFixed(2),
      median(waits).toFixed(2),
      quantile(waits, 0.95).toFixed(2),
      trips <= TRIPS && storeMs <= STORE_MS ? 'met' : 'MISSED',
    ])
  }
  return rows
}

/** Opens sessions of the first users, three each; resolves to how many. */
async function signIn({ families }: Pick<Store, 'families'>): Promise<number> {
  for (let session = 0; session < SESSIONS; session++) {
    await families.open({
      userTag: userTag(subOf(Math.floor(session / 3) % COUNT)),
      sid: sidOf(randomBytes(16)),
      clientId: CLIENT,
      scope: 'profile orders:read',
      audience: [AUDIENCE],
      sessionsEpoch: 1,
      idleMs: 14 * DAY,
      absoluteMs: 90 * DAY,
      device: {
        name: 'Phone of the sales team',
        userAgent: 'okhttp',
        network: '192.0.2.0/24',
      },
    })
  }
  return SESSIONS
}

function print(title: string, rows: readonly string[][]): void {
  console.log(title)
  printTable([
    ['call', 'round trips', 'store, ms', 'wait, ms', 'wait of 95 %, ms', 'goal'],
    ...rows,
  ])
}

/** Counts each time that something is sent while nothing is under way. */
function countTrips(client: Redis): () => number {
  let [trips, underWay] = [0, 0]
  const send = client.sendCommand.bind(client)
  client.sendCommand = (...call) => {
    if (underWay++ === 0) trips += 1
    const sent = Promise.resolve(send(...call))
    const done = () => {
      underWay -= 1
    }
    sent.then(done, done)
    return sent
  }
  return () => trips
}

/** All microseconds that Redis says it has worked on commands. */
async function worked(beside: Redis): Promise<number> {
  const stats = await beside.info('commandstats')
  return [...stats.matchAll(/cmdstat_(\S+?):calls=\d+,usec=(\d+)/g)]
    .filter(([, name]) => name !== 'info')
    .reduce((sum, [, , usec]) => sum + Number(usec), 0)
}

async function usedMemory(beside: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await beside.info('memory'))?.[1])
}

/** The largest key, but for accounts and sessions, of which there is one hash each. */
async function largestKey(beside: Redis): Promise<string> {
  let [largest, bytes, cursor] = ['', 0, '0']
  do {
    const [next, keys] = await beside.scan(cursor, 'COUNT', 1000)
    cursor = next
    for (const key of keys.filter(name => !/\}:(u|f:.*)$/.test(name))) {
      const taken = Number(await beside.memory('USAGE', key, 'SAMPLES', 100))
      if (taken > bytes) [largest, bytes] = [key, taken]
    }
  } while (cursor !== '0')
  return `${largest}, ${(bytes / 1e6).toFixed(2)} MB`
}

async function onRedis(): Promise<void> {
  const redis = await startRedis()
  const store = await createRedisStore({ url: redis.url })
  const { client } = store
  if (client instanceof Cluster) throw new TypeError('a single Redis is measured')
  const beside = new Redis(redis.url)
  try {
    const empty = await usedMemory(beside)
    console.log(`Redis: ${await fill(store)}`)
    const full = await usedMemory(beside)
    const startedAt = performance.now()
    await store.directory.settle()
    const walkMs = performance.now() - startedAt
    const tripsSoFar = countTrips(client)
    const rows = await measure(store.directory, async call => {
      const [usec, trips] = [await worked(beside), tripsSoFar()]
      const at = performance.now()
      await call()
      const waitMs = performance.now() - at
      const storeMs = ((await worked(beside)) - usec) / 1000
      return { trips: tripsSoFar() - trips, storeMs, waitMs }
    })
    print(`Redis, ${COUNT} accounts`, rows)
    const before = await usedMemory(beside)
    const sessions = await signIn(store)
    const each = ((await usedMemory(beside)) - before) / sessions
    console.log(
      `a walk over the index: ${(walkMs / 1000).toFixed(1)} s; bytes per account: ` +
        `${((full - empty) / COUNT).toFixed(0)}, per session with a device's name: ` +
        `${each.toFixed(0)}; largest key: ${await largestKey(beside)}`,
    )
  } finally {
    beside.disconnect()
    await store.close()
    await redis.stop()
  }
}

async function onSqlite(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  const file = join(dir, 'latchkey.db')
  const store = createSqliteStore({ file, clock: Date.now })
  try {
    console.log(`SQLite: ${await fill(store)}`)
    const rows = await measure(store.directory, async call => {
      const at = performance.now()
      await call()
      const waitMs = performance.now() - at
      return { storeMs: waitMs, waitMs }
    })
    print(`SQLite, ${COUNT} accounts`, rows)
    await store.close()
    const { size } = await stat(file)
    console.log(
      `the file: ${(size / 1e6).toFixed(0)} MB, ${(size / COUNT).toFixed(0)} bytes per account`,
    )
  } finally {
    await store.close()
    await rm(dir, { recursive: true, force: true })
  }
}

if (ONLY !== 'sqlite') await onRedis()
if (ONLY !== 'redis') await onSqlite()
