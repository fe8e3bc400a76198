// A rolling update: two real processes behind HAProxy, 200 requests a second of mixed grants, ten restarts in
// a row without a failed request and without a logout; then the same with SIGKILL, where an app asks again
// and nobody is logged out.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { startRedis } from '../support/redis.ts'
import {
  addUser,
  API_SECRET,
  type LatchkeyProcess,
  PASSWORD,
  startLatchkey,
  USER,
} from '../support/server.ts'

const SECRET = 'r'.repeat(43)
const PER_SECOND = 200
const SESSIONS = 60
const RESTARTS = 10
/** Of ten requests in a row: the rest are refreshes. */
const [LOGIN, INTROSPECT] = [0, 5]

interface Ports {
  readonly http: number
  readonly management: number
}

/**
 * HAProxy as one would set it up: it follows /readyz, and repeats nothing but connections that were never
 * made.
 */
const haproxyConfig = (port: number, servers: readonly Ports[]) => `
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 10s
  retries 3
  retry-on conn-failure
  option redispatch 1
frontend in
  bind 127.0.0.1:${port}
  default_backend latchkey
backend latchkey
  balance roundrobin
  option httpchk GET /readyz
${servers.map(serverLine).join('\n')}
`

function serverLine({ http, management }: Ports, index: number): string {
  return `  server s${index} 127.0.0.1:${http} check port ${management} inter 200ms fall 1 rise 1`
}

async function startProxy(t: Test, servers: readonly Ports[]): Promise<string> {
  const port = await freePort()
  const file = join(t.testdir(), 'haproxy.cfg')
  await writeFile(file, haproxyConfig(port, servers))
  const child = startChild('haproxy', ['-db', '-f', file], { stdio: 'ignore' })
  t.teardown(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  await once(child, 'spawn').catch(cause => {
    throw new Error('haproxy is not on the PATH: apt-get install haproxy', { cause })
  })
  return `http://127.0.0.1:${port}`
}

interface Answer {
  readonly status: number
  readonly body: any
}

/** Asks over kept-alive connections; status 0: the connection broke. */
function createAsk(base: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 100 })
  const ask = (path: string, form: Record<string, string>) =>
    new Promise<Answer>(resolve => {
      const sent = request(
        base + path,
        {
          agent,
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        },
        answer => {
          let text = ''
          answer
            .setEncoding('utf8')
            .on('data', chunk => {
              text += chunk
            })
            .on('error', () => resolve({ status: 0, body: {} }))
            .on('end', () => {
              resolve({
                status: Number(answer.statusCode),
                body: text.startsWith('{') ? JSON.parse(text) : {},
              })
            })
        },
      )
      sent
        .on('error', () => resolve({ status: 0, body: {} }))
        .end(new URLSearchParams(form).toString())
    })
  return { ask, close: () => agent.destroy() }
}

interface Session {
  refresh: string
  access: string
  busy: boolean
}

