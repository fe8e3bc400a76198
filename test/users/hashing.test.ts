// Making and checking hashes, and who may do so when: turns, shares, deadlines, and what the machine bears.
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { cpuQuota, hasAvx2, limitedMemory, thisMachine } from '../../src/base/machine.ts'
import { argon2, chooseArgon2 } from '../../src/users/hashing/argon2.ts'
import { calibrate, settingsText } from '../../src/users/hashing/calibrate.ts'
import { planCapacity } from '../../src/users/hashing/capacity.ts'
import { createFairQueue } from '../../src/users/hashing/fair-queue.ts'
import { createHashSlots } from '../../src/users/hashing/hash-slots.ts'
import {
  createPasswordHasher,
  type Hashing,
  type HashingOptions,
} from '../../src/users/hashing/hasher.ts'
import { createRankedQueue } from '../../src/users/hashing/ranked-queue.ts'
import { createHashQueue, type QueueRequest } from '../../src/users/hashing/queue.ts'

const cheap: HashingOptions = {
  memoryKiB: 32,
  passes: 2,
  parallelism: 1,
  concurrency: 2,
  memoryShare: 50,
  queue: 64,
  maxWait: 60_000,
}
const MIB = 1024 * 1024
const machine = { hashCores: 1, memoryBytes: 256 * MIB }
const hasher = createPasswordHasher(cheap, machine)
const ANYBODY: QueueRequest = { lane: ['mobile', '192.0.2.0/24'] }
const verify = (hash: string, password: string, by = hasher) =>
  by.enqueue(ANYBODY, hashing => hashing.verify(hash, password))

const SALT = 'c29tZXNhbHRzb21lc2FsdA'
const HASH = 'RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs'
const phc = (costs: string, type = 'argon2id') => `$${type}$v=19$${costs}$${SALT}$${HASH}`

t.test('a password belongs to its own hash only', async t => {
  const hash = await hasher.hash('correct horse')
  t.match(hash, /^\$argon2id\$v=19\$m=32,t=2,p=1\$/)
  t.ok(await verify(hash, 'correct horse'))
  t.notOk(await verify(hash, 'correct horsf'))
  t.not(await hasher.hash('correct horse'), hash, 'each hash has its own salt')
})

t.test('a password is the same from whatever keyboard it comes', async t => {
  t.ok(await verify(await hasher.hash('caf\u00E9 olé'), 'cafe\u0301 ole\u0301'))
  t.ok(await verify(await hasher.hash('cafe\u0301 olé'), 'caf\u00E9 olé'))
  t.notOk(
    await verify(await hasher.hash('ﬁx it now'), 'fix it now'),
    'compatibility characters stay apart',
  )
  const foreign = await argon2.hash('cafe\u0301', {
    type: argon2.argon2id,
    memoryCost: 16,
    timeCost: 1,
    parallelism: 1,
  })
  t.ok(await verify(foreign, 'cafe\u0301'), 'and others hashed what was typed')
})

t.test('every byte of a long password matters', async t => {
  const hash = await hasher.hash('a'.repeat(256))
  t.notOk(await verify(hash, `${'a'.repeat(255)}b`))
})

