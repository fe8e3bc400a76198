// A name and a password: who gets in, who is told to wait, and what nobody is told.
import t, { type Test } from 'tap'
import type { Event } from '../../src/base/events/events.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { batchCalls } from '../../src/users/failed-logins/batch-calls.ts'
import { createAccounts } from '../../src/users/accounts.ts'
import { createBuiltInDirectory } from '../../src/users/directory/built-in.ts'
import type { Directory } from '../../src/users/directory/directory.ts'
import { createAuthenticate, type LoginTry } from '../../src/users/authenticate.ts'
import { createTimePadding } from '../../src/users/failed-logins/time-padding.ts'
import { createNameInLogs } from '../../src/users/names/name-in-logs.ts'
import { networkOf, networksOf } from '../../src/users/failed-logins/network.ts'
import {
  createPasswordHasher,
  type Hashing,
  type PasswordHasher,
} from '../../src/users/hashing/hasher.ts'
import {
  mustChangePassword,
  noteRequiredChange,
} from '../../src/users/required-change.ts'
import { createFailedLogins } from '../../src/users/failed-logins/failed-logins.ts'
import { createHandClock } from '../support/clock.ts'
import { NO_ATTRIBUTES, someAccount } from '../support/stores.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const COST = {
  memoryKiB: 16,
  passes: 2,
  parallelism: 1,
  concurrency: 2,
  memoryShare: 50,
  queue: 1000,
  maxWait: 60_000,
}
const cheap = createPasswordHasher(COST)
const dearer = createPasswordHasher({ ...COST, memoryKiB: 24 })
const SECRETS = ['s'.repeat(43)]
const HOME = '192.0.2.1'
const BCRYPT = '$2b$04$BXhdCVgpe..xljZSoArnhe8bFVzKL2eL8RiaGDQbh4rylvtHJ/b0G'

interface Options {
  readonly hasher?: PasswordHasher
  readonly over?: (directory: Directory) => Partial<Directory>
  readonly logins?: Partial<{ perName: number; perNetwork: number; perPassword: number }>
}

/** Logins on a new store with Ann in it. Every look at a password is counted. */
async function setUp(
  t: Test,
  { hasher = cheap, over = () => ({}), logins = {} }: Options = {},
) {
  const clock = createHandClock()
  const store = createSqliteStore({ file: ':memory:', clock })
  t.teardown(() => store.close())
  const events: Event[] = []
  const looks: string[] = []
  const builtIn = createBuiltInDirectory({ ...store, ...NO_ATTRIBUTES })
  const directory = { ...builtIn, ...over(builtIn) }
  const policy = {
    perName: 5,
    perNetwork: 100,
    perPassword: 20,
    maxDelay: 15 * MINUTE,
    knownFor: 30 * DAY,
    ...logins,
  }
  const accounts = createAccounts({
    directory: builtIn,
    hasher,
    emit: () => {},
    checkNewPassword: async () => undefined,
    ...NO_ATTRIBUTES,
  })
  const failedLogins = createFailedLogins({
    attempts: store.loginAttempts,
    secrets: SECRETS,
    policy: () => policy,
  })
  const server = (by = hasher) => {
    const authenticate = createAuthenticate({
      directory,
      hasher: counting(by, looks),
      failedLogins,
      emit: event => events.push(event),
    })
    return (name: string, password: string, more: Partial<LoginTry> = {}) =>
      authenticate({
        name,
        password,
        address: HOME,
        clientId: 'mobile',
        ...more,
      })
  }
  const bring = (name: string, passwordHash: string) =>
    store.directory.add(
      someAccount(name, { name, foldedName: name.toLowerCase(), passwordHash }),
    )
  const added = await accounts.add({
    name: 'Ann',
    password: 'correct horse',
    scopes: ['a'],
    roles: ['admin'],
  })
  if (added.kind !== 'added') throw new Error('Ann is not there')
  return {
    accounts,
    bring,
    clock,
    events,
    looks,
    server,
    store,
    sub: added.account.sub,
    login: server(),
  }
}

