// A webhook that is down, in each of the ways in which one can be, for ten minutes in the full form, while
// people go on asking: whatever was answered 202 arrives, and what the app saw twice is counted and named.
import { createServer, type ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { freePort } from '../support/free-port.ts'
import { STORES, storeUrlFor } from '../support/server.ts'
import { FULL, figure } from './support/figures.ts'
import { msUntil, startServers } from './support/load.ts'
import {
  addRecipients,
  RECOVERY,
  recipient,
  recover,
  repeated,
} from './support/recipients.ts'

const DOWN_MS = FULL ? 600_000 : 8_000
const PAUSE_MS = FULL ? 1_000 : 200
/** What failed last waits twice as long as before, ten minutes at most. */
const PATIENCE_MS = FULL ? 700_000 : 60_000
const SECRET = `whsec_${randomBytes(32).toString('base64')}`

/** How it is down, one after the other. */
const PHASES = ['refused', '503', 'mute', 'answer lost'] as const
type Phase = (typeof PHASES)[number] | 'up'

/** An app that goes down and comes back on the same port. */
async function startApp(t: Test) {
  const port = await freePort()
  /** How often its code saw the message for somebody, and how often it said so. */
  const [seen, taken] = [new Map<string, number>(), new Map<string, number>()]
  let phase: Phase = 'refused'
  function take(name: string, response: ServerResponse): void {
    if (phase === '503') response.writeHead(503).end()
    if (phase === 'mute' || phase === '503') return
    seen.set(name, (seen.get(name) ?? 0) + 1)
    if (phase === 'answer lost') {
      response.destroy()
      return
    }
    taken.set(name, (taken.get(name) ?? 0) + 1)
    response.writeHead(204).end()
  }
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      take(JSON.parse(Buffer.concat(parts).toString()).data.name, response)
    })
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${port}/hook`,
    seen,
    taken,
    async become(next: Phase) {
      if (phase === 'refused') {
        await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
      }
      phase = next
      server.closeAllConnections()
    },
  }
}

/** Asks for one person after the other until it is to end. */
function keepAsking(url: string) {
  const acknowledged: string[] = []
  const ending = new AbortController()
  async function ask(): Promise<void> {
    for (let place = 0; !ending.signal.aborted; place++) {
      const name = recipient(place)
      if (await recover(url, name)) acknowledged.push(name)
      await wait(PAUSE_MS)
    }
  }
  const ended = ask()
  return {
    acknowledged,
    async stop() {
      ending.abort()
      await ended
    },
  }
}

async function downTest(t: Test, store: (typeof STORES)[number]): Promise<void> {
  const storeUrl = await storeUrlFor(t, store)
  await addRecipients(storeUrl, DOWN_MS / PAUSE_MS)
  const app = await startApp(t)
  const webhook = { url: app.url, secrets: [SECRET], allowPrivate: true, timeout: '1s' }
  const [server] = await startServers(t, 1, {
    storeUrl,
    config: { ...RECOVERY, notify: { webhook } },
  })
  const asking = keepAsking(server.url)
  const ready: number[] = []
  for (const phase of PHASES) {
    if (phase !== 'refused') await app.become(phase)
    await wait(DOWN_MS / PHASES.length)
    ready.push((await fetch(`${server.managementUrl}/readyz`)).status)
  }
  await asking.stop()
  const { acknowledged } = asking
  const before = app.seen.size
  await app.become('up')
  const missing = () => acknowledged.filter(name => !app.taken.has(name))
  const took = await msUntil(() => missing().length === 0, PATIENCE_MS)
  const [lost, twice] = [missing(), repeated(app.seen)]
  figure(t, {
    fault:
      `${store.name}: a webhook that is down for ${DOWN_MS / 1000} s ` +
      `(${PHASES.join(', ')}), a request each ${PAUSE_MS} ms`,
    figure:
      `${lost.length} of ${acknowledged.length} acknowledged messages lost, the last taken ` +
      `${Math.round(took / 1000)} s after it was back; ${twice.length} seen more than once, as the ` +
      `answer was lost; ready ${ready.join(', ')}`,
    mustShow: '0 lost; only messages whose answer was lost are sent twice; ready',
    holds:
      lost.length === 0 &&
      twice.length <= before &&
      ready.every(status => status === 200),
  })
  t.comment(`more than once: ${twice.join(', ')}`)
  t.ok(acknowledged.length > 20, 'much was sent')
  t.ok(before > 0, 'some were seen and not answered')
}

t.test(`a webhook that is down for ${DOWN_MS / 1000} s`, { timeout: 0 }, async t => {
  await Promise.all(STORES.map(store => downTest(t, store)))
})
