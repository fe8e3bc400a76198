// The contract of the record of refused logins (stores/ports/logins/refusals.ts) on both stores and on a
// cluster; and all of them, given the same history, say the same.
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type {
  LoginRefusal,
  RefusedGroup,
  RefusedName,
} from '../../src/stores/ports/logins/refusals.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { STORES_AND_CLUSTER, type TestStore } from '../support/stores.ts'

const HOUR = 3_600_000
const BOUNDS = { names: 3, refusals: 4, keepMs: HOUR }

const refusal = (changes: Partial<LoginRefusal> = {}): LoginRefusal => ({
  reason: 'password_wrong',
  clientId: 'mobile',
  network: '192.0.2.0/24',
  count: 1,
  firstAt: 1_764_389_500_123,
  lastAt: 1_764_389_500_123,
  ...changes,
})

let names = 0

/** A name that no other test has. */
function someName(): string {
  names += 1
  return `h:${String(names).padStart(22, '0')}`
}

const refused = (
  name: string,
  refusals: readonly LoginRefusal[] = [refusal()],
  group: RefusedGroup = 'names',
): RefusedName => ({ group, name, refusals })

for (const { name, create } of STORES_AND_CLUSTER) {
  t.test(`refused logins in ${name}`, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    await t.test('adding', t => adding(t, real))
    await t.test('bounds', t => bounds(t, real))
    await t.test('expiry', t => expiry(t, real))
    await t.test('a store that is away', async t => {
      await real.fail()
      const { loginRefusals } = real.store
      await t.rejects(loginRefusals.add([refused(someName())], BOUNDS), StoreUnavailable)
      await t.rejects(loginRefusals.of([someName()]), StoreUnavailable)
    })
  })
}

async function adding(t: Test, { store: { loginRefusals } }: TestStore): Promise<void> {
  const [one, other, nobody] = [someName(), someName(), someName()]
  const throttled = refusal({ reason: 'throttled_by_pair', until: 1_764_389_501_123 })
  const nameless = {
    reason: 'client_missing',
    network: '2001:db8::/64',
    count: 7,
    firstAt: 1,
    lastAt: 2,
  }
  await loginRefusals.add([refused(one, [throttled, nameless]), refused(other)], BOUNDS)
  t.same(await loginRefusals.of([one]), [throttled, nameless], 'as it was given')
  t.same(await loginRefusals.of([nobody]), [])

  const again = { lastAt: 1_764_389_600_000, firstAt: 1_764_389_600_000 }
  await loginRefusals.add(
    [
      refused(one, [
        refusal({ ...again, network: '198.51.100.0/24' }),
        refusal({ ...again, reason: 'throttled_by_pair', count: 2 }),
      ]),
    ],
    BOUNDS,
  )
  t.strictSame(
    await loginRefusals.of([one]),
    [
      refusal({ ...again, network: '198.51.100.0/24' }),
      // It delays nothing any more.
      refusal({
        reason: 'throttled_by_pair',
        count: 3,
        lastAt: again.lastAt,
      }),
      nameless,
    ],
    'what is alike counts up and comes to the front',
  )
  await loginRefusals.add(
    [refused(one, [refusal({ reason: 'user_disabled' })], 'accounts')],
    BOUNDS,
  )
  t.same(
    (await loginRefusals.of([one, other])).map(({ reason }) => reason).sort(),
    [
      'client_missing',
      'password_wrong',
      'password_wrong',
      'throttled_by_pair',
      'user_disabled',
    ],
    'of several names, in both groups',
  )
}

async function bounds(
  t: Test,
  { store: { loginRefusals }, clock }: TestStore,
): Promise<void> {
  const account = someName()
  await loginRefusals.add([refused(account, [refusal()], 'accounts')], BOUNDS)
  const flood = Array.from({ length: 20 }, someName)
  for (const name of flood) {
    clock.advance(1)
    await loginRefusals.add([refused(name)], BOUNDS)
  }
  const kept = []
  for (const name of flood) {
    if ((await loginRefusals.of([name])).length > 0) kept.push(name)
  }
  t.same(kept, flood.slice(-BOUNDS.names), 'the names that were refused last')
  t.equal((await loginRefusals.of([account])).length, 1, 'of accounts nothing is lost')

  const name = someName()
  const networks = Array.from({ length: 9 }, (_, place) => `192.0.${place}.0/24`)
  for (const network of networks) {
    await loginRefusals.add([refused(name, [refusal({ network })])], BOUNDS)
  }
  t.same(
    (await loginRefusals.of([name])).map(({ network }) => network),
    networks.toReversed().slice(0, BOUNDS.refusals),
    'the newest, the newest first',
  )
}

async function expiry(
  t: Test,
  { store: { loginRefusals }, clock }: TestStore,
): Promise<void> {
  const [old, young, other] = [someName(), someName(), someName()]
  await loginRefusals.add([refused(old)], BOUNDS)
  clock.advance(HOUR - 1)
  await loginRefusals.add([refused(young)], BOUNDS)
  t.equal((await loginRefusals.of([old])).length, 1)
  clock.advance(1)
  await loginRefusals.add([refused(other, [refusal()], 'accounts')], BOUNDS)
  t.same(await loginRefusals.of([old]), [], 'an hour after the last one it goes')
  t.equal((await loginRefusals.of([young])).length, 1)
}

t.test('all stores say the same of one history', async t => {
  const stores = await Promise.all(STORES_AND_CLUSTER.map(({ create }) => create()))
  t.teardown(() => Promise.all(stores.map(store => store.stop())))
  const refusals = fc.uniqueArray(
    fc.record({
      reason: fc.constantFrom('password_wrong', 'throttled_by_pair', 'user_unknown'),
      network: fc.constantFrom('192.0.2.0/24', '2001:db8::/64'),
      count: fc.nat(9),
      firstAt: fc.nat(),
      lastAt: fc.nat(),
    }),
    { selector: ({ reason, network }) => reason + network, minLength: 1, maxLength: 5 },
  )
  const step = fc.record({
    group: fc.constantFrom('accounts' as const, 'names' as const),
    name: fc.nat(5),
    refusals,
  })
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async steps => {
      runs += 1
      const nameOf = (name: number) => `${runs} ${name}`
      for (const { name, ...one } of steps) {
        for (const { store, clock } of stores) {
          clock.advance(1)
          await store.loginRefusals.add([{ ...one, name: nameOf(name) }], BOUNDS)
        }
      }
      for (let name = 0; name <= 5; name++) {
        const [first, ...others] = await Promise.all(
          stores.map(({ store }) => store.loginRefusals.of([nameOf(name)])),
        )
        for (const other of others) {
          if (JSON.stringify(sorted(other)) !== JSON.stringify(sorted(first ?? []))) {
            throw new Error(`${JSON.stringify(first)} and ${JSON.stringify(other)}`)
          }
        }
      }
    }),
    { numRuns: 60 },
  )
})

/** Members in one order: stores have orders of their own. */
function sorted(refusals: readonly LoginRefusal[]): unknown[] {
  return refusals.map(one => Object.entries(one).sort()).sort()
}
