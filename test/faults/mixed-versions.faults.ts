// The first release and this one on one store, as a rolling upgrade and the way back have them: together, the
// older one alone, together again, this one alone. Sessions are refreshed all the while, at either.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { freePort } from '../support/free-port.ts'
import { startRelease, unpackRelease } from '../support/release.ts'
import { CHEAP_HASHING, CLIENTS, startLatchkey } from '../support/server.ts'
import { FULL, figure, tally } from './support/figures.ts'
import {
  addUsers,
  audited,
  fallen,
  type Fleet,
  ISSUER,
  logIn,
  msUntil,
  SECRET,
  tokenOf,
} from './support/load.ts'
import { startNode } from './support/redis-node.ts'

const RELEASE = '859a2bf'
const USERS = Array.from({ length: 8 }, (_, user) => `user-${user % 4}`)
/** Refreshes in each of the four parts, at least. */
const STEPS = FULL ? 5_000 : 100
const KEPT = 'of a newer release'
const NEVER = 1_000_000

/** What stands in a store that neither release knows. */
interface Unknown {
  /** Puts it beside every account and, where both must keep it, every session. */
  put(): Promise<void>
  /** Puts it beside the sessions where this release alone keeps it. */
  putForThisRelease(): Promise<void>
  /** How many such fields there are. */
  count(): Promise<number>
}

const folder = tempDir()
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
t.before(() => unpackRelease(RELEASE, folder))

function tempDir(): string {
  return mkdtempSync(join(tmpdir(), 'latchkey-mixed-'))
}

t.test('two releases on one Redis', async t => {
  const redis = await startNode(t)
  // A store that nobody has written to is begun in a form that the older one doesn't know.
  const client = new Redis(redis.url)
  await client.hset('lk:format', 'written', 1)
  client.disconnect()
  await holds(t, 'Redis', redis.url, inRedis(t, redis.url))
})

t.test('two releases on one SQLite file', async t => {
  const dir = tempDir()
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'latchkey.db')
  await holds(t, 'SQLite', `sqlite:${file}`, inSqlite(file))
})

async function holds(
  t: Test,
  store: string,
  storeUrl: string,
  unknown: Unknown,
): Promise<void> {
  await addUsers(storeUrl, 4)
  const startNew = newServers(t, storeUrl)
  const [newer, older] = [await startNew(), await startOlder(t, storeUrl)]
  const fleet = await logIn([newer, older], USERS)
  await unknown.put()
  const before = await unknown.count()
  const load = fleet.keepRefreshing({ pauseMs: 20 })
  t.teardown(() => load.stop())
  const parts: number[] = []
  parts.push(await refreshed(fleet))
  await newer.stop()
  parts.push(await refreshed(fleet))
  const again = await startNew()
  parts.push(await refreshed(fleet))
  await older.stop()
  const lost = before - (await unknown.count())
  await unknown.putForThisRelease()
  const beforeLast = await unknown.count()
  parts.push(await refreshed(fleet))
  await load.stop()

  const after = await unknown.count()
  const gone = fleet.sessions.filter(({ loggedOut }) => loggedOut !== undefined)
  figure(t, {
    fault: `${store}: release ${RELEASE} and this one together, the older alone, together, this one alone`,
    figure:
      `${parts.join(' + ')} refreshes; ${tally(fleet.answers.map(({ status }) => status))}; ` +
      `${gone.length} of ${USERS.length} logged out; ${lost} of ${before} unknown fields lost, ` +
      `and ${beforeLast - after} of ${beforeLast} where this one was alone`,
    mustShow: '0 logged out, 0 fields lost',
    holds:
      gone.length === 0 &&
      before >= USERS.length / 2 &&
      lost === 0 &&
      beforeLast >= before &&
      beforeLast >= USERS.length &&
      after === beforeLast &&
      parts.every(steps => steps >= STEPS),
  })
  t.same(audited([newer, again], 'refresh.reused'), [])
  t.same(fallen([newer, again]), [])
}

/** Waits for so many steps of all sessions together; gives how many there were. */
async function refreshed({ sessions }: Fleet): Promise<number> {
  const sum = () =>
    sessions.reduce((steps, session) => steps + tokenOf(session).generation, 0)
  const before = sum()
  await msUntil(
    () => sum() - before >= STEPS || sessions.some(({ loggedOut }) => loggedOut),
    FULL ? 600_000 : 60_000,
  )
  return sum() - before
}

/** Starts this release, each time on the same ports. */
function newServers(t: Test, storeUrl: string) {
  const found = Promise.all([freePort(), freePort()])
  return async () => {
    const [http, management] = await found
    const server = await startLatchkey({
      storeUrl,
      secret: SECRET,
      addUser: false,
      ports: { http, management },
      config: { issuer: ISSUER },
    })
    t.teardown(() => server.stop())
    return server
  }
}

async function startOlder(t: Test, storeUrl: string) {
  const dir = tempDir()
  const server = await startRelease({
    folder,
    dir,
    config: {
      issuer: ISSUER,
      store: { url: storeUrl },
      secrets: [SECRET],
      passwords: CHEAP_HASHING,
      throttle: {
        perAddress: { max: NEVER, window: '1m' },
        logins: { perName: NEVER, perNetwork: NEVER, perPassword: NEVER },
      },
      clients: CLIENTS,
    },
  })
  t.teardown(async () => {
    await server.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  return server
}

/**
 * A field of every account, and of the key ring; and what stands behind a packed session, of which the first
 * release keeps nothing.
 */
function inRedis(t: Test, url: string): Unknown {
  const client = new Redis(url)
  t.teardown(() => client.disconnect())
  const hashes = async () => [...(await client.keys('lk:{*}:u')), 'lk:keys']
  const sessions = () => client.keys('lk:{*}:f:*')
  return {
    async put() {
      for (const key of await hashes()) await client.hset(key, 'unknown', KEPT)
    },
    async putForThisRelease() {
      for (const key of await sessions()) await client.append(key, KEPT)
    },
    async count() {
      const found = await Promise.all([
        ...(await hashes()).map(key => client.hget(key, 'unknown')),
        ...(await sessions()).map(key => client.getrange(key, -KEPT.length, -1)),
      ])
      return found.filter(value => value === KEPT).length
    },
  }
}

/** A column of every account, and of every session. */
function inSqlite(file: string): Unknown {
  const tables = ['users', 'families']
  const withFile = <Found>(work: (db: DatabaseSync) => Found): Found => {
    const db = new DatabaseSync(file, { timeout: 10_000 })
    try {
      return work(db)
    } finally {
      db.close()
    }
  }
  return {
    put: async () =>
      withFile(db => {
        for (const table of tables) {
          db.exec(
            `ALTER TABLE ${table} ADD COLUMN later TEXT; UPDATE ${table} SET later = 1`,
          )
        }
      }),
    // Both keep it.
    putForThisRelease: async () => {},
    count: async () =>
      withFile(db =>
        tables
          .map(table =>
            db.prepare(`SELECT count(*) AS n FROM ${table} WHERE later = 1`).get(),
          )
          .reduce((sum, row) => sum + Number(row?.['n']), 0),
      ),
  }
}
