// npm run bench:status: what the status claim costs. Servers, each on a Redis of its own, two with the claim
// and one without, in turn in one run; then what its state takes, and what it takes to make a list
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
import { someAccount } from '../test/support/stores.ts'
import type { Job } from './load.ts'
import { AUDIENCE, CLIENT } from './parties.ts'
import { type Measured, startWorker } from './child.ts'
import { startLatchkey, startStore } from './processes.ts'
import { head } from './machine.ts'
import { printRows } from './report.ts'
import { type Sample, sampled, windowOf } from './trial.ts'
import { median } from './verdict.ts'

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
    [1, 2, 3].map(() => mkdtemp(join(tmpdir(), 'latchkey-bench-'))),
  )
  parts.defer(async () => {
    for (const dir of dirs) await rm(dir, { recursive: true, force: true })
  })
  const servers: Measured[] = []
  for (const [index, enabled] of [true, true, false].entries()) {
    const redis = await startStore(parts)
    servers.push(
      await startLatchkey(parts, String(dirs[index]), redis.url, hashing, {
        config: { status: { enabled } },
      }),
    )
    if (index === 0) console.log(await stateBytes(redis.url))
  }
  const load = startWorker<Job, number>(parts, 'load.ts')
  const [ours, again, other] = servers
  if (ours === undefined || again === undefined || other === undefined) {
    throw new Error('three are started')
  }
  const contests = [
    { kind: 'refresh', requests: 600, connections: 16 },
    { kind: 'password', requests: 10, connections: hashing.concurrency + 1 },
  ] as const
  const rows = contests.map(({ kind }) => ({
    name: kind,
    cpu: { atMost: GOAL },
    starts: [[] as Sample[]],
  }))
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const [index, { requests, ...job }] of contests.entries()) {
      const measure = (server: Measured) => () =>
        windowOf(server, requests, () => load({ ...job, base: server.url, requests }))
      const sample = await sampled(round, {
        ours: measure(ours),
        other: measure(other),
        again: measure(again),
      })
      if (round >= 0) rows[index]?.starts[0]?.push(sample)
    }
  }
  console.log('With the claim, beside the same server without it:')
  console.log(head({ rounds: ROUNDS }))
  printRows(rows, 'without')
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