t.test(
  'the fast build of argon2 computes where it is there, can run and passes its test',
  async t => {
    const portable = JSON.stringify(
      join(import.meta.dirname, '../../node_modules/argon2/argon2.cjs'),
    )
    const directory = t.testdir({
      'good.cjs': `module.exports = require(${portable})`,
      'wrong.cjs': 'module.exports = { hash: async () => Buffer.alloc(32) }',
      'broken.cjs': 'throw new Error("invalid ELF header")',
      'illegal.cjs': 'process.kill(process.pid, "SIGILL")',
      'stuck.cjs': 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)',
    })
    const choose = (name: string, more = {}) => {
      const {
        name: chosen,
        reason,
        argon2: { hash },
      } = chooseArgon2({ file: join(directory, name), capable: true, ...more })
      t.type(hash, 'function')
      return { chosen, reason }
    }
    t.same(choose('good.cjs'), { chosen: 'avx2', reason: undefined })
    t.same(choose('good.cjs', { capable: false }), {
      chosen: 'portable',
      reason: 'processor_without_avx2',
    })
    t.same(choose('none.cjs'), { chosen: 'portable', reason: 'not_built' })
    for (const name of ['wrong.cjs', 'broken.cjs', 'illegal.cjs']) {
      t.same(choose(name), { chosen: 'portable', reason: 'self_test_failed' }, name)
    }
    t.same(
      choose('stuck.cjs', { patienceMs: 500 }),
      { chosen: 'portable', reason: 'self_test_failed' },
      'stuck.cjs',
    )

    t.equal(
      hasAvx2(() => 'processor\t: 0\nflags\t\t: fpu sse2 avx2 bmi2\n'),
      true,
    )
    t.equal(
      hasAvx2(
        () => 'processor\t: 0\nmodel name\t: avx2\nflags\t\t: fpu sse2 avx xavx2\n',
      ),
      false,
    )
    t.equal(
      hasAvx2(() => {
        throw new Error('ENOENT')
      }),
      false,
    )
    t.type(hasAvx2(), 'boolean')
  },
)

const gib = (hashCores: number, memory: number) => ({
  hashCores,
  memoryBytes: memory * 1024 * MIB,
})
const calibrations = [
  {
    name: 'a machine that fills 100 MiB in 100 ms',
    machine: gib(1, 4),
    target: 250,
    found: { memoryKiB: 65_536, passes: 3, inTime: true },
  },
  {
    name: 'half the time',
    machine: gib(1, 4),
    target: 50,
    found: { memoryKiB: 25_600, passes: 2, inTime: true },
  },
  {
    name: 'no time',
    machine: gib(1, 4),
    target: 20,
    found: { memoryKiB: 19_456, passes: 2, inTime: false },
  },
  {
    name: 'all the time',
    machine: gib(1, 4),
    target: 60_000,
    found: { memoryKiB: 65_536, passes: 100, inTime: true },
  },
  {
    name: 'little memory: more passes',
    machine: { hashCores: 1, memoryBytes: 169 * MIB },
    target: 250,
    found: { memoryKiB: 25_600, passes: 10, inTime: true },
  },
  {
    name: 'a cost that grows faster than its measure: fewer passes',
    machine: gib(1, 4),
    target: 250,
    extraMs: 60,
    found: { memoryKiB: 65_536, passes: 2, inTime: true },
  },
]

for (const { name, machine, target, extraMs = 0, found } of calibrations) {
  t.test(`the cost of a hash is fitted to ${name}`, async t => {
    let now = 0
    const hash = async ({ memoryKiB, passes }: { memoryKiB: number; passes: number }) => {
      now += (memoryKiB * passes) / 1024 + (memoryKiB > 60_000 ? extraMs : 0)
    }
    const { tookMs, perSecond, ...rest } = await calibrate({
      targetMs: target,
      memoryShare: 50,
      machine,
      hash,
      monotonic: () => now,
    })
    t.same(rest, { ...found, parallelism: 1, concurrency: 1 })
    t.equal(tookMs <= target, found.inTime)
    t.ok(Math.abs((perSecond * tookMs) / 1000 - 1) < 0.05)
  })
}

t.test('the cost that was found is written as the configuration file has it', async t => {
  const found = {
    memoryKiB: 65_536,
    passes: 3,
    parallelism: 1,
    concurrency: 2,
    tookMs: 212.4,
    perSecond: 9.4,
    inTime: true,
  }
  const lines = [
    '# 212 ms a hash, 2 at a time: about 9.4 logins a second, with the # build of argon2.',
    'passwords: { memoryKiB: 65536, passes: 3, parallelism: 1, concurrency: auto }',
  ]
  t.same(
    settingsText(found, 250)
      .replace(/portable|avx2/, '#')
      .split('\n'),
    lines,
  )
  t.same(
    settingsText({ ...found, inTime: false }, 200).split('\n')[1],
    '# That is longer than 200 ms, but no password deserves less.',
  )
})

