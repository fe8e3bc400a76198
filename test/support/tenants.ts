// Tenant and e-mail from the token: an example beside Latchkey with examples/latchkey.yaml, whose accounts
// come from the command line.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { runChild } from './children.ts'
import { ROOT } from './python.ts'
import { startExample, type Example, type RunningExample } from './resource-server.ts'
import {
  API_SECRET,
  PASSWORD,
  postForm,
  sha256Line,
  startLatchkey,
  STORES,
  type TestStore,
} from './server.ts'

const LATCHKEY = join(ROOT, 'bin/latchkey.js')
const FILE = join(ROOT, 'examples/latchkey.yaml')
const AUDIENCE = 'http://127.0.0.1:8000'
const REPORTS_SECRET_HASH = sha256Line(API_SECRET)

/** Runs the command line; gives what it printed. */
async function latchkey(
  configFile: string,
  args: readonly string[],
  { input = '', env = {}, cwd = ROOT } = {},
): Promise<string> {
  const running = runChild(process.execPath, [LATCHKEY, ...args], {
    cwd,
    env: { REPORTS_SECRET_HASH, LATCHKEY_CONFIG: configFile, ...env },
  })
  running.child.stdin?.end(input)
  return String((await running).stdout)
}

/** Latchkey with that file, but for where it listens and what it keeps; its accounts, and the example. */
async function setUp(t: Test, example: Example, store: TestStore) {
  const { attributes, login, claims, audiences, clients } = parse(
    readFileSync(FILE, 'utf8'),
  )
  const server = await startLatchkey({
    storeUrl: store.url,
    addUser: false,
    env: { REPORTS_SECRET_HASH },
    config: { attributes, login, claims, audiences, clients },
  })
  t.teardown(() => server.stop())
  const add = (name: string, ...args: string[]) =>
    latchkey(server.configFile, ['users', 'add', name, ...args], { input: PASSWORD })
  await add(
    'alice',
    '--attribute',
    'email=alice@example.com',
    '--attribute',
    'tenant=acme',
  )
  await add('bob', '--attribute', 'tenant=globex')
  await add('carol')

  const api = await startExample(
    { ...example, env: { ...example.env, AUDIENCE } },
    server.url,
  )
  t.teardown(() => api.stop())
  return {
    tokens: async (params: Record<string, string>) => {
      const { status, body } = await postForm(`${server.url}/token`, params)
      t.equal(status, 200, JSON.stringify(body.error))
      return body
    },
    change: (name: string, ...args: string[]) =>
      latchkey(server.configFile, ['users', 'set', name, ...args]),
    get: (path: string, token: string) => get(api, path, token),
    /** The ids of the orders of the token's tenant, or why there are none. */
    async ordersOf(token: string) {
      const { status, body } = await get(api, '/tenant/orders', token)
      return status === 200 ? body.map(({ id }: { id: number }) => id) : status
    },
  }
}

type World = Awaited<ReturnType<typeof setUp>>

async function get({ url }: RunningExample, path: string, token: string) {
  const answer = await fetch(`${url}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const body: any = await answer.json()
  return { status: answer.status, body }
}

const passwordOf = (username: string, client = 'demo') => ({
  grant_type: 'password',
  client_id: client,
  username,
  password: PASSWORD,
})

/**
 * Holds an example to reading tenant and e-mail from the token, and to going by the tenant. What a token says
 * is the same on each store: one will do.
 */
export function checkTenants(example: Example, storeName: 'SQLite' | 'Redis'): void {
  t.test('examples/latchkey.yaml is a good configuration', async t => {
    const env = { LATCHKEY_SECRET: 's'.repeat(43) }
    const said = await latchkey(FILE, ['config', 'check'], { env, cwd: t.testdir() })
    t.match(said, /: right, 3 clients/)
  })

  t.test(`${example.name} reads tenant and e-mail from the token`, async t => {
    const store = await STORES.find(({ name }) => name === storeName)?.make()
    if (store === undefined) throw new Error(`no store is called ${storeName}`)
    t.teardown(() => store.remove())
    const world = await setUp(t, example, store)
    t.test('who it is, and what is theirs', t => checkUsers(t, world))
    t.test('each audience is told its own', t => checkAudiences(t, world))
    t.test('a changed tenant is in the next token', t => checkChange(t, world))
    t.test('a user of no tenant, and a machine', t => checkOthers(t, world))
  })
}

async function checkUsers(t: Test, { tokens, get, ordersOf }: World): Promise<void> {
  const { access_token: alice } = await tokens(passwordOf('alice@example.com'))
  t.match((await get('/users/me', alice)).body, {
    tenant: 'acme',
    email: 'alice@example.com',
  })
  t.same(await ordersOf(alice), [1, 2])
  const { access_token: bob } = await tokens(passwordOf('bob'))
  t.match((await get('/users/me', bob)).body, { tenant: 'globex', email: null })
  t.same(await ordersOf(bob), [3], 'of another tenant')
  const { access_token: narrow } = await tokens({
    ...passwordOf('alice'),
    scope: 'orders:read',
  })
  t.match(
    (await get('/users/me', narrow)).body,
    { tenant: 'acme', email: null },
    'no e-mail without its scope',
  )
}

async function checkAudiences(t: Test, { tokens, get }: World): Promise<void> {
  const { access_token: orders } = await tokens(passwordOf('alice'))
  const { access_token: invoices } = await tokens(passwordOf('alice', 'invoices'))
  t.match(decodeJwt(orders), { tenant: 'acme', email: 'alice@example.com' })
  t.notOk('plan' in decodeJwt(orders))
  t.match(decodeJwt(invoices), { tenant: 'acme', plan: 'free' })
  t.notOk('email' in decodeJwt(invoices))
  t.equal((await get('/users/me', invoices)).status, 401, 'and takes no other')
}

async function checkChange(
  t: Test,
  { tokens, change, get, ordersOf }: World,
): Promise<void> {
  const before = await tokens(passwordOf('alice'))
  await change('alice', '--attribute', 'tenant=globex')
  const { access_token: next } = await tokens({
    grant_type: 'refresh_token',
    client_id: 'demo',
    refresh_token: before.refresh_token,
  })
  t.match((await get('/users/me', next)).body, {
    tenant: 'globex',
    email: 'alice@example.com',
  })
  t.same(await ordersOf(next), [3])
  t.same(await ordersOf(before.access_token), [1, 2], 'that one says what it said')
}

async function checkOthers(t: Test, { tokens, get, ordersOf }: World): Promise<void> {
  const { access_token: carol } = await tokens(passwordOf('carol'))
  const { access_token: machine, ...rest } = await tokens({
    grant_type: 'client_credentials',
    client_id: 'reports',
    client_secret: API_SECRET,
  })
  t.notOk('refresh_token' in rest)
  const { status, body } = await get('/users/me', machine)
  t.equal(status, 200)
  t.same(
    body,
    { sub: 'reports', scopes: ['orders:read'], roles: [], tenant: null, email: null },
    'it is known by its id',
  )
  for (const token of [carol, machine]) t.equal(await ordersOf(token), 403)
  t.equal((await get('/orders', machine)).status, 200, 'what its scope allows')
}
