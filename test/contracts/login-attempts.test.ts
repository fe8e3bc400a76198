// The contract of LoginAttempts in stores/ports on both stores; and both, given the same history, say the
// same.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import type {
  LoginAttempt,
  LoginCount,
  LoginResult,
  LoginVerdict,
} from '../../src/stores/ports/login-attempts.ts'
import { STORES, type TestStore } from '../support/stores.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const LIMITS = {
  pair: { free: 3, forgetMs: 60 * MINUTE },
  widePair: { free: 5, forgetMs: 30 * MINUTE },
  network: { free: 6, forgetMs: 5 * MINUTE },
  wideNetwork: { free: 8, forgetMs: 2.5 * MINUTE },
  password: { free: 9, forgetMs: MINUTE },
}

/** What a try is counted by. */
interface Ids {
  readonly pair: string
  readonly network: string
  readonly password: string
  readonly repeat: string
  /** The name in a wider network, and that network; undefined: there is none. */
  readonly widePair?: string
  readonly wideNetwork?: string
}

let attempts = 0

/** A try that shares nothing with any other but what is given. */
function someAttempt(changes: Partial<Ids> = {}): Ids {
  attempts += 1
  return {
    pair: `pair-${attempts}`,
    network: `network-${attempts}`,
    password: `password-${attempts}`,
    repeat: `repeat-${attempts}`,
    ...changes,
  }
}

function attemptOf(ids: Ids, limits = LIMITS): LoginAttempt {
  const count = (by: LoginCount['by'], key: keyof typeof LIMITS) => {
    const id = ids[key]
    return id === undefined ? [] : [{ by, id, limit: limits[key] }]
  }
  return {
    pair: { by: 'pair', id: ids.pair, limit: limits.pair },
    others: [
      ...count('network', 'network'),
      ...count('pair', 'widePair'),
      ...count('network', 'wideNetwork'),
      ...count('password', 'password'),
    ],
    repeat: ids.repeat,
    maxDelayMs: 15 * MINUTE,
  }
}

/** What a test does with a store: every method is one call of the port. */
function driverOf({ store, clock }: TestStore) {
  const { loginAttempts } = store
  const begin = (ids: Ids, limits = LIMITS) => loginAttempts.begin(attemptOf(ids, limits))
  const beginUpTo = (maxDelayMs: number, ids: Ids) =>
    loginAttempts.begin({ ...attemptOf(ids), maxDelayMs })
  const areWelcome = (...all: Ids[]) =>
    loginAttempts.areWelcome(
      all.map(ids => attemptOf(ids).pair),
      15 * MINUTE,
    )
  const isWelcome = async (ids: Ids) => (await areWelcome(ids))[0]
  const settle = (ids: Ids, result: LoginResult, known = false) =>
    loginAttempts.settle({
      ...attemptOf(ids),
      known,
      result,
      knownForMs: 30 * DAY,
      repeatMs: MINUTE,
    })
  /** A whole try, with the verdict that began it. */
  async function attempt(ids: Ids, result: LoginResult): Promise<LoginVerdict> {
    const verdict = await begin(ids)
    if (verdict.kind === 'admitted') await settle(ids, result, verdict.known)
    return verdict
  }
  const forget = (...all: Ids[]) =>
    loginAttempts.forget(all.map(ids => attemptOf(ids).pair))
  return {
    forget,
    begin,
    beginUpTo,
    areWelcome,
    isWelcome,
    settle,
    attempt,
    clock,
  }
}
type Driver = ReturnType<typeof driverOf>

const STRANGER: LoginVerdict = { kind: 'admitted', known: false }
const KNOWN: LoginVerdict = { kind: 'admitted', known: true }
const throttled = (by: string, retryAfterMs: number) => ({
  kind: 'throttled',
  by,
  retryAfterMs,
})

for (const { name, create } of STORES) {
  t.test(`login attempts in ${name}`, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    const driver = driverOf(real)
    await t.test('delays', t => delays(t, driver))
    await t.test('counts', t => counts(t, driver))
    await t.test('known networks', t => knownNetworks(t, driver))
    await t.test('wider networks', t => widerNetworks(t, driver))
    await t.test('repeats', t => repeats(t, driver))
    await t.test('forgetting', t => forgetting(t, driver))
    await t.test('a store that is away gives no verdict', async t => {
      await real.fail()
      await t.rejects(driver.begin(someAttempt()), StoreUnavailable)
      await t.rejects(driver.areWelcome(someAttempt()), StoreUnavailable)
      await t.rejects(driver.settle(someAttempt(), 'succeeded'), StoreUnavailable)
      await t.rejects(driver.forget(someAttempt()), StoreUnavailable)
    })
  })
}

