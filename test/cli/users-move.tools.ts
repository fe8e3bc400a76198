// latchkey users move takes many accounts to Debian's PostgreSQL while two servers' stores write and read,
// and is killed once. Whatever was acknowledged is there afterwards, nobody was ever unknown, and every
// session that nobody has ended goes on.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'
import type { NewAccount } from '../../src/stores/ports/directory.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { SECRET } from '../support/command-line.ts'
import { startChild } from '../support/children.ts'
import { startPostgres } from '../support/databases.ts'
import { startRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { PATIENT } from '../support/until.ts'

const LATCHKEY = join(import.meta.dirname, '../../bin/latchkey.js')

/** So many accounts in either store; 100,000 is the long form. */
const ACCOUNTS = Number(process.env['LATCHKEY_MOVED'] ?? 8_000)
const BATCH = 100
const TRIES = 6
/** So many have a session before. */
const SESSIONS = 200

/** What an account is known to be: what was acknowledged last. */
interface Known {
  readonly account: NewAccount
  foldedName: string
  hash: string
  isRemoved: boolean
  /** Whether the last change was not acknowledged: it may be there, or not. */
  isUnsure: boolean
}

function personOf(at: number): NewAccount {
  const value = `p-${at}@example.com`
  return someAccount(`p-${at}`, {
    roles: ['reader'],
    attributes: { email: value },
    uniqueValues: [{ attribute: 'email', value }],
  })
}

for (const name of ['SQLite', 'Redis'] as const) {
  t.test(`from ${name}`, async t => {
    const redis = name === 'Redis' ? await startRedis() : undefined
    t.teardown(() => redis?.stop())
    const directory = t.testdir()
    const url = redis?.url ?? `sqlite:${join(directory, 'latchkey.db')}`
    const database = await startPostgres(t)
    const accounts = {
      url: database.url,
      plaintext: false,
      connections: 6,
      timeout: 5_000,
    }
    const before = await openStore({ ...PATIENT, url, clock: systemClock })
    const known: Known[] = []
    for (let at = 0; at < ACCOUNTS; at += BATCH) {
      const batch = Array.from({ length: BATCH }, (_, more) => personOf(at + more))
      t.equal((await before.store.directory.addAll(batch)).size, BATCH)
      for (const account of batch) {
        const { foldedName, passwordHash } = account
        const state = { isRemoved: false, isUnsure: false }
        known.push({ account, foldedName, hash: passwordHash, ...state })
      }
    }
    await before.store.close()
    const stores = [
      await openStore({ ...PATIENT, url, accounts, clock: systemClock }),
      await openStore({ ...PATIENT, url, accounts, clock: systemClock }),
    ].map(({ store }) => store)
    t.teardown(() => Promise.all(stores.map(store => store.close())))
    const [one] = stores
    if (one === undefined) throw new Error('no store')
    // The last ones: the load leaves them alone.
    const quiet = known.slice(-SESSIONS)
    const sessions = []
    for (const { account } of quiet) sessions.push(await signIn(one, account.tag))

    const load = startLoad(t, stores, known.slice(0, -SESSIONS))
    await wait(1_000)
    const file = join(directory, 'latchkey.yaml')
    const store = { url, accounts: { url: database.url } }
    const config = { issuer: 'https://id.example.com', store, secrets: [SECRET] }
    writeFileSync(file, JSON.stringify(config))
    t.equal(await move(file, 2_000), null, 'killed')
    const startedAt = performance.now()
    let tries = 1
    // On a busy machine a store may not answer in time: it is run again.
    while ((await move(file)) !== 0 && tries < TRIES) tries += 1
    t.ok(tries < TRIES, `moved by try ${tries}`)
    const tookMs = performance.now() - startedAt
    await wait(1_000)
    const done = await load.stop()
    t.comment(
      `${ACCOUNTS} accounts in ${Math.round(tookMs)} ms, beside ${JSON.stringify(done)}`,
    )
    t.ok(done.writes > 100 && done.reads > 100, 'there was load')
    for (const session of sessions) {
      t.match(await one.families.rotate(presented(session, 1)), { kind: 'rotated' })
    }
    await verify(t, stores, known, database)
  })
}

/** Runs the move; killed after so many milliseconds. Gives its exit code. */
async function move(file: string, killAfterMs?: number): Promise<number | null> {
  const child = startChild(
    process.execPath,
    [LATCHKEY, 'users', 'move', '--to', 'postgres', '--config', file],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  if (killAfterMs !== undefined) {
    setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  }
  const [code] = await once(child, 'exit')
  return typeof code === 'number' ? code : null
}

/** Writes and reads until it is stopped. */
function startLoad(t: Test, stores: readonly Store[], known: Known[]) {
  const done = { writes: 0, reads: 0, refused: 0 }
  const end = new AbortController()
  let fresh = 0
  const busy = new Set<Known>()

  async function write(store: Store, one: Known): Promise<void> {
    const { account } = one
    const { directory } = store
    const kind = Math.floor(Math.random() * 4)
    one.isUnsure = true
    if (kind === 0) {
      const hash = `$argon2id$${Math.random()}`
      if (await directory.setPassword(account.tag, hash)) one.hash = hash
    } else if (kind === 1) {
      const foldedName = `renamed-${account.sub}-${done.writes}`
      const change = { tag: account.tag, name: foldedName, foldedName }
      if ((await directory.rename(change)) === 'renamed') one.foldedName = foldedName
    } else if (kind === 2) {
      one.isRemoved = (await directory.remove(account.tag)) || one.isRemoved
    } else {
      fresh += 1
      const added = someAccount(`fresh-${fresh}-${account.sub}`)
      const { foldedName, passwordHash } = added
      if ((await directory.add(added)) === 'added') {
        const state = { isRemoved: false, isUnsure: false }
        known.push({ account: added, foldedName, hash: passwordHash, ...state })
      }
    }
    one.isUnsure = false
    done.writes += 1
  }

  async function read(store: Store, one: Known): Promise<void> {
    const found = await store.directory.byName(one.foldedName)
    done.reads += 1
    if (!one.isRemoved && !one.isUnsure && found?.passwordHash !== one.hash) {
      t.fail(`${one.foldedName} is ${JSON.stringify(found)}`)
    }
  }

  async function work(store: Store, deed: typeof write): Promise<void> {
    while (!end.signal.aborted) {
      const one = known[Math.floor(Math.random() * known.length)]
      if (one === undefined || busy.has(one) || one.isUnsure) continue
      busy.add(one)
      try {
        await deed(store, one)
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        done.refused += 1
      } finally {
        busy.delete(one)
      }
      await wait(5)
    }
  }

  const workers = stores.flatMap(store => [
    work(store, write),
    work(store, write),
    work(store, read),
    work(store, read),
  ])
  return {
    async stop() {
      end.abort()
      await Promise.all(workers)
      return done
    },
  }
}

async function verify(
  t: Test,
  stores: readonly Store[],
  known: readonly Known[],
  database: Awaited<ReturnType<typeof startPostgres>>,
): Promise<void> {
  let [lost, kept] = [0, 0]
  const found = new Map<string, { hash: string; name: string }>()
  const [one] = stores
  if (one === undefined) throw new Error('no store')
  for await (const { tag, passwordHash, foldedName } of one.directory.all()) {
    found.set(tag, { hash: passwordHash, name: foldedName })
  }
  for (const { account, hash, foldedName, isRemoved, isUnsure } of known) {
    if (isUnsure) continue
    const there = found.get(account.tag)
    const isRight = isRemoved
      ? there === undefined
      : there?.hash === hash && there.name === foldedName
    if (isRight) kept += 1
    else lost += 1
  }
  t.equal(lost, 0, `${kept} are as they were acknowledged`)
  t.ok(kept > known.length * 0.99)
  t.equal(await one.directory.count(), found.size)
  await database.run(
    "DO $$ BEGIN ASSERT (SELECT count(*) FROM latchkey.accounts WHERE unsettled) = 0, 'unsettled'; END $$",
  )
}
