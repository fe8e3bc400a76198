// Several server processes on one Redis, at one public and one management port: what an operator and an app
// see of them.
import { Agent, request } from 'node:http'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { freePort } from '../support/free-port.ts'
import { openRaw } from '../support/raw-connection.ts'
import { startRedis } from '../support/redis.ts'
import {
  API_SECRET,
  CHEAP_HASHING,
  CLIENTS,
  login,
  PASSWORD,
  runMain,
  runNode,
  startLatchkey,
  USER,
  type LatchkeyProcess,
} from '../support/server.ts'
import { until } from '../support/until.ts'

const CLI = new URL('../../bin/latchkey.js', import.meta.url).pathname
const ROUNDS = 8
const passwords = { ...CHEAP_HASHING, concurrency: 2 }

interface Answer {
  readonly status: number
  readonly body: any
}

interface Asked {
  readonly form?: Record<string, string>
  readonly headers?: Record<string, string>
  /** Default: a connection of its own, which the next process in turn takes. */
  readonly agent?: Agent | false
}

async function ask(
  url: string,
  { form, headers = {}, agent = false }: Asked = {},
): Promise<Answer> {
  const body = form && new URLSearchParams(form).toString()
  const sent = request(url, {
    agent,
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...headers,
      ...(body !== undefined && {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': String(body.length),
      }),
    },
  })
  const answered = once(sent, 'response')
  sent.end(body)
  const [response] = await answered
  const answer = await text(response)
  return {
    status: response.statusCode,
    body: /json/.test(response.headers['content-type']) ? JSON.parse(answer) : answer,
  }
}

const refresh = ({ url }: LatchkeyProcess, token: string) =>
  ask(`${url}/token`, {
    form: { grant_type: 'refresh_token', client_id: 'mobile', refresh_token: token },
  })

const introspect = (
  { url }: LatchkeyProcess,
  token: string,
  agent: Agent | false = false,
) =>
  ask(`${url}/introspect`, {
    form: { token },
    headers: {
      authorization: `Basic ${Buffer.from(`orders-api:${API_SECRET}`).toString('base64')}`,
    },
    agent,
  })

async function start(t: Test, templates?: string): Promise<LatchkeyProcess> {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const server = await startLatchkey({
    storeUrl: redis.url,
    http: { drainDelay: '200ms' },
    config: {
      processes: 2,
      passwords,
      ...(templates !== undefined && {
        notify: {
          mail: {
            host: 'mail.example.com',
            from: 'Shop <no-reply@shop.example>',
            links: { recovery: 'https://app.example.com/reset' },
            templates,
          },
        },
      }),
    },
  })
  t.teardown(() => server.stop())
  await server.logged(/the server processes are ready/)
  return server
}

/** The processes that are ready, as the log says. */
async function pidsOf(server: LatchkeyProcess): Promise<number[]> {
  return JSON.parse(await server.logged(/the server processes are ready/)).processes
}

/** Which processes have answered at a route. */
const answeredAt = ({ lines }: LatchkeyProcess, route: string) =>
  new Set(
    lines
      .filter(line => line.includes('"answered"') && line.includes(`"route":"${route}"`))
      .map(line => JSON.parse(line).pid),
  )

const metricsOf = async ({ managementUrl }: LatchkeyProcess, accept = 'text/plain') =>
  String((await ask(`${managementUrl}/metrics`, { headers: { accept } })).body)

const valueOf = (metrics: string, series: string) =>
  Number(
    metrics
      .split('\n')
      .find(line => line.startsWith(`${series} `))
      ?.slice(series.length + 1),
  )

const isIntrospection = (line: string) => line.includes('"route":"/introspect"')

const isThere = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

t.test('from their start to their stop', async t => {
  const template = { 'ticket.recovery.en.txt': 'Subject: Mine\n\n{{link}}\n' }
  const folder = t.testdir(template)
  const server = await start(t, folder)
  t.test('they are one server to apps', t => oneToApps(t, server))
  t.test('they are one server to Prometheus, too', t => oneToPrometheus(t, server))
  t.test('SIGHUP reaches all, and what is refused is refused in all', t =>
    reloadsAll(t, server, join(folder, 'ticket.recovery.en.txt')),
  )
  t.test('one that is killed is replaced, and the other goes on', t =>
    replacesOne(t, server),
  )
  t.test('SIGTERM: all answer what is in flight, and the exit code is 0', t =>
    stopsAll(t, server),
  )
})

