// npm run bench:status: what the status claim costs. Two servers, each on a Redis of its own, one with the
// claim and one without, in turn in one run; then what its state takes, and what it takes to make a list
// anew.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { sidOf, userTag } from '../src/base/ids.ts'
import { encodeBits, setBit } from '../src/status-lists/encode.ts'
import { hourOf, LIST_SIZE } from '../src/stores/ports/status-lists.ts'
import type { FamilyRef } from '../src/stores/ports/families.ts'
import { createRedisStore } from '../src/stores/redis/store.ts'
import { startRedis } from '../test/support/redis.ts'
import { someAccount } from '../test/support/stores.ts'
import type { Kind } from './load.ts'
import { AUDIENCE, CLIENT } from './parties.ts'
import { type Measured, startLatchkey, startWorker } from './processes.ts'
import { median, printRows, type Figures, type Row } from './report.ts'

const ROUNDS = Number(process.argv[2] ?? 20)
const WARM_UP = 3
const USERS = 2_000
const TTL = 600_000
const DAY = 86_400_000
const hashing = {
  memoryKiB: 19456,
  passes: 2,
  parallelism: 1,
  concurrency: Math.max(1, availableParallelism() - 1),
}

/** At least 95 % of the rate without: so much CPU at the most. */
const GOAL = 1 / 0.95

async function main(): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const dirs = await Promise.all(
    [1, 2].map(() => mkdtemp(join(tmpdir(), 'latchkey-bench-'))),
  )
  parts.defer(async () => {
    for (const dir of dirs) await rm(dir, { recursive: true, force: true })
  })
  const servers: Measured[] = []
  for (const [index, enabled] of [true, false].entries()) {
    const redis = await startRedis()
    parts.defer(() => redis.stop())
    servers.push(
      await startLatchkey(parts, String(dirs[index]), redis.url, hashing, {
        config: { status: { enabled } },
      }),
    )
    if (enabled) console.log(await stateBytes(redis.url))
  }
  const load = startWorker<object, number>(parts, 'load.ts')
  const figures = async (
    server: Measured | undefined,
    kind: Kind,
    requests: number,
    connections: number,
  ): Promise<Figures> => {
    if (server === undefined) throw new Error('no server')
    const before = await server.cpu()
    const seconds = await load({
      base: server.url,
      kind,
      connections,
      requests,
    })
    return {
      cpu: ((await server.cpu()) - before) / requests,
      perSecond: requests / seconds,
    }
  }

  const [withClaim, without] = servers
  const contests = [
    { kind: 'refresh', requests: 600, connections: 16 },
    { kind: 'password', requests: 10, connections: hashing.concurrency + 1 },
  ] as const
  const rows = contests.map(({ kind }): Row => ({ name: kind, goal: GOAL, samples: [] }))
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const [index, { kind, requests, connections }] of contests.entries()) {
      // Every second round the other way round.
      const first = await figures(
        round % 2 === 0 ? withClaim : without,
        kind,
        requests,
        connections,
      )
      const second = await figures(
        round % 2 === 0 ? without : withClaim,
        kind,
        requests,
        connections,
      )
      if (round >= 0) {
        rows[index]?.samples.push(
          round % 2 === 0
            ? { ours: first, floors: second }
            : { ours: second, floors: first },
        )
      }
    }
  }
  console.log('With the claim, beside the same server without it ("floor"):')
  printRows(rows)
  for (const revoked of [0, 1_000, 10_000, 100_000]) console.log(rebuild(revoked))
}

/** What living tokens and revoked ones take in Redis. */
async function stateBytes(url: string): Promise<string> {
  const store = await createRedisStore({ url, prefix: 'bytes:' })
  const redis = new Redis(url)
  const used = async () =>
    Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
  try {
    const { list } = await store.statusLists.lease(hourOf(Date.now()) + 1)
    const refs: FamilyRef[] = []
    for (let index = 0; index < USERS; index++) {
      const sub = `somebody-${index}`
      await store.directory.add(someAccount(sub))
      refs.push({ userTag: userTag(sub), sid: sidOf(randomBytes(16)) })
    }
    for (const ref of refs) {
      await store.families.open({
        ...ref,
        clientId: CLIENT,
        scope: 'profile',
        audience: [AUDIENCE],
        sessionsEpoch: 1,
        idleMs: 14 * DAY,
        absoluteMs: 90 * DAY,
      })
    }
    const note = async (generation: number) => {
      const before = await used()
      for (const [index, ref] of refs.entries()) {
        await store.families.rotate({
          ...ref,
          clientId: CLIENT,
          generation,
          idleMs: 14 * DAY,
          reuseGraceMs: 10_000,
          lateRetry: 'burn',
          status: { list, idx: generation * USERS + index, forMs: TTL },
        })
      }
      return (((await used()) - before) / USERS).toFixed(0)
    }
    const [first, second] = [await note(1), await note(2)]
    const before = await used()
    await store.statusLists.revoke(
      new Map([[list, Array.from({ length: 10_000 }, (_, index) => index * 100)]]),
    )
    return (
      `bytes in Redis: ${first} for a user's first living token, ${second} for one more; 10,000 ` +
      `revoked tokens of one list: ${((await used()) - before) / 1000} kB`
    )
  } finally {
    redis.disconnect()
    await store.close()
  }
}

/** How long the processor compresses a list, and what comes out. */
function rebuild(revoked: number): string {
  const bits = new Uint8Array(LIST_SIZE / 8)
  for (let left = revoked; left > 0;) {
    if (setBit(bits, randomBytes(4).readUInt32BE() % LIST_SIZE)) left -= 1
  }
  const times = Array.from({ length: 20 }, () => {
    const startedAt = performance.now()
    encodeBits(bits)
    return performance.now() - startedAt
  })
  return (
    `a list with ${revoked} revoked tokens: ${median(times).toFixed(2)} ms, ` +
    `${encodeBits(bits).length} bytes`
  )
}

await main()