t.test(
  'the cost of a hash is measured with as many at once as the server has',
  async t => {
    let [running, most] = [0, 0]
    const hash = async () => {
      most = Math.max(most, (running += 1))
      await wait(1)
      running -= 1
    }
    t.match(
      await calibrate({
        targetMs: 1000,
        memoryShare: 50,
        machine: gib(3, 4),
        hash,
      }),
      { concurrency: 3 },
    )
    t.equal(most, 3)
  },
)

t.test('a hash of another algorithm verifies', async t => {
  t.ok(
    await verify(
      '$2y$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe',
      'a'.repeat(72),
    ),
  )
})

const foreign = [
  {
    name: 'ours',
    hash: phc('m=32,t=2,p=1'),
    fault: undefined,
    upgrade: false,
  },
  {
    name: 'other memory',
    hash: phc('m=64,t=2,p=1'),
    fault: undefined,
    upgrade: true,
  },
  {
    name: 'other passes',
    hash: phc('m=32,t=3,p=1'),
    fault: undefined,
    upgrade: true,
  },
  {
    name: 'other lanes',
    hash: phc('m=32,t=2,p=2'),
    fault: undefined,
    upgrade: true,
  },
  {
    name: 'an older version',
    hash: phc('m=32,t=2,p=1').replace('v=19', 'v=16'),
    fault: undefined,
    upgrade: true,
  },
  {
    name: 'no version',
    hash: phc('m=32,t=2,p=1').replace('$v=19', ''),
    fault: undefined,
    upgrade: true,
  },
  {
    name: 'argon2i at our cost',
    hash: phc('m=32,t=2,p=1', 'argon2i'),
    fault: undefined,
    upgrade: true,
  },
  {
    name: "Django's way of writing it",
    hash: `argon2${phc('m=32,t=2,p=1')}`,
    fault: undefined,
    upgrade: true,
  },
  {
    name: 'bcrypt',
    hash: '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
    fault: undefined,
    upgrade: true,
  },
  {
    name: 'no known form',
    hash: 'password',
    fault: 'hash_unsupported',
    upgrade: true,
  },
  {
    name: 'too many passes',
    hash: phc('m=32,t=11,p=1'),
    fault: 'hash_too_costly',
    upgrade: true,
  },
  {
    name: 'more memory than anybody',
    hash: phc('m=4194304,t=1,p=1'),
    fault: 'hash_too_costly',
    upgrade: true,
  },
]

for (const { name, hash, fault, upgrade } of foreign) {
  t.test(
    `a stored hash of ${name} is ${fault ?? 'good'} and ${upgrade ? '' : 'not '}made anew`,
    async t => {
      t.equal(hasher.checkForeign(hash)?.reason, fault)
      t.equal(hasher.needsUpgrade(hash), upgrade)
      if (fault !== undefined) {
        t.equal(await verify(hash, 'password'), false, 'and belongs to no password')
      }
    },
  )
}

t.test('waiting is told', async t => {
  const waited: number[] = []
  await createPasswordHasher(
    { ...cheap, onWaited: ms => waited.push(ms), monotonic: () => 7 },
    machine,
  ).hash('correct horse')
  t.same(waited, [0])
  t.same(hasher.load(), { waiting: 0, working: 0 })
  t.match(hasher.capacity, { concurrency: 2 })
})

t.test(
  'a hash that takes more memory than this machine has for all is not computed',
  async t => {
    const small = createPasswordHasher(cheap, { hashCores: 1, memoryBytes: 176 * MIB })
    t.equal(hasher.checkForeign(phc('m=65536,t=3,p=4')), undefined, 'what pwdlib makes')
    t.match(small.checkForeign(phc('m=65536,t=3,p=4')), {
      reason: 'hash_too_costly',
      detail: /^argon2id asks for 65536 KiB, hashing has \d+ KiB/,
    })
    t.equal(await verify(phc('m=65536,t=3,p=4'), 'password', small), false)
  },
)