async function oneToApps(t: Test, server: LatchkeyProcess) {
  const pids = await pidsOf(server)
  t.equal(pids.length, 2)
  t.notOk(pids.includes(server.pid), 'the process that was started answers nothing')
  let { access_token: access, refresh_token: token } = await login(server)
  const first = token
  const saysActive = async (active: boolean, what: string) => {
    for (let round = 0; round < ROUNDS; round++) {
      t.match(await introspect(server, access), { status: 200, body: { active } }, what)
    }
  }

  await saysActive(true, 'a token of one is good at the other')
  await until(() => answeredAt(server, '/introspect').size === 2)
  t.same(answeredAt(server, '/introspect'), new Set(pids), 'both have answered')

  for (let round = 0; round < ROUNDS; round++) {
    const { status, body } = await refresh(server, token)
    t.equal(status, 200, 'a session goes on at the other')
    ;({ access_token: access, refresh_token: token } = body)
  }
  await until(() => answeredAt(server, '/token').size === 2)
  t.match(await refresh(server, first), { status: 400, body: { error: 'invalid_grant' } })
  await saysActive(false, 'a stolen session has ended at both')

  access = (await login(server)).access_token
  const form = { token: access, client_id: 'mobile' }
  t.equal((await ask(`${server.url}/revoke`, { form })).status, 200)
  await saysActive(false, 'a revocation is seen by both')
}

async function oneToPrometheus(t: Test, server: LatchkeyProcess) {
  const { access_token: token } = await login(server)
  const counted =
    'latchkey_http_request_duration_seconds_count{method="POST",route="/introspect",status="200"}'
  const before = valueOf(await metricsOf(server), counted)
  const sent = 2 * ROUNDS + 1
  for (let round = 0; round < sent; round++) await introspect(server, token)

  for (const round of [1, 2, 3, 4]) {
    const counts: number[] = []
    // On a busy machine one of them may be too late; it counts as it did before.
    await until(async () => {
      counts.push(valueOf(await metricsOf(server), counted) - before)
      return counts.at(-1) === sent
    })
    t.ok(
      counts.every(count => count <= sent),
      `scrape ${round}: exactly so many`,
    )
    t.equal((await ask(`${server.managementUrl}/readyz`)).status, 200)
  }
  const metrics = await metricsOf(server)
  t.equal(valueOf(metrics, 'latchkey_processes'), 2)
  t.equal(valueOf(metrics, 'latchkey_store_up'), 1)
  t.match(metrics, /^# TYPE latchkey_grants_total counter$/m)
  t.notMatch(metrics, '# EOF')
  const accept = 'application/openmetrics-text; version=1.0.0'
  const openMetrics = await metricsOf(server, accept)
  t.match(openMetrics, /^# TYPE latchkey_grants counter$/m)
  t.match(openMetrics, /\n# EOF\n$/)
}

async function reloadsAll(t: Test, server: LatchkeyProcess, template: string) {
  const write = (config: object) =>
    writeFile(server.configFile, JSON.stringify({ ...server.config, ...config }))
  const withClient = (id: string) => ({ clients: [...CLIENTS, { ...CLIENTS[0], id }] })
  /** Asks both, twice; every answer is the same. */
  const know = async (id: string, what: string, isKnown = true) => {
    for (let round = 0; round < 4; round++) {
      const form = { grant_type: 'none', client_id: id }
      const { body } = await ask(`${server.url}/token`, { form })
      t.equal(body.error === 'unsupported_grant_type', isKnown, what)
    }
  }
  await know('tablet', 'before', false)
  await write(withClient('tablet'))
  server.signal('SIGHUP')
  await server.logged(/"configuration reloaded"/)
  await know('tablet', 'in force once the log says so')

  await write({ clients: [{ id: 'tablet', grunts: [] }] })
  server.signal('SIGHUP')
  t.match(await server.logged(/configuration refused/), /clients\[0\]\.grunts/)
  await know('tablet', 'the old one stays in force')

  const text = await readFile(template, 'utf8')
  await writeFile(template, 'nobody knows what this is about\n')
  await write(withClient('phone'))
  server.signal('SIGHUP')
  t.match(await server.logged(/"fault":"[^"]*ticket\.recovery/), /the old one stays/)
  await know('phone', 'a bad template is refused before any has it', false)
  t.notOk(server.lines.some(line => line.includes('is replaced')))

  await writeFile(template, text)
  await write({ processes: 3, ...withClient('watch') })
  server.signal('SIGHUP')
  t.match(await server.logged(/some keys need a restart/), '"needRestart":["processes"]')
  await know('watch', 'the next one is in force')
  const metrics = await metricsOf(server)
  t.ok(valueOf(metrics, 'latchkey_config_reloads_total{result="refused"}') >= 1)
  t.ok(valueOf(metrics, 'latchkey_config_reloads_total{result="taken"}') >= 2)
  t.equal(valueOf(metrics, 'latchkey_config_refused'), 0)
}

async function replacesOne(t: Test, server: LatchkeyProcess) {
  const { access_token: token } = await login(server)
  const staying = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => staying.destroy())
  const seen = server.lines.length
  t.match(await introspect(server, token, staying), { status: 200 })
  // The connection stays with the process that took it.
  await until(() => server.lines.slice(seen).some(isIntrospection))
  const survivor = JSON.parse(server.lines.slice(seen).find(isIntrospection) ?? '').pid
  const [victim = 0] = (await pidsOf(server)).filter(pid => pid !== survivor)
  const before = await metricsOf(server)
  // It stands still, and is handed one of these, which it never takes.
  process.kill(victim, 'SIGSTOP')
  const get = 'GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\n\r\n'
  const waiting = [await openRaw(server, get), await openRaw(server, get)]
  t.teardown(() => waiting.forEach(({ destroy }) => destroy()))
  await until(() => waiting.some(({ text }) => text() !== ''))
  process.kill(victim, 'SIGKILL')

  const line = await server.logged(/a server process has ended and is replaced/)
  t.match(JSON.parse(line), {
    ended: victim,
    signal: 'SIGKILL',
    reason: 'ended',
    level: 50,
  })
  const good = { status: 200, body: { active: true } }
  await until(async () => {
    t.match(await introspect(server, token, staying), good, 'the other goes on')
    t.match(await introspect(server, token), good, 'nobody waits for the dead one')
    return valueOf(await metricsOf(server), 'latchkey_processes') === 2
  })
  const untaken = waiting.filter(({ text }) => text() === '')
  let ended = 0
  for (const { closed } of untaken) closed.then(() => (ended += 1))
  t.equal(untaken.length, 1)
  await until(() => ended === 1)
  const after = await metricsOf(server)
  t.equal(valueOf(after, 'latchkey_processes_replaced_total{reason="ended"}'), 1)
  const falling = (before.match(/^\w+_total(\{[^}]*\})?(?= )/gm) ?? []).filter(
    series => !(valueOf(after, series) >= valueOf(before, series)),
  )
  t.same(falling, [], 'no counter falls')
}

