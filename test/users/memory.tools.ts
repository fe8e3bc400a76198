// 256 MiB, as a small container has it, and 500 logins at once, some at hashes of three times our memory:
// nothing is killed, everybody is answered.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { openStore } from '../../src/stores/open.ts'
import { argon2 } from '../../src/users/hashing/argon2.ts'
import { limitMemory, type MemoryLimit } from '../support/memory-limit.ts'
import { ROOT } from '../support/python.ts'
import { PASSWORD, startLatchkey, STORES, USER } from '../support/server.ts'
import { someAccount } from '../support/stores.ts'
import { PATIENT } from '../support/until.ts'

const MIB = 1024 * 1024
const LIMIT = 256 * MIB
const LOGINS = 500
/** 3 is the long form. */
const WAVES = Number(process.env['LATCHKEY_WAVES'] ?? 2)
const HEAVY = 8

/** As the image sets it: without it the memory doesn't suffice. */
const [, MALLOC_ARENA_MAX = ''] =
  /\bMALLOC_ARENA_MAX=(\d+)/.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')) ?? []

// The server's own defaults; and as many hashes at once as it lets anybody set for this memory.
const SETTINGS = [
  { name: 'by default', passwords: {}, env: {} },
  {
    name: 'with five hashes at once',
    passwords: { concurrency: 5 },
    env: { UV_THREADPOOL_SIZE: '7' },
  },
]

for (const { name: storeName, make } of STORES) {
  for (const { name, passwords, env } of SETTINGS) {
    t.test(`500 logins at once in 256 MiB ${name}, on ${storeName}`, async t => {
      const store = await make()
      t.teardown(() => store.remove())
      await addHeavyUsers(store.url)
      const limit = await limitMemory(LIMIT)
      t.teardown(() => limit.remove())
      const server = await startLatchkey({
        storeUrl: store.url,
        within: limit.within,
        // What the test runner has every process load is not the server's.
        env: { ...env, MALLOC_ARENA_MAX, NODE_OPTIONS: '' },
        config: { passwords, throttle: { perAddress: { max: 1_000_000, window: '1m' } } },
      })
      t.teardown(() => server.stop())
      const counts = await flood(t, server.url)
      await judge(t, limit, counts)
      t.equal((await fetch(`${server.url}/.well-known/jwks.json`)).status, 200)
      t.equal(await server.stop(), 0, 'and it stops as it should')
    })
  }
}

t.test('more hashes at once than fit into 256 MiB stop the start', async t => {
  const limit = await limitMemory(LIMIT)
  t.teardown(() => limit.remove())
  await t.rejects(
    startLatchkey({
      storeUrl: `sqlite:${join(t.testdir({}), 'latchkey.db')}`,
      addUser: false,
      within: limit.within,
      env: { MALLOC_ARENA_MAX, NODE_OPTIONS: '' },
      config: { passwords: { concurrency: 6 } },
    }),
    {
      message: /6 at once \(concurrency\) × 19456 KiB .* of the 262144 KiB .* 114688 KiB/,
    },
  )
})

/** Users whose hashes take 64 MiB, as pwdlib makes them. */
async function addHeavyUsers(storeUrl: string): Promise<void> {
  const passwordHash = await argon2.hash(PASSWORD, {
    type: argon2.argon2id,
    memoryCost: 65_536,
    timeCost: 3,
    parallelism: 4,
  })
  const { store } = await openStore({ ...PATIENT, url: storeUrl, clock: Date.now })
  try {
    for (let index = 0; index < HEAVY; index++) {
      const name = `heavy-${index}`
      await store.directory.add(
        someAccount(name, { name, foldedName: name, passwordHash }),
      )
    }
  } finally {
    await store.close()
  }
}

/** Logs in so many times at once, in waves; how often each status was answered. */
async function flood(t: Test, url: string): Promise<Map<number, number>> {
  const dispatcher = new Agent({
    connections: LOGINS,
    headersTimeout: 60_000,
    connectTimeout: 60_000,
  })
  t.teardown(() => dispatcher.destroy())
  const counts = new Map<number, number>()
  for (let wave = 0; wave < WAVES; wave++) {
    await Promise.all(
      Array.from({ length: LOGINS }, async (_, index) => {
        const body = new URLSearchParams({
          grant_type: 'password',
          client_id: 'mobile',
          ...credentials(wave, index),
        }).toString()
        const answer = await request(`${url}/token`, {
          method: 'POST',
          dispatcher,
          body,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        })
        await answer.body.dump()
        counts.set(answer.statusCode, (counts.get(answer.statusCode) ?? 0) + 1)
      }),
    )
  }
  return counts
}

function credentials(
  wave: number,
  index: number,
): { username: string; password: string } {
  const kinds = [
    { username: USER, password: PASSWORD },
    { username: `heavy-${index % HEAVY}`, password: PASSWORD },
    { username: `nobody-${index}`, password: `guess ${wave}` },
    { username: 'bob', password: `guess ${wave} ${index}` },
  ]
  return kinds[index % kinds.length] ?? { username: '', password: '' }
}

async function judge(
  t: Test,
  limit: MemoryLimit,
  counts: ReadonlyMap<number, number>,
): Promise<void> {
  const peak = await limit.peak()
  t.comment(
    `${[...counts]
      .sort()
      .map(([status, count]) => `${status}: ${count}`)
      .join(', ')}; at most ${(peak / MIB).toFixed(0)} MiB`,
  )
  t.equal(
    [...counts.values()].reduce((sum, count) => sum + count, 0),
    LOGINS * WAVES,
    'everybody was answered',
  )
  t.same(
    [...counts.keys()].filter(status => ![200, 400, 429, 503].includes(status)),
    [],
  )
  t.ok(counts.get(200), 'somebody got in')
  t.equal(await limit.kills(), 0, 'nothing was killed')
  t.ok(peak > 50 * MIB && peak <= LIMIT, 'the limit was in force')
}