t.test('checking against nothing takes the time of a check', async t => {
  const slow = createPasswordHasher({ ...cheap, memoryKiB: 8192, passes: 3 }, machine)
  const hash = await slow.hash('password')
  const works: ((hashing: Hashing) => Promise<unknown>)[] = [
    ({ verify }) => verify(hash, 'wrong'),
    ({ verifyDummy }) => verifyDummy('wrong'),
    ({ verify }) => verify('no hash', 'wrong'),
    ({ verify }) => verify(phc('m=999999,t=1,p=1'), 'wrong'),
  ]
  const shortest = works.map(() => Infinity)
  for (let i = 0; i < 15; i++) {
    for (const [index, work] of works.entries()) {
      // What it costs, however busy others keep the machine.
      const before = process.cpuUsage()
      await slow.enqueue(ANYBODY, work)
      const { user, system } = process.cpuUsage(before)
      shortest[index] = Math.min(shortest[index] ?? 0, (user + system) / 1000)
    }
  }
  const [check = 0, ...others] = shortest
  for (const nothing of others) {
    t.ok(nothing > check / 4, `${nothing} against ${check} ms`)
  }
})

/** Lets everything happen that waits for nothing. */
const calm = () => wait(0)

/** A queue whose jobs end when the test says so, by a clock that stands still. */
function setUpQueue(
  options: { concurrency?: number; queue?: number; maxWaitMs?: number } = {},
) {
  let now = 0
  const started: string[] = []
  const waited: number[] = []
  const running = new Map<string, () => void>()
  const hashQueue = createHashQueue({
    concurrency: 1,
    queue: 64,
    maxWaitMs: 60_000,
    monotonic: () => now,
    onWaited: ms => waited.push(ms),
    ...options,
  })
  return {
    hashQueue,
    started,
    waited,
    advance: (ms: number) => {
      now += ms
    },
    ask: (name: string, request: Partial<QueueRequest> = {}) =>
      hashQueue.enqueue(
        { ...ANYBODY, ...request },
        () =>
          new Promise<void>(resolve => {
            started.push(name)
            running.set(name, resolve)
          }),
      ),
    async end(name: string) {
      running.get(name)?.()
      await calm()
    },
  }
}

const busy = (reason: string, seconds = '1') => ({
  name: 'OAuthError',
  status: 503,
  code: 'temporarily_unavailable',
  reason,
  headers: { 'retry-after': seconds },
})

t.test('so many have their turn at once; the others come one by one', async t => {
  const { hashQueue, started, ask, end } = setUpQueue({ concurrency: 2 })
  const all = ['a', 'b', 'c', 'd'].map(name => ask(name))
  await calm()
  t.same(started, ['a', 'b'])
  t.same(hashQueue.load(), { waiting: 2, working: 2 })
  await end('b')
  t.same(started, ['a', 'b', 'c'])
  for (const name of ['a', 'c', 'd']) await end(name)
  await Promise.all(all)
  t.same(hashQueue.load(), { waiting: 0, working: 0 })
})

t.test('a turn ends also when its work fails', async t => {
  const { hashQueue } = setUpQueue()
  await t.rejects(
    hashQueue.enqueue(ANYBODY, async () => {
      throw new Error('no')
    }),
    { message: 'no' },
  )
  t.equal(await hashQueue.enqueue(ANYBODY, async () => 'yes'), 'yes')
})

t.test("clients take turns, and so do a client's networks", async t => {
  const { started, ask, end } = setUpQueue()
  const flood = [1, 2, 3, 4].map(number =>
    ask(`flood ${number}`, { lane: ['mobile', 'a'] }),
  )
  const others = [
    ask('neighbour', { lane: ['mobile', 'b'] }),
    ask('web 1', { lane: ['web', 'c'] }),
    ask('web 2', { lane: ['web', 'c'] }),
  ]
  await calm()
  for (let i = 0; i < 7; i++) await end(started[i] ?? '')
  await Promise.all([...flood, ...others])
  t.same(started, [
    'flood 1',
    'flood 2',
    'web 1',
    'neighbour',
    'web 2',
    'flood 3',
    'flood 4',
  ])
})