function counting(hasher: PasswordHasher, looks: string[]): PasswordHasher {
  const watch = (hashing: Hashing): Hashing => ({
    hash: password => {
      looks.push('hash')
      return hashing.hash(password)
    },
    verify: (hash, password) => {
      looks.push('verify')
      return hashing.verify(hash, password)
    },
    verifyDummy: password => {
      looks.push('nothing')
      return hashing.verifyDummy(password)
    },
  })
  return {
    ...hasher,
    enqueue: (request, work) => hasher.enqueue(request, hashing => work(watch(hashing))),
  }
}

t.test('the right password gets in by any form of the name', async t => {
  const { login, accounts } = await setUp(t)
  for (const name of ['Ann', 'ANN', 'ann', 'ＡＮＮ']) {
    t.match(await login(name, 'correct horse'), {
      kind: 'ok',
      account: await accounts.find('ann'),
    })
  }
})

t.test('who does not get in is told why, for the log', async t => {
  const { login, accounts, sub } = await setUp(t)
  t.same(await login('bob', 'correct horse'), { kind: 'refused', reason: 'user_unknown' })
  t.same(await login('a name that nobody can have', 'correct horse'), {
    kind: 'refused',
    reason: 'user_unknown',
  })
  t.same(await login('ann', 'wrong horse'), {
    kind: 'refused',
    reason: 'password_wrong',
    sub,
  })
  await accounts.disable('ann')
  t.same(
    await login('ann', 'wrong horse 2'),
    { kind: 'refused', reason: 'password_wrong', sub },
    'only the password tells that it is disabled',
  )
  t.same(await login('ann', 'correct horse'), {
    kind: 'refused',
    reason: 'user_disabled',
    sub,
  })
})

t.test('every refusal costs one look', async t => {
  const { login, accounts, looks } = await setUp(t)
  await accounts.disable('ann')
  for (const name of ['bob', '', 'ann lee', 'ann.', 'ann']) {
    await login(name, 'wrong horse', { address: `198.51.${name.length}.1` })
  }
  await login('ann', 'correct horse')
  t.same(looks, ['nothing', 'nothing', 'nothing', 'nothing', 'verify', 'verify'])
})

t.test(
  'the same wrong password within a minute counts once and costs nothing',
  async t => {
    const { login, looks, clock, sub } = await setUp(t)
    for (let i = 0; i < 20; i++) {
      t.same(await login('ann', 'wrong horse'), {
        kind: 'refused',
        reason: i === 0 ? 'password_wrong' : 'password_repeated',
        sub,
      })
      t.match(
        await login('bob', 'wrong horse'),
        { kind: 'refused', reason: i === 0 ? 'user_unknown' : 'password_repeated' },
        'for no account alike',
      )
    }
    t.same(looks, ['verify', 'nothing'])
    clock.advance(MINUTE)
    t.match(await login('ann', 'wrong horse'), { reason: 'password_wrong' })
    t.match(
      await login('ann', 'wrong horse', { address: '198.51.100.1' }),
      { reason: 'password_wrong' },
      'from elsewhere it is another one',
    )
    t.equal(looks.length, 4)
  },
)

t.test("a known user's login takes back no failure of others", async t => {
  const { login, looks } = await setUp(t, { logins: { perNetwork: 3 } })
  t.match(await login('ann', 'correct horse'), { kind: 'ok', known: false })
  for (const name of ['bob', 'cid']) {
    t.match(await login(name, 'wrong horse'), { kind: 'refused' })
  }
  // As often as an attacker with an account of their own likes.
  for (let i = 0; i < 3; i++) {
    t.match(await login('ann', 'correct horse'), { kind: 'ok', known: true })
  }
  t.match(await login('dan', 'wrong horse'), { kind: 'refused' })
  looks.length = 0
  t.match(await login('eve', 'wrong horse'), { kind: 'throttled', by: 'network' })
  t.same(looks, [])
})

