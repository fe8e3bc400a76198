// Requests that no app would send, over every route of /account, without a token, with a good one and with
// what is none. Each is answered, and none by 5xx. LATCHKEY_FUZZ says how many on each store; the full form
// are 200,000.
import t, { type Test } from 'tap'
import {
  client,
  CLIENTS,
  ISSUER,
  NO_SELF_SERVICE,
  PASSWORD,
  type TestApp,
} from '../support/app.ts'
import { serverOn, STORES, type StoreName } from './helpers.ts'

const COUNT = Number(process.env['LATCHKEY_FUZZ'] ?? 1_500)
const AT_ONCE = 50
const MINUTE = 60_000
/** A level of the log. */
const WARN = 40
const SELF = client('self', { scopes: ['account'], audience: [ISSUER] })
const SETTINGS = {
  ...NO_SELF_SERVICE,
  account: true,
  registration: 'open',
  verify: 'email',
  recovery: true,
  codes: true,
} as const

const TICKET = `tk_${'A'.repeat(66)}`
const VALUES: readonly unknown[] = [
  ...['', 'alice', 'x'.repeat(2000), '\u0000', '\uD800', '__proto__', '12345678'],
  ...[null, 7, -0, true, [], {}, [[]], { a: { b: [] } }, 1e308],
  ...[TICKET, 'tk_', 'de', 'a\r\nb', '{"a":1}', 'correct horse: battery'],
  ...[{ email: 'm@example.com' }, { email: 'a\r\nb@c.example' }, { email: null }],
  ...[{ given_name: 'x' }, { given_name: ['x'] }, { tenant: 'x' }, { constructor: 1 }],
]
const METHODS = ['POST', 'GET', 'HEAD', 'PATCH', 'PUT', 'DELETE'] as const
type Method = (typeof METHODS)[number]
/** A route, and a body that it could take. */
const ROUTES: ReadonlyArray<readonly [Method, string, object]> = [
  ['POST', '', { name: 'bob', password: PASSWORD, attributes: { email: 'b@b.example' } }],
  ['POST', '', { ticket: TICKET, password: PASSWORD }],
  ['POST', '/verification', { ticket: TICKET }],
  ['POST', '/verification', { name: 'alice', code: '12345678' }],
  ['POST', '/recovery', { name: 'alice', locale: 'de' }],
  ['POST', '/recovery/completion', { ticket: TICKET, password: PASSWORD }],
  ['POST', '/recovery/completion', { name: 'alice', code: '1', password: PASSWORD }],
  ['GET', '', {}],
  ['PATCH', '', { attributes: { given_name: 'Al' } }],
  ['PATCH', '', { attributes: { email: 'c@b.example' }, current_password: 'x' }],
  ['PUT', '/password', { password: PASSWORD, current_password: 'x' }],
  ['GET', '/sessions', {}],
  ['DELETE', '/sessions/x', {}],
  ['DELETE', '/sessions', {}],
  ['DELETE', '', { current_password: 'x' }],
]
const MEMBERS = [
  ...['name', 'password', 'current_password', 'attributes', 'ticket', 'code', 'locale'],
  ...['x', '__proto__', 'constructor'],
]
const PATHS = [
  ...['', '/verification', '/recovery', '/recovery/completion', '/password', '/sessions'],
  ...['/sessions/x', `/sessions/${'x'.repeat(3000)}`, '/sessions/%00', '/sessions/%'],
  ...['/sessions/..%2f', '/x', '/%00', '//', '?ticket=x', '/recovery?name=%ff'],
]
const TYPES = [
  ...['application/json', 'application/json', 'application/json; charset=latin1'],
  ...['text/plain', 'application/x-www-form-urlencoded', 'x', ''],
]
for (const store of STORES) {
  t.test(`${COUNT} malformed requests, on ${store}`, async t => {
    await malformedTest(t, store)
  })
}

async function malformedTest(t: Test, store: StoreName): Promise<void> {
  const server = await serverOn(t, store, {
    clients: [...CLIENTS, SELF],
    selfService: SETTINGS,
    logLevel: 'warn',
  })
  server.live.attributes = {
    email: { list: false, unique: true, self: true },
    given_name: { list: false, unique: false, self: true },
    tenant: { list: false, unique: false },
  }
  server.live.accessTtl = 600 * MINUTE
  const { access_token: token } = await server.login({
    client_id: 'self',
    resource: ISSUER,
  })
  // No longer fresh: what would delete the account is asked for a password.
  server.clock.advance(6 * MINUTE)
  const credentials = [
    ...['', '', '', `Bearer ${token}`, `Bearer ${token}`, `Bearer ${token}`],
    ...[`Bearer ${TICKET}`, `DPoP ${token}`, 'Bearer', 'Basic x', `${token}`],
  ]
  const make = createMaker(store === 'SQLite' ? 17 : 18, credentials)
  const statuses = new Map<number, number>()
  for (let sent = 0; sent < COUNT; sent += AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, () => askOf(server, make()))
    for (const { status, asked } of await Promise.all(batch)) {
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status >= 500) t.fail(`${status}: ${asked}`)
    }
  }
  t.comment(
    [...statuses]
      .toSorted()
      .map(([status, n]) => `${status} ×${n}`)
      .join(', '),
  )
  for (const status of [200, 202, 204, 400, 401, 404, 405, 415]) {
    t.ok(statuses.has(status), `some were answered ${status}`)
  }
  const bearer = { authorization: `Bearer ${token}` }
  const after = await server.app.inject({ url: '/account', headers: bearer })
  t.equal(after.statusCode, 200, 'the account is still there')
  const levels = server.lines.map(line => Number(JSON.parse(line).level))
  t.ok(Math.max(...levels) < WARN, "nothing of it is an operator's concern")
}

interface Made {
  readonly method: Method
  readonly url: string
  readonly headers: Record<string, string>
  readonly payload: string
}

/** Makes requests, the same ones each time. */
function createMaker(first: number, credentials: readonly string[]): () => Made {
  let seed = first
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T
  /** Members of any kind in the place of some, and beside them. */
  const spoilt = (right: object) => {
    const length = random(3)
    const wrong = Array.from({ length }, () => [pick(MEMBERS), pick(VALUES)])
    return random(12) === 0 ? pick(VALUES) : { ...right, ...Object.fromEntries(wrong) }
  }
  return () => {
    const [method, path, right] = pick(ROUTES)
    const isElsewhere = random(4) === 0
    const text = JSON.stringify(spoilt(isElsewhere ? {} : right))
    const payload = random(8) === 0 ? text.slice(0, random(text.length)) : text
    const type = random(3) === 0 ? pick(TYPES) : 'application/json'
    const authorization = pick(credentials)
    const dpop = random(6) === 0 ? String(pick(VALUES)).replaceAll(/[^ -~]/g, '') : ''
    return {
      method: isElsewhere ? pick(METHODS) : method,
      url: `/account${isElsewhere ? pick(PATHS) : path}`,
      headers: {
        ...(type !== '' && { 'content-type': type }),
        ...(authorization !== '' && { authorization }),
        ...(dpop !== '' && { dpop }),
      },
      payload,
    }
  }
}

async function askOf({ app }: TestApp, made: Made) {
  const { statusCode: status } = await app.inject(made)
  const { method, url, payload } = made
  return { status, asked: `${method} ${url} ${payload}` }
}