async function forgetting(
  t: Test,
  { attempt, begin, forget, isWelcome }: Driver,
): Promise<void> {
  const [ann, bob] = [someAttempt(), someAttempt()]
  await attempt(ann, 'succeeded')
  for (const { pair } of [ann, bob]) {
    for (let i = 0; i < 4; i++) await attempt(someAttempt({ pair }), 'failed')
  }
  t.match(await begin(ann), throttled('pair', 1000))
  t.equal(await forget(ann, someAttempt()), 1, 'of two pairs one had a count')
  t.ok(await isWelcome(ann), 'who was known stays known')
  t.equal(await forget(ann), 0)
  t.same(await begin(ann), KNOWN)
  t.match(await begin(bob), throttled('pair', 1000), 'nobody else is let in')
}

async function delays(
  t: Test,
  { begin, beginUpTo, attempt, clock }: Driver,
): Promise<void> {
  await t.test('the delay doubles from a second up to the longest', async t => {
    const { pair } = someAttempt()
    const fail = () => attempt(someAttempt({ pair }), 'failed')
    for (let i = 0; i < 3; i++) t.same(await fail(), STRANGER, 'within the allowance')
    for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]) {
      t.same(await begin(someAttempt({ pair })), throttled('pair', seconds * 1000))
      clock.advance(seconds * 1000 - 1)
      t.same(
        await begin(someAttempt({ pair })),
        throttled('pair', 1),
        'to the millisecond',
      )
      clock.advance(1)
      t.same(await fail(), STRANGER)
    }
    for (let i = 0; i < 9; i++) {
      t.same(
        await begin(someAttempt({ pair })),
        throttled('pair', 15 * MINUTE),
        'and no further',
      )
      clock.advance(15 * MINUTE)
      t.same(await fail(), STRANGER)
    }
    clock.advance(14 * 60 * MINUTE)
    t.same(
      await begin(someAttempt({ pair })),
      STRANGER,
      'however long that went on, it is forgotten within a day',
    )
  })

  await t.test(
    'a failure is forgotten after each span, and the allowance comes back by and by',
    async t => {
      const { pair } = someAttempt()
      for (let i = 0; i < 3; i++) await attempt(someAttempt({ pair }), 'failed')
      clock.advance(60 * MINUTE)
      t.same(await attempt(someAttempt({ pair }), 'failed'), STRANGER)
      t.same(await begin(someAttempt({ pair })), throttled('pair', 1000), 'one only')
      clock.advance(3 * 60 * MINUTE)
      for (let i = 0; i < 3; i++) {
        t.same(await attempt(someAttempt({ pair }), 'failed'), STRANGER)
      }
    },
  )

  await t.test('once the delay is the longest, failures count no more', async t => {
    const { pair } = someAttempt()
    const tried = () => beginUpTo(2000, someAttempt({ pair }))
    for (let i = 0; i < 3; i++) t.same(await tried(), STRANGER)
    t.same(await tried(), throttled('pair', 1000))
    clock.advance(1000)
    for (let i = 0; i < 3; i++) {
      t.same(await tried(), STRANGER)
      t.same(await tried(), throttled('pair', 2000))
      clock.advance(2000)
    }
    clock.advance(2 * 60 * MINUTE)
    t.same(await tried(), STRANGER)
    t.same(await tried(), throttled('pair', 1000), 'two of four are forgotten')
  })

  await t.test('a clock that goes back locks nobody out', async t => {
    const { pair } = someAttempt()
    for (let i = 0; i < 3; i++) await attempt(someAttempt({ pair }), 'failed')
    clock.advance(-DAY)
    t.same(await attempt(someAttempt({ pair }), 'failed'), STRANGER)
    t.same(
      await begin(someAttempt({ pair })),
      throttled('pair', 2000),
      'and forgets nothing',
    )
    clock.advance(DAY)
  })
}