t.test('a password that was wrong may be right once another was set', async t => {
  const { login, accounts } = await setUp(t)
  t.match(await login('ann', 'battery staple'), { reason: 'password_wrong' })
  await accounts.setPassword('ann', 'battery staple')
  t.match(await login('ann', 'battery staple'), { kind: 'ok' })
  await accounts.disable('ann')
  t.match(await login('ann', 'battery staple'), { reason: 'user_disabled' })
  await accounts.enable('ann')
  t.match(await login('ann', 'battery staple'), { kind: 'ok' })
})

t.test(
  'after the allowance a failure costs a delay, whether the name exists or not',
  async t => {
    const { login, clock, looks, sub } = await setUp(t)
    for (const name of ['ann', 'bob', 'not a name']) {
      const whose = name === 'ann' ? { sub } : {}
      looks.length = 0
      for (let i = 0; i < 5; i++) {
        t.match(await login(name, `wrong ${i}`), { kind: 'refused' })
      }
      t.same(await login(name, 'wrong 5'), {
        kind: 'throttled',
        by: 'pair',
        retryAfterMs: 1000,
        ...whose,
      })
      t.equal(looks.length, 5, 'and no look')
      clock.advance(1000)
      t.match(await login(name, 'wrong 6'), { kind: 'refused' })
      t.same(await login(name, 'wrong 7'), {
        kind: 'throttled',
        by: 'pair',
        retryAfterMs: 2000,
        ...whose,
      })
    }
  },
)

t.test('every spelling of a name has one count', async t => {
  const { login, looks } = await setUp(t)
  const letters = ['a', 'A', 'ａ', 'Ａ', 'ⓐ', 'Ⓐ', '𝐚', '𝖆', 'ª', 'ᵃ']
  const spellings = letters.flatMap(a =>
    ['n', 'N', 'ｎ', 'Ｎ', 'ⓝ'].flatMap(n =>
      ['n', 'N', 'ⁿ', '𝕟'].map(last => `${a}${n}${last}`),
    ),
  )
  t.equal(spellings.length, 200)
  for (const [index, spelling] of spellings.entries()) {
    await login(spelling, `wrong ${index}`)
  }
  t.same(looks, Array(5).fill('verify'))
})

t.test('every name that nobody can have has a count of its own', async t => {
  const { login } = await setUp(t)
  const guess = async (name: string, index: number) =>
    (await login(name, `wrong ${index}`)).kind
  for (let index = 0; index < 5; index++) {
    t.equal(await guess('ann lee', index), 'refused')
  }
  t.equal(await guess('ann lee', 5), 'throttled')
  t.equal(await guess('bob lee', 6), 'refused', "another's typing error is not counted")
})

t.test('what a keyboard puts around a name is cut off', async t => {
  const { login, sub } = await setUp(t)
  for (const name of [
    'ann ',
    ' Ann',
    'ANN\u00A0',
    '\uFEFFann',
    'ann\u200E',
    '\tann\r\n',
  ]) {
    t.match(await login(name, 'correct horse'), { kind: 'ok', account: { sub } })
  }
})

t.test('many guesses at once: no more are looked at than the allowance', async t => {
  const { login, looks } = await setUp(t)
  const outcomes = await Promise.all(
    Array.from({ length: 1000 }, (_, index) => login('ann', `guess ${index}`)),
  )
  t.equal(looks.length, 5)
  t.equal(outcomes.filter(({ kind }) => kind === 'throttled').length, 995)
})

t.test('many right logins at once all get in', async t => {
  const { login } = await setUp(t)
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, () => login('ann', 'correct horse')),
  )
  t.ok(outcomes.every(({ kind }) => kind === 'ok'))
})

t.test('one password at many names is a guess, too', async t => {
  const { login, looks } = await setUp(t)
  for (let i = 0; i < 20; i++) {
    t.match(await login(`user-${i}`, 'summer 2026', { address: `198.51.${i}.1` }), {
      kind: 'refused',
    })
  }
  t.same(await login('user-20', 'summer 2026', { address: '203.0.113.1' }), {
    kind: 'throttled',
    by: 'password',
    retryAfterMs: 1000,
  })
  t.match(await login('user-20', 'another', { address: '203.0.113.1' }), {
    kind: 'refused',
  })
  t.equal(looks.length, 21)
})

