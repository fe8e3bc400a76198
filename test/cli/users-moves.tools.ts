// Two moves to Debian's PostgreSQL at once, each a process, at several distances from each other, beside a
// server's store that changes passwords: one moves all, the other one says so or that another has begun, and
// whatever was acknowledged is there.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { runChild } from '../support/children.ts'
import { SECRET } from '../support/command-line.ts'
import { startPostgres } from '../support/databases.ts'
import { startRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { PATIENT } from '../support/until.ts'

const LATCHKEY = join(import.meta.dirname, '../../bin/latchkey.js')
const ACCOUNTS = 1_000
/** How long after the first move the second one begins; milliseconds. */
const DISTANCES = [0, 100, 400]
const OVERTAKEN = /another `latchkey users move` has begun since/
const LATE = /no answer within|gives no answer|did not do what was asked/
const DONE = /moved to PostgreSQL: 1000 accounts|all accounts are in PostgreSQL already/

interface Ended {
  readonly code: number
  readonly said: string
}

/** Runs a move to its end; again where the store did not answer in time, as on a busy machine. */
async function move(file: string, tries = 6): Promise<Ended> {
  const args = [LATCHKEY, 'users', 'move', '--to', 'postgres', '--config', file]
  const ended = await runChild(process.execPath, args).then(
    ({ stdout, stderr }) => ({ code: 0, said: `${stdout}${stderr}` }),
    (error: unknown) => {
      const { code, stdout, stderr } = Object(error)
      return { code: Number(code), said: `${stdout}${stderr}` }
    },
  )
  return LATE.test(ended.said) && tries > 1 ? move(file, tries - 1) : ended
}

/** Changes one password after the other; gives what each account has. */
function startChanges(store: Store, subs: readonly string[]) {
  const known = new Map<string, string>()
  const end = new AbortController()
  async function work(): Promise<void> {
    for (let at = 0; !end.signal.aborted; at++) {
      const sub = subs[(at * 41) % subs.length] ?? ''
      const { tag } = someAccount(sub)
      const hash = `$argon2id$${at}`
      known.delete(sub)
      try {
        if (await store.directory.setPassword(tag, hash)) known.set(sub, hash)
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        known.set(sub, '')
      }
      await wait(1)
    }
  }
  const done = work()
  return {
    async stop() {
      end.abort()
      await done
      return known
    },
  }
}

for (const name of ['SQLite', 'Redis'] as const) {
  t.test(`from ${name}`, async t => {
    for (const distanceMs of DISTANCES) await movesTest(t, name, distanceMs)
  })
}

async function movesTest(
  t: Test,
  name: 'SQLite' | 'Redis',
  distanceMs: number,
): Promise<void> {
  const about = `${distanceMs} ms apart`
  const redis = name === 'Redis' ? await startRedis() : undefined
  t.teardown(() => redis?.stop())
  const directory = t.testdir()
  const url =
    redis?.url ?? `sqlite:${join(directory, `${distanceMs}-${Math.random()}.db`)}`
  const database = await startPostgres(t)
  const alone = await openStore({ ...PATIENT, url, clock: systemClock })
  const subs = Array.from({ length: ACCOUNTS }, (_, at) => `p-${at}`)
  await alone.store.directory.addAll(subs.map(sub => someAccount(sub)))
  await alone.store.close()
  const accounts = {
    url: database.url,
    plaintext: false,
    connections: 4,
    timeout: 5_000,
  }
  const { store } = await openStore({ ...PATIENT, url, accounts, clock: systemClock })
  const quiet = someAccount('p-0')
  const session = await signIn(store, quiet.tag)
  const file = join(directory, 'latchkey.yaml')
  const settings = { url, accounts: { url: database.url } }
  const config = { issuer: 'https://id.example.com', store: settings, secrets: [SECRET] }
  writeFileSync(file, JSON.stringify(config))

  const changes = startChanges(store, subs.slice(1))
  const ended = await Promise.all([move(file), wait(distanceMs).then(() => move(file))])
  const known = await changes.stop()
  t.ok(
    ended.some(({ code }) => code === 0),
    `${about}: ${ended.map(({ code }) => code).join(' and ')}`,
  )
  for (const { code, said } of ended) t.match(said, code === 0 ? DONE : OVERTAKEN, about)
  let lost = 0
  for (const [sub, hash] of known) {
    const found = await store.directory.byTag(someAccount(sub).tag)
    if (hash !== '' && found?.passwordHash !== hash) lost += 1
  }
  t.equal(lost, 0, `${about}: ${known.size} passwords are as they were acknowledged`)
  t.equal(await store.directory.count(), ACCOUNTS, about)
  t.match(await store.families.rotate(presented(session, 1)), { kind: 'rotated' }, about)
  await store.close()
  await database.kill()
  await redis?.stop()
}