t.test('a full queue puts off the last of whoever has most in it', async t => {
  const { started, ask, end } = setUpQueue({ queue: 3 })
  const taken = [ask('working'), ask('flood 1'), ask('flood 2')]
  const last = t.rejects(ask('flood 3'), busy('hash_queue_full'))
  taken.push(ask('other', { lane: ['web', 'b'] }))
  await last
  await t.rejects(ask('flood 4'), busy('hash_queue_full'), 'which may be the newcomer')
  for (const name of ['working', 'flood 1', 'other', 'flood 2']) await end(name)
  await Promise.all(taken)
  t.same(started, ['working', 'flood 1', 'other', 'flood 2'])
})

t.test(
  'nobody waits longer than the deadline, and who would is told at once',
  async t => {
    const { hashQueue, ask, end, advance, waited } = setUpQueue({ maxWaitMs: 30 })
    const first = ask('first')
    await calm()
    await t.rejects(ask('second'), busy('hash_wait_too_long'))
    t.same(hashQueue.load(), { waiting: 0, working: 1 })
    advance(20)
    await end('first')
    await first
    t.same(waited, [0, 0])
    // The mean turn is 2 ms by now, and grows with each.
    for (let i = 0; i < 30; i++) {
      const turn = ask('again')
      await calm()
      advance(20)
      await end('again')
      await turn
    }
    const working = ask('working')
    const waiting = [ask('one'), ask('two')].map(promise =>
      t.rejects(promise, busy('hash_wait_too_long')),
    )
    await t.rejects(ask('three'), busy('hash_wait_too_long'), 'two ahead are 38 ms')
    const elsewhere = t.rejects(
      ask('elsewhere', { lane: ['web', 'b'] }),
      busy('hash_wait_too_long'),
      'who has nobody ahead waits',
    )
    await Promise.all([...waiting, elsewhere])
    await end('working')
    await working
  },
)

t.test('who would wait longer than the deadline takes no place in the queue', async t => {
  const { hashQueue, ask, end, advance } = setUpQueue({ maxWaitMs: 60_000 })
  for (let i = 0; i < 60; i++) {
    const turn = ask('slow')
    await calm()
    advance(40_000)
    await end('slow')
    await turn
  }
  const held = [ask('working'), ask('one'), ask('two')]
  let refusal: unknown
  const refused = ask('three').catch((error: unknown) => {
    refusal = error
  })
  await calm()
  t.match(refusal, busy('hash_wait_too_long', '80'), 'at once, not when the time is over')
  t.same(hashQueue.load(), { waiting: 2, working: 1 })
  for (const name of ['working', 'one', 'two', 'three']) await end(name)
  await Promise.all([...held, refused])
})

t.test('Retry-After tells how long the queue is', async t => {
  const { ask, end, advance } = setUpQueue({ queue: 2, maxWaitMs: 60_000 })
  for (let i = 0; i < 60; i++) {
    const turn = ask('slow')
    await calm()
    advance(10_000)
    await end('slow')
    await turn
  }
  const held = [ask('working'), ask('one'), ask('two')]
  await t.rejects(ask('three'), busy('hash_queue_full', '20'))
  for (const name of ['working', 'one', 'two']) await end(name)
  await Promise.all(held)
})

t.test('who has gone away leaves the queue', async t => {
  const { hashQueue, started, ask, end } = setUpQueue()
  const [before, meanwhile] = [new AbortController(), new AbortController()]
  before.abort()
  await t.rejects(ask('gone before', { signal: before.signal }), busy('client_gone'))
  const working = ask('working', { signal: meanwhile.signal })
  await calm()
  const waiting = ask('gone', { signal: meanwhile.signal })
  const other = ask('other')
  const gone = t.rejects(waiting, busy('client_gone'))
  meanwhile.abort()
  await gone
  t.same(hashQueue.load(), { waiting: 1, working: 1 }, 'work that has begun goes on')
  await end('working')
  await end('other')
  await Promise.all([working, other])
  t.same(started, ['working', 'other'])
})

