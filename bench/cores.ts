// npm run bench:cores: one server process beside several (`processes`) on the same Redis: requests a second,
// and CPU of all their processes together. docs/performance.md reads it. Redis and the load want cores, too:
// on a machine with fewer than processes + 2 of them the requests a second say little.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { startLatchkey } from '../test/support/server.ts'
import { startRedis } from '../test/support/redis.ts'
import type { Job, Kind } from './load.ts'
import { CLIENTS } from './parties.ts'
import { startWorker } from './processes.ts'
import { median, printTable } from './report.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '12' },
    requests: { type: 'string', default: '2000' },
    connections: { type: 'string', default: '16' },
    processes: { type: 'string', default: '2' },
    // Processes that send the load.
    loads: { type: 'string', default: '1' },
  },
})
const rounds = Number(values.rounds)
const requests = Number(values.requests)
const connections = Number(values.connections)
const processes = Number(values.processes)
const loads = Number(values.loads)
const KINDS: readonly Kind[] = ['refresh', 'introspection', 'jwks']
const UNLIMITED = { max: 1_000_000_000, window: '1h' }

interface Figures {
  readonly perSecond: number
  /** Microseconds a request. */
  readonly cpu: number
}

interface Party {
  readonly name: string
  readonly figures: Record<string, Figures[]>
  readonly measure: (kind: Kind) => Promise<Figures>
}

async function startParty(
  parts: AsyncDisposableStack,
  name: string,
  count: number,
): Promise<Party> {
  const redis = await startRedis()
  parts.defer(() => redis.stop())
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
  const cpuOfAll = async () => {
    const metrics = await (await fetch(`${server.managementUrl}/metrics`)).text()
    return Number(/^process_cpu_seconds_total (\S+)$/m.exec(metrics)?.[1])
  }
  return {
    name,
    figures: {},
    async measure(kind) {
      const job = {
        base: server.url,
        kind,
        connections: Math.ceil(connections / loads),
        requests: Math.ceil(requests / loads),
      }
      const before = await cpuOfAll()
      const seconds = await Promise.all(senders.map(send => send(job)))
      const cpu = (await cpuOfAll()) - before
      const sent = job.requests * loads
      return { perSecond: sent / Math.max(...seconds), cpu: (cpu * 1e6) / sent }
    },
  }
}

async function main(): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const parties = [
    await startParty(parts, 'one', 1),
    await startParty(parts, 'one again', 1),
    await startParty(parts, `${processes}`, processes),
  ]
  // The first of each kind warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const kind of KINDS) {
      for (const party of round % 2 === 0 ? parties : parties.toReversed()) {
        const figures = await party.measure(kind)
        if (round > 0) (party.figures[kind] ??= []).push(figures)
      }
    }
  }
  print(parties)
}

function print(parties: readonly Party[]): void {
  console.log(
    `${processes} processes beside one, and one beside one, on ${availableParallelism()} cores: ` +
      `${connections} connections, ${rounds} rounds of ${requests} requests\n`,
  )
  const [one, ...others] = parties
  const rows = KINDS.flatMap(kind =>
    others.map(other => {
      const ratios = (of: keyof Figures) =>
        (other.figures[kind] ?? []).map(
          (figures, round) => figures[of] / (one?.figures[kind]?.[round]?.[of] ?? NaN),
        )
      const middle = (party: Party | undefined, of: keyof Figures) =>
        median((party?.figures[kind] ?? []).map(figures => figures[of])).toFixed(0)
      return [
        `${kind}, ${other.name}`,
        middle(one, 'perSecond'),
        middle(other, 'perSecond'),
        median(ratios('perSecond')).toFixed(2),
        middle(one, 'cpu'),
        middle(other, 'cpu'),
        median(ratios('cpu')).toFixed(2),
      ]
    }),
  )
  printTable([
    [
      '',
      'one: requests/s',
      'beside',
      'median ratio',
      'one: CPU µs',
      'beside',
      'median ratio',
    ],
    ...rows,
  ])
}

await main()