t.test('one network at many names as well; who is known there gets in', async t => {
  const { login } = await setUp(t, { logins: { perNetwork: 10 } })
  t.match(await login('ann', 'correct horse'), { kind: 'ok', known: false })
  for (let i = 0; i < 10; i++) {
    await login(`user-${i}`, `guess ${i}`, { address: `192.0.2.${i}` })
  }
  t.match(await login('user-10', 'guess', { address: '192.0.2.77' }), {
    kind: 'throttled',
    by: 'network',
  })
  t.match(await login('ann', 'correct horse', { address: '192.0.2.200' }), {
    kind: 'ok',
    known: true,
  })
})

t.test(
  'a hundred networks guess at one name: each gets its allowance, and the owner gets in from home',
  async t => {
    const { login, looks } = await setUp(t)
    await login('ann', 'correct horse')
    looks.length = 0
    const outcomes = new Map<string, number>()
    for (let guess = 0; guess < 2_000; guess++) {
      const network = `10.${guess % 100}.0`
      const { kind } = await login('ann', `guess ${guess}`, {
        address: `${network}.${guess % 250}`,
      })
      if (kind === 'refused') outcomes.set(network, (outcomes.get(network) ?? 0) + 1)
    }
    t.equal(looks.length, 500)
    t.equal(outcomes.size, 100)
    t.ok(
      [...outcomes.values()].every(count => count === 5),
      'no network more than its allowance',
    )
    t.match(await login('ann', 'correct horse'), { kind: 'ok', known: true })
  },
)

t.test('what is asked while another question is under way is asked together', async t => {
  const asked: string[][] = []
  const answers: PromiseWithResolvers<readonly string[]>[] = []
  const ask = batchCalls((questions: readonly string[]) => {
    asked.push([...questions])
    const answer = Promise.withResolvers<readonly string[]>()
    answers.push(answer)
    return answer.promise
  })
  const first = ask('one')
  const others = ['two', 'three'].map(question => ask(question))
  t.same(asked, [['one']], 'the first one waits for nobody')
  answers[0]?.resolve(['1'])
  t.equal(await first, '1')
  t.same(asked, [['one'], ['two', 'three']])
  answers[1]?.resolve(['2', '3'])
  t.same(await Promise.all(others), ['2', '3'])
  const refused = Array.from({ length: 300 }, (_, index) => ask(`${index}`))
  answers[2]?.resolve(['0'])
  answers[2]?.promise.then(() => setImmediate(() => answers[3]?.reject(new Error('no'))))
  const outcomes = await Promise.allSettled(refused.slice(0, 257))
  t.same(
    outcomes.map(({ status }) => status),
    ['fulfilled', ...Array(256).fill('rejected')],
  )
  answers[4]?.resolve(Array(43).fill('late'))
  t.same(
    await Promise.all(refused.slice(257)),
    Array(43).fill('late'),
    'a fault is no end, and never more than 256 are asked at once',
  )
})

t.test('a hash of an old cost is made anew at the next login, once', async t => {
  const set = await setUp(t)
  const login = set.server(dearer)
  t.match(await login('ann', 'wrong horse'), { kind: 'refused' })
  t.same(set.events, [], 'not by a wrong password')
  t.match(await login('ann', 'correct horse'), { kind: 'ok' })
  t.match(await login('ann', 'correct horse'), { kind: 'ok' })
  t.same(set.events, [{ type: 'password.upgraded', sub: set.sub }])
  t.match(await set.accounts.find('ann'), { passwordHash: /m=24/, sessionsEpoch: 1 })
})