t.test('one key has no more than its turns at once; others pass by', async t => {
  const { started, ask, end } = setUpQueue({ concurrency: 3 })
  const key = { id: 'ann', atOnce: 2 }
  const all = [1, 2, 3, 4].map(number => ask(`ann ${number}`, { key }))
  all.push(ask('bob', { key: { id: 'bob', atOnce: 2 } }))
  await calm()
  t.same(started, ['ann 1', 'ann 2', 'bob'])
  await end('bob')
  t.same(started.length, 3)
  await end('ann 1')
  t.same(started.slice(3), ['ann 3'])
  for (const name of ['ann 2', 'ann 3', 'ann 4']) await end(name)
  await Promise.all(all)
})

t.test('a network cut into many small ones has one share', async t => {
  const queue = createFairQueue<string>()
  for (let i = 0; i < 300; i++) {
    queue.push(
      ['mobile', '2001:db8::/48', `2001:db8::${i}:0/56`, `2001:db8::${i}:0/64`],
      'attack',
    )
  }
  t.equal(queue.position(['mobile', '192.0.2.0/24']), 1)
  queue.push(['mobile', '192.0.2.0/24'], 'home')
  t.same([queue.take(() => true), queue.take(() => true)], ['attack', 'home'])
  queue.push(['mobile', '192.0.2.0/24'], 'home')
  t.equal(queue.takeFromLongest(), 'attack', 'and gives way where the queue is full')
})

t.test('of equal lanes, the one whose turn is last gives way', async t => {
  const queue = createFairQueue<string>()
  for (const lane of ['a', 'b', 'c']) queue.push(['mobile', lane], lane)
  t.equal(queue.takeFromLongest(), 'c')
})

t.test('known people go before strangers, who have one turn of four', async t => {
  const { started, ask, end } = setUpQueue({ queue: 8 })
  const all = [ask('working')]
  for (let i = 1; i <= 3; i++) {
    all.push(ask(`stranger ${i}`, { lane: ['mobile', `${i}`] }))
  }
  for (let i = 1; i <= 5; i++) {
    all.push(ask(`known ${i}`, { lane: ['mobile', `known ${i}`], known: true }))
  }
  await calm()
  for (let i = 0; i < 9; i++) await end(started[i] ?? '')
  await Promise.all(all)
  t.same(started, [
    'working',
    'known 1',
    'known 2',
    'known 3',
    'stranger 1',
    'known 4',
    'known 5',
    'stranger 2',
    'stranger 3',
  ])
})

t.test('a full queue puts off strangers first', async t => {
  const { started, ask, end } = setUpQueue({ queue: 2 })
  const all = [ask('working'), ask('known 1', { known: true })]
  const stranger = t.rejects(ask('stranger'), busy('hash_queue_full'))
  all.push(ask('known 2', { known: true }))
  await stranger
  await t.rejects(ask('known 3', { known: true }), busy('hash_queue_full'))
  for (const name of ['working', 'known 1', 'known 2']) await end(name)
  await Promise.all(all)
  t.same(started, ['working', 'known 1', 'known 2'])
})

t.test('the place in the queue counts those who go before', async t => {
  const queue = createRankedQueue<string>()
  const [known, stranger] = [{ lane: ['a'], known: true }, { lane: ['b'] }]
  for (let i = 0; i < 5; i++) {
    queue.push(known, `known ${i}`)
    queue.push(stranger, `stranger ${i}`)
  }
  t.equal(queue.position({ lane: ['c'] }), 6, 'all known people, and one of lane b')
  t.equal(queue.position(stranger), 10)
  t.equal(queue.position({ lane: ['c'], known: true }), 1)
  t.equal(queue.position(known), 6)
  for (const place of [known, stranger]) {
    queue.push(place, 'last')
    queue.remove(place, 'last')
  }
  t.equal(queue.size, 10)
})