async function counts(t: Test, { begin, settle, attempt, clock }: Driver): Promise<void> {
  await t.test('tries at once count before they end', async t => {
    const { pair } = someAttempt()
    const verdicts = await Promise.all(
      Array.from({ length: 50 }, () => begin(someAttempt({ pair }))),
    )
    t.equal(verdicts.filter(({ kind }) => kind === 'admitted').length, 3)
  })

  await t.test('a network and a password have counts of their own', async t => {
    const { network, password } = someAttempt()
    for (let i = 0; i < 6; i++) {
      t.same(await attempt(someAttempt({ network }), 'failed'), STRANGER)
    }
    t.same(await begin(someAttempt({ network })), throttled('network', 1000))
    for (let i = 0; i < 9; i++) {
      t.same(await attempt(someAttempt({ password }), 'failed'), STRANGER)
    }
    t.same(await begin(someAttempt({ password })), throttled('password', 1000))
    t.same(await begin(someAttempt()), STRANGER, 'others are not touched')
  })

  await t.test('what is throttled counts nowhere', async t => {
    const { pair, network } = someAttempt()
    for (let i = 0; i < 3; i++) await attempt(someAttempt({ pair, network }), 'failed')
    for (let i = 0; i < 10; i++) await begin(someAttempt({ pair, network }))
    for (let i = 0; i < 3; i++) {
      t.same(await attempt(someAttempt({ network }), 'failed'), STRANGER)
    }
  })

  await t.test(
    'a success clears the pair and gives back what it took, not what the network owes',
    async t => {
      const { pair, network } = someAttempt()
      for (let i = 0; i < 2; i++) await attempt(someAttempt({ pair, network }), 'failed')
      t.same(await attempt(someAttempt({ pair, network }), 'succeeded'), STRANGER)
      for (let i = 0; i < 3; i++) await attempt(someAttempt({ pair, network }), 'failed')
      t.same(await begin(someAttempt({ pair, network })), throttled('pair', 1000))
      // Two failures so far: those of a known pair are not the network's.
      for (let i = 0; i < 4; i++) {
        t.same(await attempt(someAttempt({ network }), 'failed'), STRANGER)
      }
      t.same(await begin(someAttempt({ network })), throttled('network', 1000))
    },
  )

  await t.test('the last free try that succeeds leaves no delay behind', async t => {
    const { network, password } = someAttempt()
    for (let i = 0; i < 5; i++) await attempt(someAttempt({ network }), 'failed')
    t.same(await attempt(someAttempt({ network }), 'succeeded'), STRANGER)
    t.same(await attempt(someAttempt({ network }), 'succeeded'), STRANGER)
    for (let i = 0; i < 12; i++) {
      t.same(await attempt(someAttempt({ password }), 'succeeded'), STRANGER)
    }
  })

  await t.test(
    'a try beyond the allowance that succeeds takes back its own failure alone',
    async t => {
      const { network } = someAttempt()
      for (let i = 0; i < 6; i++) await attempt(someAttempt({ network }), 'failed')
      clock.advance(1000)
      t.same(await attempt(someAttempt({ network }), 'succeeded'), STRANGER)
      t.same(await begin(someAttempt({ network })), throttled('network', 2000))
      clock.advance(2000)
      t.same(await begin(someAttempt({ network })), STRANGER)
      t.same(
        await begin(someAttempt({ network })),
        throttled('network', 2000),
        'the seventh failure, not the eighth',
      )
    },
  )

  await t.test(
    'a try beyond the allowance that succeeds leaves the delay of the others',
    async t => {
      const { network } = someAttempt()
      const all = Array.from({ length: 6 }, () => someAttempt({ network }))
      for (const one of all) await begin(one)
      const limits = { ...LIMITS, network: { free: 5, forgetMs: MINUTE } }
      t.same(await begin(someAttempt({ network }), limits), throttled('network', 1000))
      for (const one of all.slice(0, 1)) await settle({ ...one }, 'succeeded')
      t.same(await begin(someAttempt({ network })), STRANGER)
    },
  )

  await t.test('a withdrawn try is none', async t => {
    const { pair } = someAttempt()
    for (let i = 0; i < 20; i++) {
      t.same(await attempt(someAttempt({ pair }), 'withdrawn'), STRANGER)
    }
    const late = someAttempt({ pair })
    await settle(late, 'withdrawn')
    for (let i = 0; i < 3; i++) {
      t.same(
        await attempt(someAttempt({ pair }), 'failed'),
        STRANGER,
        'and takes back no more than it counted',
      )
    }
    t.same(await begin(someAttempt({ pair })), throttled('pair', 1000))
  })
}

