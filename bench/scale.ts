// npm run bench:scale [-- SESSIONS TOKENS SECONDS REVOKED]: the status-list service under the load of a large
// installation, on a Redis of its own. So many sessions are refreshed one after the other, so many tokens are
// issued a second of simulated time, sessions are ended, and every list is fetched whenever it may have
// changed. Prints what each part costs of a pod's second, and what the lists weigh (docs/scale.md).
import { randomBytes } from 'node:crypto'
import { constants, gzipSync } from 'node:zlib'
import { Redis } from 'ioredis'
import { sidOf, userTag } from '../src/base/ids.ts'
import { buildTestApp } from '../test/support/app.ts'
import { startRedis } from '../test/support/redis.ts'
import { someAccount } from '../test/support/stores.ts'
import type { NewStatusEntry } from '../src/stores/ports/status-lists.ts'

const [SESSIONS = 1_000_000, TOKENS = 10_000, SECONDS = 900, REVOKED = 10] = process.argv
  .slice(2)
  .map(Number)

const TTL_MS = 600_000
/** Servers read what is new so often. */
const SYNC_MS = 500
/** Algorithms in which lists are asked for: that of the ring, and one of an audience that knows no other. */
const ALGORITHMS = [undefined, 'ES256'] as const
/** What a session's token of a moment ago is counted as: it has been refreshed since. */
const KEPT = Math.ceil((TTL_MS / 1000) * (TOKENS / SESSIONS))

/** CPU time of what was run, by its name; milliseconds. */
function createCosts() {
  const costs = new Map<string, number>()
  return {
    costs,
    async of<Result>(
      name: string,
      work: () => Promise<Result> | Result,
    ): Promise<Result> {
      const before = process.cpuUsage()
      const result = await work()
      const { user, system } = process.cpuUsage(before)
      costs.set(name, (costs.get(name) ?? 0) + (user + system) / 1000)
      return result
    },
  }
}

interface Simulation {
  readonly server: Awaited<ReturnType<typeof buildTestApp>>
  /** The living tokens of each session, the latest last. */
  readonly living: NewStatusEntry[][]
  readonly cost: ReturnType<typeof createCosts>
  /** How many documents were made, and how many bytes they have. */
  readonly made: { documents: number; bytes: number; zipped: number }
}

async function main(): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const redis = await startRedis()
  parts.defer(() => redis.stop())
  const server = await buildTestApp({ storeUrl: redis.url, logLevel: 'silent' })
  parts.defer(() => server.close())
  const simulation: Simulation = {
    server,
    living: Array.from({ length: SESSIONS }, () => []),
    cost: createCosts(),
    made: { documents: 0, bytes: 0, zipped: 0 },
  }
  const eye = new Redis(redis.url)
  parts.defer(() => eye.disconnect())
  const before = await redisMs(eye)
  let next = 0
  for (let second = 0; second < SECONDS; second++) {
    await refresh(simulation, next)
    next = (next + TOKENS) % SESSIONS
    for (let at = 0; at < 1000; at += SYNC_MS) {
      await endSome(simulation, (1000 * second + at) / SYNC_MS)
      server.clock.advance(SYNC_MS)
      await simulation.cost.of('reading what is new', () => server.status.sync())
      await fetchAll(simulation)
    }
  }
  print(simulation)
  const store = ((await redisMs(eye)) - before) / SECONDS
  console.log(`Redis, for status lists: ${store.toFixed(2)} ms of CPU a second`)
  console.log(`Redis, for a rotation: ${(await rotationUs(server, eye)).toFixed(1)} µs`)
}

/** The CPU time that Redis has used; milliseconds. */
async function redisMs(redis: Redis): Promise<number> {
  const info = await redis.info('cpu')
  const of = (kind: string) =>
    Number(new RegExp(`used_cpu_${kind}:([\\d.]+)`).exec(info)?.[1])
  return 1000 * (of('user') + of('sys'))
}

const ROTATIONS = 20_000
const DAY = 86_400_000