t.test('whatever comes and goes, the queue counts right and starves nobody', async t => {
  const lane = fc
    .tuple(fc.constantFrom('x', 'y'), fc.constantFrom('1', '2', '3'))
    .map(path => path as string[])
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('push' as const), lane }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('take' as const), lane }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('longest' as const), lane }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), lane }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const queue = createFairQueue<{ lane: string[] }>()
      const model: { lane: string[] }[] = []
      const ofLane = (path: readonly string[]) =>
        model.filter(({ lane }) => lane.join() === path.join())
      const leave = (item: { lane: string[] } | undefined) => {
        if (item !== undefined) model.splice(model.indexOf(item), 1)
      }
      for (const { kind, lane } of steps) {
        if (kind === 'push') {
          const item = { lane }
          queue.push(lane, item)
          model.push(item)
        } else if (kind === 'take') {
          const item = queue.take(() => true)
          if (item !== undefined && ofLane(item.lane)[0] !== item) {
            throw new Error('not in order of arrival')
          }
          if ((item === undefined) !== (model.length === 0)) {
            throw new Error('nothing from a queue that holds something')
          }
          leave(item)
        } else if (kind === 'longest') {
          const item = queue.takeFromLongest()
          const clients = ['x', 'y'].map(
            client => model.filter(({ lane }) => lane[0] === client).length,
          )
          if (
            item !== undefined &&
            model.filter(({ lane }) => lane[0] === item.lane[0]).length !==
              Math.max(...clients)
          ) {
            throw new Error('not from the longest')
          }
          if (item !== undefined && ofLane(item.lane).at(-1) !== item) {
            throw new Error('not the latest')
          }
          leave(item)
        } else {
          const [item = { lane }] = ofLane(lane)
          queue.remove(lane, item)
          if (model.includes(item)) leave(item)
        }
        if (queue.size !== model.length) throw new Error('miscounted')
      }
      const lane = steps[0]?.lane ?? ['z', '1']
      const position = queue.position(lane)
      if (position < ofLane(lane).length || position > queue.size) {
        throw new Error(`${position} is no place in the queue`)
      }
      const newcomer = { lane }
      queue.push(lane, newcomer)
      let before = 0
      while (queue.take(() => true) !== newcomer) before += 1
      if (before > position) throw new Error(`${before} came before, not ${position}`)
    }),
    { numRuns: 500, seed: 4 },
  )
  t.pass('500 histories')
})

t.test('hashes share slots and memory, in order', async t => {
  const inSlot = createHashSlots({ slots: 3, memoryKiB: 100 })
  const started: string[] = []
  const ends = new Map<string, () => void>()
  const run = (name: string, memoryKiB: number) =>
    inSlot(
      memoryKiB,
      () =>
        new Promise<void>(resolve => {
          started.push(name)
          ends.set(name, resolve)
        }),
    )
  const end = async (name: string) => {
    ends.get(name)?.()
    await calm()
  }
  const all = [
    run('a', 40),
    run('b', 40),
    run('large', 80),
    run('c', 10),
    run('d', 10),
    run('e', 10),
  ]
  await calm()
  t.same(started, ['a', 'b'], 'the large one waits, and those behind it')
  await end('a')
  t.same(started, ['a', 'b'])
  await end('b')
  t.same(started.slice(2), ['large', 'c', 'd'], 'as many as slots and memory allow')
  await end('large')
  t.same(started.slice(5), ['e'])
  all.push(run('too large for all', 1000))
  for (const name of ['c', 'd', 'e']) await end(name)
  t.same(started.slice(6), ['too large for all'], 'runs alone')
  await end('too large for all')
  await Promise.all(all)
})