async function knownNetworks(
  t: Test,
  { begin, areWelcome, isWelcome, attempt, clock }: Driver,
): Promise<void> {
  await t.test('welcome is a known pair that nothing delays', async t => {
    const ids = someAttempt()
    const more = () => someAttempt({ pair: ids.pair })
    t.notOk(await isWelcome(ids), 'a stranger is not')
    await attempt(ids, 'failed')
    t.notOk(await isWelcome(ids), 'nor one that failed')
    await attempt(more(), 'succeeded')
    t.ok(await isWelcome(ids))
    t.same(
      await areWelcome(someAttempt(), ids, someAttempt()),
      [false, true, false],
      'others are not; each is answered in its place',
    )
    for (let i = 0; i < 3; i++) await attempt(more(), 'failed')
    t.notOk(await isWelcome(ids), 'not while it is delayed')
    clock.advance(1000)
    t.ok(await isWelcome(ids))
    for (let i = 0; i < 9; i++) await isWelcome(ids)
    t.same(await attempt(more(), 'succeeded'), KNOWN, 'asking counts nothing')
    clock.advance(30 * DAY)
    t.notOk(await isWelcome(ids), 'not when it is forgotten')
  })

  await t.test(
    'who logged in from a network is known there, and judged by the pair alone',
    async t => {
      const { pair, network, password } = someAttempt()
      t.same(await attempt(someAttempt({ pair, network }), 'succeeded'), STRANGER)
      for (let i = 0; i < 6; i++) await attempt(someAttempt({ network }), 'failed')
      for (let i = 0; i < 9; i++) await attempt(someAttempt({ password }), 'failed')
      t.same(await begin(someAttempt({ network })), throttled('network', 1000))
      t.same(await attempt(someAttempt({ pair, network, password }), 'succeeded'), KNOWN)
    },
  )

  await t.test('being known ends 30 days after the last login', async t => {
    const { pair, network } = someAttempt()
    await attempt(someAttempt({ pair, network }), 'succeeded')
    clock.advance(30 * DAY - 1)
    t.same(await attempt(someAttempt({ pair, network }), 'failed'), KNOWN)
    clock.advance(1)
    t.same(await attempt(someAttempt({ pair, network }), 'succeeded'), STRANGER)
    t.same(
      await attempt(someAttempt({ pair, network }), 'withdrawn'),
      KNOWN,
      'a withdrawn try leaves it',
    )
    t.same(await begin(someAttempt({ pair, network })), KNOWN)
  })

  await t.test('a known pair has delays too', async t => {
    const { pair } = someAttempt()
    await attempt(someAttempt({ pair }), 'succeeded')
    for (let i = 0; i < 3; i++) {
      t.same(await attempt(someAttempt({ pair }), 'failed'), KNOWN)
    }
    t.same(await begin(someAttempt({ pair })), throttled('pair', 1000))
  })
}

async function widerNetworks(t: Test, { begin, attempt }: Driver): Promise<void> {
  await t.test('a name is counted in the wider network, too', async t => {
    const { pair: widePair } = someAttempt()
    for (let i = 0; i < 5; i++) {
      t.same(await attempt(someAttempt({ widePair }), 'failed'), STRANGER)
    }
    t.same(await begin(someAttempt({ widePair })), throttled('pair', 1000))
  })

  await t.test('the wider network is counted whatever the name', async t => {
    const { network: wideNetwork } = someAttempt()
    for (let i = 0; i < 8; i++) {
      t.same(await attempt(someAttempt({ wideNetwork }), 'failed'), STRANGER)
    }
    t.same(await begin(someAttempt({ wideNetwork })), throttled('network', 1000))
  })

  await t.test(
    'a known pair is judged by its own count, not by those around it',
    async t => {
      const ids = someAttempt({ widePair: 'wide pair', wideNetwork: 'wide network' })
      t.same(await attempt(ids, 'succeeded'), STRANGER)
      for (let i = 0; i < 5; i++) {
        await attempt(someAttempt({ widePair: 'wide pair' }), 'failed')
      }
      t.same(await begin(someAttempt({ widePair: 'wide pair' })), throttled('pair', 1000))
      t.same(await attempt({ ...ids, repeat: 'another' }, 'succeeded'), KNOWN)
    },
  )

  await t.test('a success takes back what it took in each of them', async t => {
    const { pair: widePair, network: wideNetwork } = someAttempt()
    for (let i = 0; i < 20; i++) {
      const ids = someAttempt({ widePair, wideNetwork })
      t.same(await attempt(ids, 'succeeded'), STRANGER)
    }
  })
}

