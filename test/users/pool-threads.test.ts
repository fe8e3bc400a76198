// libuv's pool: its size, and that the event loop goes before the threads that hash.
import { platform } from 'node:process'
import t from 'tap'
import { coresToHash, thisMachine } from '../../src/base/machine.ts'
import {
  checkThreads,
  givesWay,
  linuxThreads,
  threadsFor,
  yieldToEventLoop,
  type ThreadSystem,
} from '../../src/base/pool-threads.ts'
import { planCapacity } from '../../src/users/hashing/capacity.ts'
import { CHEAP_HASHING, startLatchkey, STORES } from '../support/server.ts'

const isLinux = platform === 'linux'

/** Threads with these nice values; the event loop is number 0. */
function systemOf(nice: number[], changes: Partial<ThreadSystem> = {}): ThreadSystem {
  return {
    list: () => nice.map((_, thread) => thread).slice(1),
    niceOf: thread => nice[thread] ?? NaN,
    setNice(thread, value) {
      nice[thread] = value
    },
    ...changes,
  }
}

function refuse(): never {
  throw new Error('EACCES')
}

const systems = [
  {
    name: 'all threads of the pool become nicer',
    before: [0, 0, 0],
    after: [0, 10, 10],
    givesWay: true,
  },
  {
    name: 'than the event loop is',
    before: [5, 5, 5],
    after: [5, 15, 15],
    givesWay: true,
  },
  {
    name: 'at most as nice as can be',
    before: [12, 12],
    after: [12, 19],
    givesWay: true,
  },
  {
    name: 'the nicest process has nothing to give',
    before: [19, 19],
    after: [19, 19],
    givesWay: false,
  },
  {
    name: 'a system that calls them otherwise',
    before: [0, 0],
    after: [0, 0],
    changes: { list: () => [] },
    givesWay: false,
  },
  {
    name: 'a system that shows no threads',
    before: [0, 0],
    after: [0, 0],
    changes: { list: refuse },
    givesWay: false,
  },
  {
    name: "a system that doesn't allow it",
    before: [0, 0],
    after: [0, 0],
    changes: { setNice: refuse },
    givesWay: false,
  },
]

for (const { name, before, after, changes, givesWay: expected } of systems) {
  t.test(`the pool gives way: ${name}`, async t => {
    const system = systemOf(before, changes)
    await yieldToEventLoop(system)
    t.same(before, after)
    t.equal(givesWay(system), expected)
  })
}

t.test('one thread that stays as it was is one too many', async t => {
  t.equal(givesWay(systemOf([0, 10, 0])), false)
})

t.test('all cores hash where the event loop goes first and no quota counts', async t => {
  t.equal(coresToHash(8, { givesWay: true, isLimited: false }), 8)
  t.equal(coresToHash(8, { givesWay: false, isLimited: false }), 7)
  t.equal(coresToHash(8, { givesWay: true, isLimited: true }), 7)
  t.equal(coresToHash(1, { givesWay: false, isLimited: false }), 1)
})

t.test('the pool has threads for everything else, too', async t => {
  t.equal(threadsFor(8), 12)
  t.doesNotThrow(() => checkThreads(7, 9))
  t.throws(() => checkThreads(7, 8), { message: /7 at once .* UV_THREADPOOL_SIZE to 9/ })
})

t.test("this process's own threads", async t => {
  await yieldToEventLoop()
  t.equal(givesWay(), isLinux)
  if (isLinux) t.ok(linuxThreads.list().length > 0)
})

const PASSWORDS = { ...CHEAP_HASHING, concurrency: 'auto' as const }

// SQLite's waits for the disk go through the same threads, which stay as they are there.
for (const { name, make } of STORES) {
  t.test(`on how many cores a server on ${name} hashes`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const server = await startLatchkey({
      storeUrl: store.url,
      config: { passwords: PASSWORDS },
    })
    t.teardown(() => server.stop())
    const { cores, memoryBytes } = thisMachine()
    const hashCores = name === 'Redis' && isLinux ? cores : Math.max(1, cores - 1)
    const { concurrency } = planCapacity(PASSWORDS, { hashCores, memoryBytes })
    t.match(await server.logged(/build of argon2/), `"concurrency":${concurrency},`)
  })
}
