// npm run bench:cores: one server process beside several (`processes`) on the same Redis: requests a second,
// and CPU of all their processes together. docs/performance.md reads it. Redis and the load want cores, too:
// on a machine with fewer than processes + 2 of them the requests a second say little.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { startLatchkey } from '../test/support/server.ts'
import { startWorker } from './child.ts'
import { cpuOfTree } from './cpu.ts'
import type { Job, Kind } from './load.ts'
import { head } from './machine.ts'
import { CLIENTS } from './parties.ts'
import { startStore } from './processes.ts'
import { printRows, type Row } from './report.ts'
import { type Figures, numbersOf, TRIAL_OPTIONS, type Sample, sampled } from './trial.ts'

const { values } = parseArgs({
  options: {
    ...TRIAL_OPTIONS,
    rounds: { type: 'string', default: '12' },
    'warm-up': { type: 'string', default: '3' },
    requests: { type: 'string', default: '2000' },
    processes: { type: 'string', default: '2' },
    // Processes that send the load.
    loads: { type: 'string', default: '1' },
  },
})
const {
  'warm-up': warmUp,
  rounds,
  starts,
  requests,
  connections,
  processes,
  loads,
} = numbersOf(values, [
  'rounds',
  'warm-up',
  'starts',
  'requests',
  'connections',
  'processes',
  'loads',
])
const KINDS: readonly Kind[] = ['refresh', 'introspection', 'jwks']
const UNLIMITED = { max: 1_000_000_000, window: '1h' }

/** Where each process has a core, as have Redis and the load: that share of so many times one. */
const LEAST_SHARE = 0.85
const hasCores = availableParallelism() >= processes + 2

type Measure = (kind: Kind) => Promise<Figures>

async function startParty(parts: AsyncDisposableStack, count: number): Promise<Measure> {
  const redis = await startStore(parts)
  const server = await startLatchkey({
    storeUrl: redis.url,
    config: {
      processes: count,
      // Its lines would be this process's work.
      log: { successes: 0 },
      passwords: {
        memoryKiB: 64,
        passes: 1,
        parallelism: 1,
        concurrency: processes,
      },
      throttle: {
        perAddress: UNLIMITED,
        perClient: UNLIMITED,
        perSession: UNLIMITED,
        logins: { perName: 1_000_000, perNetwork: 1_000_000, perPassword: 1_000_000 },
      },
      clients: CLIENTS,
    },
  })
  parts.defer(() => server.stop().then(() => {}))
  if (count > 1) await server.logged(/the server processes are ready/)
  const senders = Array.from({ length: loads }, () =>
    startWorker<Job, number>(parts, 'load.ts'),
  )
  return async kind => {
    const job = {
      base: server.url,
      kind,
      connections: Math.ceil(connections / loads),
      requests: Math.ceil(requests / loads),
    }
    const before = await cpuOfTree(server.pid)
    const seconds = await Promise.all(senders.map(send => send(job)))
    const cpu = (await cpuOfTree(server.pid)) - before
    const sent = job.requests * loads
    return { perSecond: sent / Math.max(...seconds), cpu: cpu / sent }
  }
}

async function main(): Promise<void> {
  const rows = KINDS.map(kind => ({ kind, starts: [] as Sample[][] }))
  for (let start = 0; start < starts; start++) {
    await using parts = new AsyncDisposableStack()
    const ours = await startParty(parts, processes)
    const other = await startParty(parts, 1)
    const again = await startParty(parts, processes)
    for (const row of rows) row.starts.push([])
    for (let round = -warmUp; round < Math.ceil(rounds / starts); round++) {
      for (const { kind, starts: all } of rows) {
        const sample = await sampled(round, {
          ours: () => ours(kind),
          other: () => other(kind),
          again: () => again(kind),
        })
        if (round >= 0) all.at(-1)?.push(sample)
      }
    }
  }
  const atLeast = LEAST_SHARE * processes
  console.log(
    `${processes} processes beside one, and beside as many again\n` +
      head({ starts, rounds, requests, connections, loads }),
  )
  printRows(
    rows.map(({ kind, starts: all }): Row => ({
      name: kind,
      starts: all,
      ...(hasCores && kind === 'refresh' && { rate: { atLeast } }),
    })),
    'one',
  )
}

await main()
