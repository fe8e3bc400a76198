// Clients that send and send and never read, at both listeners of the real process, while others are served.
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openRaw, type RawConnection } from '../support/raw-connection.ts'
import { login, startLatchkey, STORES, type LatchkeyProcess } from '../support/server.ts'
import { until } from '../support/until.ts'

const MIB = 1024 * 1024
// Not the address of the others: one address may have but so many connections.
const ATTACKER = '127.0.0.2'
const CONNECTIONS = 150
const ROUNDS = 4
const PER_SECOND = 20
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
const LARGE_FILE = '/docs/static/swagger-ui-bundle.js'
const LARGE = get(LARGE_FILE)
const KEYS = get('/.well-known/jwks.json')
const GUESS =
  'POST /introspect HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\n' +
  'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\ntoken=x'

async function start(t: Test): Promise<LatchkeyProcess> {
  const [sqlite] = STORES
  const store = await sqlite?.make()
  const server = await startLatchkey({
    storeUrl: store?.url ?? '',
    http: { docs: true, requestTimeout: '2s', answerTimeout: '3s' },
    config: { throttle: { perAddress: { max: 100_000 } } },
  })
  t.teardown(async () => {
    await server.stop()
    await store?.remove()
  })
  return server
}

/** Memory of a process, in bytes. */
async function memoryOf({ pid }: LatchkeyProcess): Promise<number> {
  const [, kib] =
    /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1024
}

/** Asks steadily, as ordinary users do; gives the statuses that were answered until it is ended. */
function steadyUsers(server: LatchkeyProcess, accessToken: string) {
  const statuses: Promise<number>[] = []
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(path, { headers })
    await answer.arrayBuffer()
    return answer.status
  }
  const asks = [
    () => ask(`${server.url}/userinfo`, { authorization: `Bearer ${accessToken}` }),
    () => ask(`${server.url}/.well-known/jwks.json`),
    () => login(server).then(() => 200),
    () => ask(`${server.managementUrl}/readyz`),
  ]
  const timer = setInterval(() => {
    const next = asks[statuses.length % asks.length]
    if (next !== undefined) statuses.push(next().catch(() => 0))
  }, 1000 / PER_SECOND)
  return async () => {
    clearInterval(timer)
    return Promise.all(statuses)
  }
}

/** Opens connections that never read, and sends on each what `send` says, round by round. */
async function neverRead(
  port: number,
  send: (client: RawConnection, round: number) => void,
): Promise<readonly RawConnection[]> {
  const clients: RawConnection[] = []
  for (let i = 0; i < CONNECTIONS; i++) {
    const client = await openRaw({ port, from: ATTACKER })
    client.stopReading()
    clients.push(client)
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const client of clients) send(client, round)
    await wait(250)
  }
  return clients
}

/** What a client that never reads sends to a port: all at once, or no more than may wait. */
const ATTACKS: Record<
  string,
  {
    at: (server: LatchkeyProcess) => number
    send: (client: RawConnection, round: number) => void
  }
> = {
  'the keys, by the thousand': {
    at: ({ port }) => port,
    send: client => client.send(KEYS.repeat(1_000)),
  },
  'more large files than fit on the way, and to try a few secrets behind them': {
    at: ({ port }) => port,
    send: (client, round) => {
      if (round === 0) client.send(LARGE.repeat(10) + GUESS.repeat(2))
    },
  },
  'large files, a few at a time': {
    at: ({ port }) => port,
    send: (client, round) => {
      if (round === 0) client.send(LARGE.repeat(12))
    },
  },
  'metrics, by the thousand': {
    at: ({ managementUrl }) => Number(new URL(managementUrl).port),
    send: client => client.send(get('/metrics').repeat(1_000)),
  },
}

/** A server of its own for each attack: memory that one has taken would hide what the next one takes. */
async function warmServer(t: Test) {
  const server = await start(t)
  const { access_token: token } = await login(server)
  const large = await (await fetch(server.url + LARGE_FILE)).bytes()
  t.ok(large.length > MIB, 'large files are large, and there')
  // As much as it takes to serve at all.
  const warmUp = steadyUsers(server, token)
  await wait(3_000)
  t.strictSame(
    (await warmUp()).filter(status => status !== 200),
    [],
  )
  return { server, token }
}

for (const [name, { at, send }] of Object.entries(ATTACKS)) {
  t.test(`${CONNECTIONS} connections that never read ask for ${name}`, async t => {
    const { server, token } = await warmServer(t)
    const before = await memoryOf(server)
    let most = before
    const watch = setInterval(async () => {
      most = Math.max(most, await memoryOf(server))
    }, 100)
    const stop = steadyUsers(server, token)
    const clients = await neverRead(at(server), send)
    const statuses = await stop()
    clearInterval(watch)
    t.strictSame(
      statuses.filter(status => status !== 200),
      [],
      `none of ${statuses.length} others is refused`,
    )
    const inMiB = (bytes: number) => Math.round(bytes / MIB)
    t.ok(
      most - before <= 64 * MIB,
      `${inMiB(before)} MiB and ${inMiB(most - before)} more`,
    )
    t.notOk(
      server.lines.some(line => line.includes('"client.refused"')),
      'what waits behind an answer that nobody reads is not worked on',
    )
    for (const client of clients) client.destroy()
    await until(async () => {
      const metrics = await (await fetch(`${server.managementUrl}/metrics`)).text()
      const open = [...metrics.matchAll(/^latchkey_connections\{.*\} (\d+)$/gm)]
      return (
        open.length === 2 && open.every(([, count]) => Number(count) < CONNECTIONS / 2)
      )
    })
    t.notOk(server.lines.some(line => /"level":[56]0/.test(line)))
  })
}