async function repeats(t: Test, { begin, attempt, clock }: Driver): Promise<void> {
  await t.test('the very same failed try counts once a minute', async t => {
    const same = someAttempt()
    t.same(await attempt(same, 'failed'), STRANGER)
    for (let i = 0; i < 10; i++) {
      t.same(await attempt(same, 'failed'), { kind: 'repeated' })
    }
    clock.advance(MINUTE - 1)
    t.same(await attempt(same, 'failed'), { kind: 'repeated' })
    clock.advance(1)
    t.same(await attempt(same, 'failed'), STRANGER, 'and again after it')
    t.same(await attempt(same, 'failed'), { kind: 'repeated' })
  })

  await t.test('a repeat is told as such also while the pair is throttled', async t => {
    const same = someAttempt()
    for (let i = 0; i < 2; i++) await attempt(someAttempt({ pair: same.pair }), 'failed')
    await attempt(same, 'failed')
    t.same(await begin(same), { kind: 'repeated' })
    t.same(await begin(someAttempt({ pair: same.pair })), throttled('pair', 1000))
  })

  await t.test(
    'a try that succeeded or was withdrawn is no failure to repeat',
    async t => {
      const [won, none] = [someAttempt(), someAttempt()]
      await attempt(won, 'succeeded')
      t.same(await begin(won), KNOWN)
      await attempt(none, 'withdrawn')
      t.same(await begin(none), STRANGER)
    },
  )
}

const few = (name: string) =>
  fc.integer({ min: 0, max: 1 }).map(number => `${name}-${number}`)
const histories = fc.array(
  fc.record({
    attempt: fc.record({
      pair: few('pair'),
      network: few('network'),
      password: few('password'),
      repeat: few('repeat'),
      widePair: few('wide'),
      wideNetwork: few('wide'),
    }),
    result: fc.constantFrom<LoginResult>('failed', 'failed', 'succeeded', 'withdrawn'),
    passMs: fc.oneof(
      fc.constant(0),
      fc.integer({ min: -2000, max: 4000 }),
      fc.integer({ min: 0, max: 20 * MINUTE }),
      fc.integer({ min: 0, max: 40 * DAY }),
    ),
  }),
  { minLength: 5, maxLength: 40 },
)

t.test('both stores judge the same history alike', async t => {
  const stores = await Promise.all(STORES.map(({ create }) => create()))
  t.teardown(() => Promise.all(stores.map(store => store.stop())))
  // One instant for both; each history after all of the last one is forgotten.
  let at = Date.now()
  let run = 0
  await fc.assert(
    fc.asyncProperty(histories, async history => {
      run += 1
      at += 100 * DAY
      for (const { attempt, result, passMs } of history) {
        const own: Ids = {
          pair: `${run}${attempt.pair}`,
          network: `${run}${attempt.network}`,
          password: `${run}${attempt.password}`,
          repeat: `${run}${attempt.repeat}`,
          widePair: `${run}${attempt.widePair}`,
          wideNetwork: `${run}${attempt.wideNetwork}`,
        }
        at += passMs
        const verdicts = await Promise.all(
          stores.map(async store => {
            store.clock.set(at)
            const { attempt: tryOnce, isWelcome } = driverOf(store)
            const verdict = await tryOnce(own, result)
            return { verdict, welcome: await isWelcome(own) }
          }),
        )
        assert.deepStrictEqual(verdicts[0], verdicts[1])
      }
    }),
    { numRuns: 100, seed: 4 },
  )
})

t.test('every count expires', async t => {
  for (const { name, create } of STORES) {
    const real = await create()
    t.teardown(() => real.stop())
    const { attempt, clock } = driverOf(real)
    for (const result of ['failed', 'succeeded', 'withdrawn'] as const) {
      await attempt(someAttempt(), result)
    }
    const lives = await real.loginCountLives()
    t.ok(lives.length > 0, name)
    t.ok(
      lives.every(ms => ms > 0 && ms <= 30 * DAY),
      `${name}: ${lives}`,
    )
    clock.advance(31 * DAY)
    await attempt(someAttempt(), 'withdrawn')
    if (name === 'SQLite') {
      t.same(await real.loginCountLives(), [], 'and goes with a later try')
    }
  }
})