t.test('a password that must be changed is the same one under a better hash', async t => {
  const set = await setUp(t)
  const ann = async () => {
    const account = await set.accounts.find('ann')
    if (account === undefined) throw new Error('nobody')
    return account
  }
  await noteRequiredChange(set.store.directory, await ann(), true)
  const { version } = await ann()
  const outcome = await set.server(dearer)('ann', 'correct horse')
  const after = await ann()
  t.match(outcome, { kind: 'ok', account: after }, 'as it is now')
  t.equal(after.version, version + 1)
  t.match(after.passwordHash, /m=24/)
  t.equal(mustChangePassword(after), true)
  t.same(set.events, [{ type: 'password.upgraded', sub: set.sub }])
})

t.test('a better hash is no way around an end of sessions', async t => {
  let ended = 0
  const set = await setUp(t, {
    over: ({ byTag }) => ({
      async byTag(tag) {
        const found = await byTag(tag)
        return found && { ...found, sessionsEpoch: found.sessionsEpoch + ended }
      },
    }),
  })
  const before = await set.accounts.find('ann')
  if (before === undefined) throw new Error('nobody')
  await noteRequiredChange(set.store.directory, before, true)
  const { sessionsEpoch } = before
  ended = 1
  const outcome = await set.server(dearer)('ann', 'correct horse')
  t.match(outcome, { kind: 'ok', account: { sessionsEpoch } })
})

t.test('of a hundred logins at once on two servers one makes the hash anew', async t => {
  let writes = 0
  const set = await setUp(t, {
    over: directory => ({
      upgradePassword: async (...args) => {
        const upgraded = await directory.upgradePassword(...args)
        writes += Number(upgraded)
        return upgraded
      },
    }),
  })
  const servers = [set.server(dearer), set.server(dearer)]
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      servers[index % 2]?.('ann', 'correct horse'),
    ),
  )
  t.ok(outcomes.every(outcome => outcome?.kind === 'ok'))
  t.equal(writes, 1)
  t.equal(set.events.length, 1)
  t.ok(set.looks.filter(look => look === 'hash').length <= 4, 'and few take the trouble')
})

t.test(
  'a foreign hash is verified as it is, and is ours after the first login',
  async t => {
    const { accounts, bring, login, events } = await setUp(t)
    await bring('Bob', BCRYPT)
    t.match(await login('bob', 'wrong horse'), { kind: 'refused' })
    t.match(await login('bob', 'correct horse'), { kind: 'ok' })
    t.match(await accounts.find('bob'), {
      passwordHash: /^\$argon2id\$v=19\$m=16,t=2,p=1\$/,
    })
    t.match(events, [{ type: 'password.upgraded' }])
    t.match(await login('bob', 'correct horse'), { kind: 'ok' })
    t.equal(events.length, 1)
  },
)

t.test('a fault is no verdict, and counts for nobody', async t => {
  const fault = async () => {
    throw new StoreUnavailable(undefined, 'away')
  }
  const noUpgrade = await setUp(t, { over: () => ({ upgradePassword: fault }) })
  await t.rejects(noUpgrade.server(dearer)('ann', 'correct horse'), StoreUnavailable)
  await t.rejects(
    (await setUp(t, { over: () => ({ findLogin: fault }) })).login(
      'ann',
      'correct horse',
    ),
    StoreUnavailable,
  )
  const broken: PasswordHasher = {
    ...cheap,
    enqueue: (request, work) =>
      cheap.enqueue(request, hashing =>
        work({
          ...hashing,
          verify: async () => {
            throw new TypeError('a fault of ours')
          },
        }),
      ),
  }
  const set = await setUp(t)
  const login = set.server(broken)
  for (let i = 0; i < 10; i++) {
    await t.rejects(login('ann', `correct horse ${i}`), TypeError)
  }
  t.match(await set.login('ann', 'wrong horse'), { kind: 'refused' })
})

t.test('who has gone away costs nothing', async t => {
  const { login, looks } = await setUp(t)
  await t.rejects(login('ann', 'correct horse', { signal: AbortSignal.abort() }), {
    name: 'OAuthError',
    reason: 'client_gone',
  })
  t.same(looks, [])
})

