// npm run bench:jwks: the keys of the real server beside a bare Fastify route that answers with the same
// JSON, both in this process, in turn.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import fastify from 'fastify'
import { Client } from 'undici'
import { buildTestApp } from '../test/support/app.ts'
import { endWithUs } from '../test/support/children.ts'
import { head } from './machine.ts'
import { printRows } from './report.ts'
import { type Figures, type Sample, sampled } from './trial.ts'

const PATH = '/.well-known/jwks.json'
const CONNECTIONS = 16
const REQUESTS = 1_000
const ROUNDS = 50

/** At most that much CPU per request, as a multiple of the bare route's. */
const GOAL = 1.15

interface Job {
  readonly origin: string
  readonly requests: number
}

async function main(): Promise<void> {
  // The log goes where production has it: away. Lines would cost the same for every route.
  const { app, keys, store } = await buildTestApp({ logLevel: 'info' })
  const bare = fastify()
  const document: unknown = JSON.parse(keys.jwks().body)
  bare.get(PATH, async () => document)
  const [ours, floors] = [
    await app.listen({ host: '127.0.0.1', port: 0 }),
    await bare.listen({ host: '127.0.0.1', port: 0 }),
  ]
  const load = endWithUs(fork(new URL(import.meta.url), ['load']))
  const measure = async (origin: string): Promise<Figures> => {
    const before = process.cpuUsage()
    load.send({ origin, requests: REQUESTS } satisfies Job)
    const [seconds] = await once(load, 'message')
    const { user, system } = process.cpuUsage(before)
    return { cpu: (user + system) / REQUESTS, perSecond: REQUESTS / seconds }
  }

  const samples: Sample[] = []
  // The first round warms up.
  for (let round = -1; round < ROUNDS; round++) {
    const sample = await sampled(round, {
      ours: () => measure(ours),
      other: () => measure(floors),
      again: () => measure(ours),
    })
    if (round >= 0) samples.push(sample)
  }
  console.log(head({ rounds: ROUNDS, requests: REQUESTS, connections: CONNECTIONS }))
  printRows([{ name: 'JWKS', cpu: { atMost: GOAL }, starts: [samples] }])
  load.disconnect()
  await Promise.all([app.close(), bare.close()])
  await store.close()
}

function serveLoad(): void {
  const pools = new Map<string, Client[]>()
  process.on('message', async ({ origin, requests }: Job) => {
    const clients =
      pools.get(origin) ?? Array.from({ length: CONNECTIONS }, () => new Client(origin))
    pools.set(origin, clients)
    const started = performance.now()
    let left = requests
    await Promise.all(
      clients.map(async client => {
        while (left-- > 0) {
          const { statusCode, body } = await client.request({ method: 'GET', path: PATH })
          await body.text()
          if (statusCode !== 200) throw new Error(`answered ${statusCode}`)
        }
      }),
    )
    process.send?.((performance.now() - started) / 1000)
  })
}

if (process.argv[2] === 'load') serveLoad()
else await main()