async function stopsAll(t: Test, server: LatchkeyProcess) {
  const pids = answeredAt(server, '/introspect')
  const form = new URLSearchParams({
    grant_type: 'password',
    client_id: 'mobile',
    username: USER,
    password: PASSWORD,
  }).toString()
  const half = form.length / 2
  const head =
    'POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n' +
    `Content-Length: ${form.length}\r\n\r\n${form.slice(0, half)}`
  const requests = []
  for (let round = 0; round < 4; round++) requests.push(await openRaw(server, head))
  // All have read what came before this.
  for (let round = 0; round < 4; round++) await ask(server.url)
  const stopped = server.stop()
  await until(async () => (await ask(`${server.managementUrl}/readyz`)).status === 503)
  for (const sent of requests) sent.send(form.slice(half))
  for (const sent of requests) {
    await sent.closed
    t.match(sent.answer(), { status: 200, body: { token_type: 'Bearer' } })
  }
  t.equal(await stopped, 0)
  t.notOk([...pids].some(isThere), 'none is left')
}

t.test('what a start can’t do is said once, and none outlives its parent', async t => {
  const server = await start(t)
  const pids = await pidsOf(server)
  const config = {
    ...server.config,
    http: { host: '127.0.0.1', port: server.port },
    management: { host: '127.0.0.1', port: await freePort() },
  }
  const file = `${server.configFile}.second.yaml`
  const refusedWith = async (changes: object, says: RegExp) => {
    await writeFile(file, JSON.stringify({ ...config, ...changes }))
    const run = runMain({ LATCHKEY_CONFIG: file })
    t.equal(await run.ended, 1)
    t.equal(run.lines.filter(line => says.test(line)).length, 1, run.lines.join('\n'))
    t.equal(run.lines.filter(line => line.startsWith('latchkey: ')).length, 1)
  }
  await refusedWith({}, /^latchkey: .*EADDRINUSE/)
  await refusedWith(
    { passwords: CHEAP_HASHING },
    /^latchkey: passwords: 1 at once \(concurrency\) can't be shared out among 2 processes/,
  )
  const sqlite = { store: { url: `sqlite:${file}.db` } }
  await refusedWith(sqlite, /^latchkey: .*processes/)
  const check = runNode([CLI, 'config', 'check'], { LATCHKEY_CONFIG: file })
  t.equal(await check.ended, 1)
  t.match(
    check.lines.join('\n'),
    /processes: expected 1 with SQLite, whose file has one writer/,
  )

  server.signal('SIGKILL')
  t.ok(await until(() => !pids.some(isThere)))
})