t.test(
  'refusals last as long as the longest check, once one was of an odd hash',
  async t => {
    let now = 0
    let waited = 0
    const timePadding = createTimePadding(() => now, {
      async wait(ms) {
        waited += ms
      },
    })
    /** How long is waited beside a check that took so long. */
    const waits = async (ms: number) => {
      waited = 0
      await timePadding.pad(ms)
      return waited
    }
    timePadding.observe(100, false)
    t.equal(await waits(10), 0, 'nothing odd, nothing to even out')
    timePadding.observe(60, true)
    t.equal(await waits(20), 80, 'up to the longest')
    t.equal(await waits(120), 0)
    now += 3_600_000
    t.equal(await waits(20), 80, 'for an hour or two')
    timePadding.observe(10, false)
    now += 3_600_000
    t.equal(await waits(0), 0, 'and no more')
    timePadding.observe(30, true)
    now += 9 * 3_600_000
    t.equal(await waits(0), 0, 'nor after a quiet night')
    timePadding.observe(9e9, true)
    t.equal(await waits(1_950), 50, 'a sleeping machine makes nobody wait for long')
  },
)

t.test('an unknown name takes the time of a slow foreign hash', async t => {
  const { bring, login } = await setUp(t)
  // 14 rounds take a second, 4 a millisecond.
  await bring('Bob', BCRYPT.replace('$04$', '$10$'))
  const timed = async (name: string) => {
    const start = performance.now()
    await login(name, `wrong ${start}`)
    return performance.now() - start
  }
  // The shortest of some, which is the least that others' work on the machine has added to.
  const bob = Math.min(await timed('bob'), await timed('bob'), await timed('bob'))
  const [ann, nobody] = [await timed('ann'), await timed('nobody')]
  t.ok(ann > bob / 2 && nobody > bob / 2, `${ann} and ${nobody} against ${bob} ms`)
})

const networks = [
  { address: '192.0.2.77', network: '192.0.2.0/24' },
  { address: '::ffff:192.0.2.77', network: '192.0.2.0/24' },
  { address: '::ffff:c000:24d', network: '192.0.2.0/24' },
  { address: '2001:db8:1:2:3:4:5:6', network: '2001:db8:1:2::/64' },
  { address: '2001:DB8:1:2::', network: '2001:db8:1:2::/64' },
  { address: 'fe80::1%eth0', network: 'fe80::/64' },
  { address: '::1', network: '::/64' },
  { address: 'unknown', network: 'unknown' },
]

for (const { address, network } of networks) {
  t.test(`${address} is in ${network}`, async t => {
    t.equal(networkOf(address), network)
  })
}

t.test('an IPv6 address is in three networks, the smallest first', async t => {
  t.same(networksOf('2001:db8:1:2a3:4::5'), [
    '2001:db8:1:2a3::/64',
    '2001:db8:1:200::/56',
    '2001:db8:1::/48',
  ])
  t.same(networksOf('::ffff:192.0.2.77'), ['192.0.2.0/24'])
  t.same(networksOf('unknown'), ['unknown'])
})

t.test(
  'a name is told to the log by a keyed hash, the same for each spelling',
  async t => {
    let plain = false
    const nameInLogs = createNameInLogs({ secrets: SECRETS, plain: () => plain })
    t.match(nameInLogs('Ann'), /^h:[\w-]{22}$/)
    t.equal(nameInLogs('ＡＮＮ'), nameInLogs('Ann'))
    t.not(nameInLogs('Bob'), nameInLogs('Ann'))
    t.match(nameInLogs('not a name'), /^h:[\w-]{22}$/)
    t.not(
      createNameInLogs({ secrets: ['t'.repeat(43)], plain: () => false })('Ann'),
      nameInLogs('Ann'),
    )
    plain = true
    t.equal(nameInLogs('Ann'), 'Ann')
    t.throws(() => createNameInLogs({ secrets: [], plain: () => false }), TypeError)
    t.throws(
      () =>
        createFailedLogins({
          attempts: createSqliteStore({ file: ':memory:', clock: Date.now })
            .loginAttempts,
          secrets: [],
          policy: () => {
            throw new Error('not asked')
          },
        }),
      TypeError,
    )
  },
)