/** What one rotation of a session takes of Redis' one thread, sockets included; microseconds. */
async function rotationUs(
  { store }: Simulation['server'],
  redis: Redis,
): Promise<number> {
  const refs = Array.from({ length: 500 }, (_, index) => ({
    sub: `somebody-${index}`,
    userTag: userTag(`somebody-${index}`),
    sid: sidOf(randomBytes(16)),
  }))
  for (const { sub, ...ref } of refs) {
    await store.directory.add(someAccount(sub))
    await store.families.open({
      ...ref,
      clientId: 'mobile',
      scope: 'profile',
      audience: ['https://orders.example.com'],
      sessionsEpoch: 1,
      idleMs: 14 * DAY,
      absoluteMs: 90 * DAY,
    })
  }
  const before = await redisMs(redis)
  for (let count = 0; count < ROTATIONS; count += refs.length) {
    const generation = 1 + count / refs.length
    await Promise.all(
      refs.map(({ sub: _sub, ...ref }) =>
        store.families.rotate({
          ...ref,
          clientId: 'mobile',
          generation,
          idleMs: 14 * DAY,
          reuseGraceMs: 10_000,
          lateRetry: 'burn',
        }),
      ),
    )
  }
  return (1000 * ((await redisMs(redis)) - before)) / ROTATIONS
}

/** A second's tokens. */
async function refresh(
  { server, living, cost }: Simulation,
  from: number,
): Promise<void> {
  const { take } = server.status
  if (take === undefined) throw new Error('tokens have no status')
  await cost.of('indices for new tokens', async () => {
    for (let count = 0; count < TOKENS; count++) {
      const taken = take(TTL_MS)
      const entry = taken instanceof Promise ? await taken : taken
      const entries = living[(from + count) % SESSIONS]
      entries?.push(entry)
      if (Number(entries?.length) > KEPT) entries?.shift()
    }
  })
}

/** The logouts before a reading of what is new, spread over all sessions. */
async function endSome({ server, living, cost }: Simulation, round: number) {
  const most = Math.ceil((REVOKED * SYNC_MS) / 1000)
  for (let count = 0; count < most; count++) {
    const session = ((round * most + count) * 7_919) % SESSIONS
    const entries = living[session] ?? []
    living[session] = []
    const byList = new Map<string, number[]>()
    for (const { list, idx } of entries) {
      byList.set(list, [...(byList.get(list) ?? []), idx])
    }
    await cost.of('ending sessions', () => server.store.statusLists.revoke(byList))
  }
}

/** Every list, as a verifier that never holds a copy would ask for it. */
async function fetchAll({ server, cost, made }: Simulation): Promise<void> {
  const lists = server.status.uris().map(uri => String(uri.split('/').at(-1)))
  for (const algorithm of ALGORITHMS) {
    const name =
      algorithm === undefined ? 'making lists' : 'the same lists by another algorithm'
    for (const list of lists) {
      const document = await cost.of(name, () => server.status.find(list, algorithm))
      if (document === undefined || seen.has(document)) continue
      seen.add(document)
      made.documents += 1
      made.bytes += document.jwt.length
      const zip = await cost.of('gzip', () =>
        gzipSync(document.jwt, { strategy: constants.Z_HUFFMAN_ONLY }),
      )
      made.zipped += zip.length
    }
  }
}

const seen = new WeakSet<object>()

function print({ server, cost, made }: Simulation): void {
  const { lists, revoked } = server.status.count()
  console.log(
    `${SESSIONS} sessions, ${TOKENS} tokens and ${REVOKED} ended sessions a second, ${SECONDS} s: ` +
      `${lists} lists, ${revoked} revoked tokens`,
  )
  for (const [name, milliseconds] of cost.costs) {
    console.log(`${name}: ${(milliseconds / SECONDS).toFixed(2)} ms of CPU a second`)
  }
  const { documents, bytes, zipped } = made
  const kB = (sum: number) => `${(sum / documents / 1000).toFixed(1)} kB`
  const memory = (process.memoryUsage().rss / 2 ** 20).toFixed(0)
  console.log(
    `${(documents / SECONDS).toFixed(1)} documents a second, ${kB(bytes)} each ` +
      `(${kB(zipped)} by gzip); this process: ${memory} MiB`,
  )
}

await main()