const plans = [
  {
    name: 'a hash a core',
    machine: { hashCores: 7, memoryBytes: 8192 * MIB },
    plan: { concurrency: 7 },
  },
  {
    name: 'one core has to do',
    machine: { hashCores: 1, memoryBytes: 8192 * MIB },
    plan: { concurrency: 1 },
  },
  {
    name: 'a hash of several lanes takes several cores',
    options: { parallelism: 2 },
    machine: { hashCores: 7, memoryBytes: 8192 * MIB },
    plan: { concurrency: 3 },
  },
  {
    name: 'memory may be what is short',
    machine: { hashCores: 63, memoryBytes: 512 * MIB },
    plan: { concurrency: 13, memoryKiB: 262_144 },
  },
  {
    name: 'of which hashing gets a share',
    options: { memoryShare: 70 },
    machine: { hashCores: 63, memoryBytes: 512 * MIB },
    plan: { concurrency: 18, memoryKiB: 367_001 },
  },
  {
    name: 'the process itself needs some',
    machine: { hashCores: 63, memoryBytes: 256 * MIB },
    plan: { concurrency: 5, memoryKiB: 114_688 },
  },
  {
    name: 'who names a number gets it',
    options: { concurrency: 5 },
    machine: { hashCores: 1, memoryBytes: 256 * MIB },
    plan: { concurrency: 5 },
  },
]
const ordinary = {
  memoryKiB: 19_456,
  passes: 2,
  parallelism: 1,
  concurrency: 'auto' as const,
  memoryShare: 50,
}

for (const { name, options = {}, machine, plan } of plans) {
  t.test(`capacity: ${name}`, async t => {
    t.match(planCapacity({ ...ordinary, ...options }, machine), plan)
  })
}

t.test("what the memory can't bear stops the start, with the numbers", async t => {
  t.throws(
    () => planCapacity({ ...ordinary, concurrency: 7 }, machine),
    new RangeError(
      'passwords: 7 at once (concurrency) × 19456 KiB (memoryKiB) = 136192 KiB, but of the 262144 ' +
        'KiB that this process may use hashing gets 114688 KiB: ' +
        '50 % (memoryShare), and no more than leaves 147456 KiB to everything else',
    ),
  )
  t.throws(
    () => planCapacity({ ...ordinary, memoryKiB: 262_144 }, machine),
    { message: /passwords: 1 at once/ },
    'auto never asks for less than one',
  )
  t.throws(() => planCapacity(ordinary, { hashCores: 1, memoryBytes: 128 * MIB }), {
    message: /hashing gets 0 KiB/,
  })
  t.throws(
    () => createPasswordHasher({ ...cheap, memoryKiB: 262_144 }, machine),
    RangeError,
  )
  t.throws(
    () => createPasswordHasher({ ...cheap, memoryKiB: 15, parallelism: 2 }, machine),
    TypeError,
    'less than argon2 takes',
  )
})

t.test('the machine is what the cgroup leaves of it', async t => {
  t.ok(thisMachine().cores >= 1)
  t.ok(thisMachine().memoryBytes > 64 * MIB)
  t.equal(limitedMemory(256 * MIB, 8192 * MIB), 256 * MIB)
  t.equal(limitedMemory(2 ** 64, 8192 * MIB), 8192 * MIB, 'cgroup v1 without a limit')
  t.equal(limitedMemory(0, 8192 * MIB), 8192 * MIB, 'no cgroup')
})

const quotas = [
  { name: 'no cgroup', files: {}, cores: Infinity },
  {
    name: "v2, a container's own root",
    files: { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '150000 100000\n' },
    cores: 1.5,
  },
  {
    name: "v2, a path of the host's",
    files: {
      '/proc/self/cgroup': '0::/pods/a\n',
      '/sys/fs/cgroup/pods/a/cpu.max': '400000 100000\n',
    },
    cores: 4,
  },
  {
    name: 'v2 without a limit',
    files: { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' },
    cores: Infinity,
  },
  {
    name: 'v1',
    files: {
      '/proc/self/cgroup': '4:memory:/b\n2:cpu,cpuacct:/a\n',
      '/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us': '200000\n',
      '/sys/fs/cgroup/cpu/a/cpu.cfs_period_us': '100000\n',
    },
    cores: 2,
  },
  {
    name: 'v1 without a limit',
    files: {
      '/proc/self/cgroup': '2:cpu:/\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    cores: Infinity,
  },
]

for (const { name, files, cores } of quotas) {
  t.test(`cores by quota: ${name}`, async t => {
    t.equal(
      cpuQuota(file => {
        const text = new Map(Object.entries(files)).get(file)
        if (text === undefined) throw new Error('ENOENT')
        return text
      }),
      cores,
    )
  })
}
