// A walk over many accounts loses none that lives all the while, and shows none twice, whatever is added and
// removed meanwhile: on both stores and on a cluster.
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import type { Account, NewAccount } from '../../src/stores/ports/directory.ts'
import { andPostgres, SERVER_VARIABLE } from '../support/postgres-stores.ts'
import {
  everyOne,
  someAccount,
  STORES_AND_MASTERS,
  type TestStore,
} from '../support/stores.ts'
import { PATIENCE_MS } from '../support/until.ts'

/** 20,000 is the long form. */
const ACCOUNTS = Number(process.env['LATCHKEY_WALKED'] ?? 5_000)
/** So many are written at once. */
const BATCH = 50
const CHANGES = 50
/** However many there are, there is a change every few pages, from the first to the last. */
const CHANGED_EVERY = 4
const PAGE = ACCOUNTS / (CHANGES * CHANGED_EVERY)
const TRY_AGAIN_MS = 50

// On PostgreSQL where there is a server: one of this process would take minutes.
const all = SERVER_VARIABLE in process.env ? andPostgres([]) : STORES_AND_MASTERS

for (const { name, create } of all) {
  t.test(`a walk over ${ACCOUNTS} accounts in ${name}`, async t => {
    const world = await create()
    t.teardown(() => world.stop())
    await fill(world)
    await walkTest(t, world)
  })
}

const subOf = (place: number) => `sub-${(place * 7919) % ACCOUNTS}`

/** Several of one instant, in no order of their `sub`. */
async function fill({ store: { directory }, clock }: TestStore): Promise<void> {
  for (let first = 0; first < ACCOUNTS; first += BATCH) {
    const accounts = Array.from({ length: BATCH }, (_, place) =>
      someAccount(subOf(first + place)),
    )
    await patiently(() => directory.addAll(accounts))
    clock.advance(1)
  }
}

async function walkTest(
  t: Test,
  { store: { directory }, clock }: TestStore,
): Promise<void> {
  const removed = new Set<string>()
  const added: NewAccount[] = []
  /** One goes that was shown, or is to be shown, and one comes. */
  async function change(turn: number): Promise<void> {
    const { sub, tag } = someAccount(subOf((turn * 397 + 13) % ACCOUNTS))
    const newcomer = someAccount(`newcomer-${turn}`)
    removed.add(sub)
    added.push(newcomer)
    clock.advance(turn % 2)
    await patiently(() => directory.remove(tag))
    await patiently(() => directory.add(newcomer))
  }

  const seen: string[] = []
  let after: Account | undefined
  for (let turn = 0; ; turn += 1) {
    const before = after
    const [page] = await Promise.all([
      patiently(() => directory.page({ after: before, limit: PAGE })),
      turn % CHANGED_EVERY === 0 && turn / CHANGED_EVERY < CHANGES
        ? change(turn / CHANGED_EVERY)
        : undefined,
    ])
    seen.push(...page.map(({ sub }) => sub))
    after = page.at(-1)
    if (page.length < PAGE) break
  }

  const shown = new Set(seen)
  t.equal(removed.size, CHANGES)
  t.equal(added.length, CHANGES)
  t.equal(seen.length, shown.size, 'nobody twice')
  const all = Array.from({ length: ACCOUNTS }, (_, place) => subOf(place))
  const lost = all.filter(sub => !removed.has(sub) && !shown.has(sub))
  t.same(lost, [], 'nobody lost')
  const left = await patiently(() => everyOne(directory.all()))
  t.same(
    left.map(({ sub }) => sub).toSorted(),
    [...all.filter(sub => !removed.has(sub)), ...added.map(({ sub }) => sub)].toSorted(),
  )
}

/** A busy machine may let a call wait for too long, and the store count as down for a while after it. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  const giveUpAt = process.uptime() + PATIENCE_MS / 1000
  for (;;) {
    const now = process.uptime()
    try {
      return await call()
    } catch (error) {
      if (now >= giveUpAt || !(error instanceof StoreUnavailable)) throw error
    }
    await wait(TRY_AGAIN_MS)
  }
}
