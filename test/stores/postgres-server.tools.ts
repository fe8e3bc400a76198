// Servers whose accounts are in Debian's PostgreSQL: two that start at once make the tables once. While it is
// half open, or killed, sessions go on, logins are 503 with Retry-After, and nobody is logged out.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { startPostgres } from '../support/databases.ts'
import { configOf, startInProcess } from '../support/in-process.ts'
import { startRedis } from '../support/redis.ts'
import { PASSWORD, USER } from '../support/server.ts'
import { askUntil, SOON_MS, until } from '../support/until.ts'

/** What stands before PostgreSQL, and may fall silent: connections stay, and nothing comes through. */
async function standBefore(t: Test, port: number) {
  let isSilent = false
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const upstream = connect(port, '127.0.0.1')
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(one)
          other.destroy()
        })
      one.on('data', chunk => {
        if (!isSilent) other.write(chunk)
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port: own } = server.address() as AddressInfo
  return {
    url: `postgres://postgres@127.0.0.1:${own}/postgres`,
    async fallSilent() {
      isSilent = true
    },
    async speak() {
      isSilent = false
      for (const socket of sockets) socket.destroy()
    },
  }
}

t.test('two servers, and PostgreSQL that comes and goes', async t => {
  const database = await startPostgres(t)
  const before = await standBefore(t, database.port)
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const accounts = { url: before.url, timeout: '1s' }
  // It asks again and again until PostgreSQL is back.
  const throttle = { perAddress: { max: 100_000 } }
  const config = configOf(redis.url, { store: { url: redis.url, accounts }, throttle })
  const [one, two] = await Promise.all([
    startInProcess(t, { config }),
    startInProcess(t, { config }),
  ])
  await one.core.accounts.add({ name: USER, password: PASSWORD, scopes: null, roles: [] })

  const post = (server: typeof one, fields: Record<string, string>) =>
    fetch(`${server.url}/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'mobile', ...fields }),
    })
  const login = (server: typeof one, password = PASSWORD) =>
    post(server, { grant_type: 'password', username: USER, password })
  const refreshed = async (token: string) => {
    const answer = await post(two, { grant_type: 'refresh_token', refresh_token: token })
    t.equal(answer.status, 200)
    return readToken(answer)
  }

  // A busy PostgreSQL may be late.
  const isVerdict = ({ status }: Response) => status !== 503
  const first = await askUntil(() => login(two), isVerdict)
  t.equal(first.status, 200)
  t.equal((await askUntil(() => login(one, 'wrong'), isVerdict)).status, 400)
  let token = await readToken(first)

  for (const [leave, come] of [
    [before.fallSilent, before.speak],
    [database.kill, database.start],
    [before.fallSilent, before.speak],
  ] as const) {
    await leave()
    for (let count = 0; count < 6; count++) {
      const answer = await login(one)
      t.equal(answer.status, 503)
      t.ok(Number(answer.headers.get('retry-after')) > 0)
      const tookMs = async () => {
        const startedAt = performance.now()
        token = await refreshed(token)
        return performance.now() - startedAt
      }
      const isQuick = (ms: number) => ms < 1_000
      t.ok(isQuick(await askUntil(tookMs, isQuick)), 'a refresh waits for nothing')
    }
    await come()
    const backAt = performance.now()
    await until(async () => (await login(one)).status === 200)
    const tookMs = Math.round(performance.now() - backAt)
    t.ok(tookMs < SOON_MS, `a login ${tookMs} ms after PostgreSQL is back`)
    token = await refreshed(token)
  }
})

async function readToken(answer: Response): Promise<string> {
  const body: { readonly refresh_token: string } = JSON.parse(await answer.text())
  return body.refresh_token
}