/** 200 requests a second, whatever becomes of them, until it is told to stop. */
async function startLoad(base: string) {
  const { ask, close } = createAsk(base)
  const [failed, loggedOut]: [string[], string[]] = [[], []]
  let answered = 0
  const logIn = () =>
    ask('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username: USER,
      password: PASSWORD,
    })
  const note = (what: string, { status, body }: Answer) => {
    answered += 1
    if (status === 200) return true
    failed.push(`${what} ${status} ${body.error ?? ''}`)
    if (body.error === 'invalid_grant') loggedOut.push(what)
    return false
  }
  const sessions: Session[] = []
  for (let index = 0; index < SESSIONS; index++) {
    const { body } = await logIn()
    sessions.push({ refresh: body.refresh_token, access: body.access_token, busy: false })
  }
  const refresh = async (session: Session) => {
    session.busy = true
    const answer = await ask('/token', {
      grant_type: 'refresh_token',
      client_id: 'mobile',
      refresh_token: session.refresh,
    })
    // Where it failed the session asks again, with the same token, when its turn comes.
    if (note('refresh', answer)) {
      Object.assign(session, {
        refresh: answer.body.refresh_token,
        access: answer.body.access_token,
      })
    }
    session.busy = false
  }
  const introspect = async ({ access }: Session) => {
    const answer = await ask('/introspect', {
      token: access,
      client_id: 'orders-api',
      client_secret: API_SECRET,
    })
    if (note('introspect', answer) && answer.body.active !== true) {
      loggedOut.push('introspect')
    }
  }

  let sent = 0
  const pending = new Set<Promise<unknown>>()
  const step = () => {
    const idle = sessions.find(({ busy }) => !busy)
    const kind = sent % 10
    sent += 1
    if (idle === undefined) return
    // The one that was used goes to the end, so that each has its turn.
    sessions.push(...sessions.splice(sessions.indexOf(idle), 1))
    const work =
      kind === LOGIN
        ? logIn().then(answer => note('login', answer))
        : kind === INTROSPECT
          ? introspect(idle)
          : refresh(idle)
    pending.add(work)
    work.finally(() => pending.delete(work))
  }
  const startedAt = performance.now()
  // As many as are due: a timer that comes late makes good for it.
  const timer = setInterval(() => {
    while (sent < ((performance.now() - startedAt) * PER_SECOND) / 1000) step()
  }, 5)
  return {
    failed,
    loggedOut,
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      const perSecond = (answered / (performance.now() - startedAt)) * 1000
      // Every session still is one.
      for (const session of sessions) await refresh(session)
      close()
      return { answered, perSecond }
    },
  }
}

t.test('ten restarts under load, then ten kills', { timeout: 300_000 }, async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  await addUser(redis.url)
  const ports: Ports[] = []
  for (let index = 0; index < 2; index++) {
    ports.push({ http: await freePort(), management: await freePort() })
  }
  const base = await startProxy(t, ports)
  const start = (index: number) =>
    startLatchkey({
      storeUrl: redis.url,
      secret: SECRET,
      addUser: false,
      ports: ports[index] as Ports,
      http: { drainDelay: '1s' },
      config: { issuer: 'http://127.0.0.1', log: { level: 'warn' } },
    })
  const servers: LatchkeyProcess[] = [await start(0), await start(1)]
  t.teardown(() => Promise.all(servers.map(server => server.stop())))
  const seen = () => wait(600)
  await seen()

  await t.test(
    'SIGTERM: not ready, drain, exit 0; no failed request, no logout',
    async t => {
      const load = await startLoad(base)
      for (let restart = 0; restart < RESTARTS; restart++) {
        const index = restart % 2
        t.equal(await servers[index]?.stop(), 0)
        servers[index] = await start(index)
        await seen()
      }
      const { answered, perSecond } = await load.stop()
      t.comment(
        `${answered} requests, ${perSecond.toFixed(0)} a second: ${load.failed.length} failed, ` +
          `${load.loggedOut.length} logouts`,
      )
      t.same(load.failed, [])
      t.same(load.loggedOut, [])
      t.ok(perSecond > 0.9 * PER_SECOND, `${perSecond.toFixed(0)} a second`)
    },
  )

  await t.test('SIGKILL in between: no logout', async t => {
    const load = await startLoad(base)
    for (let kill = 0; kill < RESTARTS; kill++) {
      const index = kill % 2
      servers[index]?.signal('SIGKILL')
      await servers[index]?.stop()
      servers[index] = await start(index)
      await seen()
    }
    const { answered, perSecond } = await load.stop()
    t.comment(
      `${answered} requests, ${perSecond.toFixed(0)} a second: ${load.failed.length} failed, ` +
        `${load.loggedOut.length} logouts`,
    )
    t.same(load.loggedOut, [])
    t.ok(
      load.failed.length < answered / 50,
      `${load.failed.length} of ${answered} failed with their server`,
    )
    t.ok(
      load.failed.every(text => / (0|502|503|504) $/.test(text)),
      load.failed.join('\n'),
    )
  })
})
