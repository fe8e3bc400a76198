// Servers whose accounts are in Debian's PostgreSQL: two that start at once make the tables once. While it is
// away sessions go on, logins are 503 with Retry-After, and nobody is logged out.
import t from 'tap'
import { startPostgres } from '../support/databases.ts'
import { configOf, startInProcess } from '../support/in-process.ts'
import { startRedis } from '../support/redis.ts'
import { PASSWORD, USER } from '../support/server.ts'
import { until } from '../support/until.ts'

/** So soon a server answers again, milliseconds. */
const RECOVERY_MS = 3_000

t.test('two servers, and PostgreSQL that comes and goes', async t => {
  const database = await startPostgres(t)
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { url } = database
  const config = configOf(redis.url, { store: { url: redis.url, accounts: { url } } })
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

  const first = await login(two)
  t.equal(first.status, 200)
  t.equal((await login(one, 'wrong')).status, 400)
  let token = await readToken(first)

  for (let round = 0; round < 2; round++) {
    await database.kill()
    for (let count = 0; count < 6; count++) {
      const answer = await login(one)
      t.equal(answer.status, 503)
      t.ok(Number(answer.headers.get('retry-after')) > 0)
      const startedAt = performance.now()
      token = await refreshed(token)
      t.ok(performance.now() - startedAt < 1_000, 'a refresh waits for nothing')
    }
    await database.start()
    const backAt = performance.now()
    await until(async () => (await login(one)).status === 200)
    t.ok(performance.now() - backAt < RECOVERY_MS, 'soon')
    token = await refreshed(token)
  }
})

async function readToken(answer: Response): Promise<string> {
  const body: { readonly refresh_token: string } = JSON.parse(await answer.text())
  return body.refresh_token
}
