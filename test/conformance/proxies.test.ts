// /verify about tokens that are bound to a key (DPoP): which headers name the request behind the proxy, and
// that no caller can name another one through a proxy that is set up as docs/proxies.md says. nginx and
// HAProxy themselves: test/examples.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { ORDERS, PASSWORD, type TestApp } from '../support/app.ts'
import { createProver, eachAndAll, IDENTITY, NAMING } from '../support/proxies.ts'
import { refused, serverOn } from './helpers.ts'

type Headers = Record<string, string>

const URL_ASKED = 'https://orders.example.com/orders/1'
const SENT = {
  original: { 'x-original-method': 'PUT', 'x-original-url': `${URL_ASKED}?a=b` },
  forwarded: {
    'x-forwarded-method': 'PUT',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'orders.example.com',
    'x-forwarded-uri': '/orders/1?a=b',
  },
} as const
const KINDS = ['original', 'forwarded'] as const
const INVALID = {
  status: 401,
  error: 'invalid_dpop_proof',
  challenge: /^DPoP realm="latchkey", error="invalid_dpop_proof"/,
}

/** Someone with a token that is bound to their key, whose proxy asks /verify. */
async function boundCaller(server: TestApp) {
  const prove = await createProver(server.clock)
  const login = await server.post(
    '/token',
    {
      grant_type: 'password',
      client_id: 'mobile',
      username: 'alice',
      password: PASSWORD,
    },
    { dpop: await prove('POST', 'https://id.example.com/token') },
  )
  const { access_token: token } = login.json()
  const ask = async (
    [htm, htu]: readonly [string, string],
    headers: Headers,
    remoteAddress = '127.0.0.1',
  ) =>
    server.app.inject({
      url: '/verify',
      remoteAddress,
      headers: {
        'latchkey-audience': ORDERS,
        authorization: `DPoP ${token}`,
        dpop: await prove(htm, htu, token),
        ...headers,
      },
    })
  return { ask, token }
}

for (const trustedProxies of [
  ['127.0.0.0/8', '::1/128'],
  ['127.0.0.1'],
  ['10.0.0.0/8'],
  [],
]) {
  t.test(`a header is believed only of a trusted proxy: ${trustedProxies}`, async t => {
    const isTrusted = trustedProxies.some(range => range.startsWith('127'))
    for (const proxyHeaders of KINDS) {
      const { ask } = await boundCaller(
        await serverOn(t, 'SQLite', { trustedProxies, proxyHeaders }),
      )
      const headers = SENT[proxyHeaders]
      const answer = await ask(['PUT', URL_ASKED], headers)
      if (isTrusted) t.equal(answer.statusCode, 200, answer.body)
      else refused(t, answer, INVALID)
      refused(t, await ask(['PUT', `${URL_ASKED}2`], headers), INVALID, 'another URL')
      refused(t, await ask(['GET', URL_ASKED], headers), INVALID, 'another method')
      refused(t, await ask(['PUT', URL_ASKED], headers, 'closed'), INVALID, 'no address')
      if (trustedProxies.length === 2) {
        const overIPv6 = await ask(['PUT', URL_ASKED], headers, '::1')
        t.equal(overIPv6.statusCode, 200, 'IPv6')
      }
    }
  })
}

t.test('a header that the proxy does not set is not believed', async t => {
  for (const proxyHeaders of KINDS) {
    const { ask } = await boundCaller(
      await serverOn(t, 'SQLite', { trustedProxies: ['127.0.0.1'], proxyHeaders }),
    )
    const [other = 'original'] = KINDS.filter(kind => kind !== proxyHeaders)
    refused(t, await ask(['PUT', URL_ASKED], SENT[other]), INVALID, `only ${other}`)
    const elsewhere = {
      original: {
        'x-original-method': 'GET',
        'x-original-url': 'https://other.example/',
      },
      forwarded: {
        'x-forwarded-method': 'GET',
        ...(proxyHeaders === 'original' && { 'x-forwarded-host': 'other.example' }),
        'x-forwarded-uri': '/',
      },
    }[other]
    for (const added of eachAndAll(elsewhere)) {
      const headers = { ...added, ...SENT[proxyHeaders] }
      t.equal((await ask(['PUT', URL_ASKED], headers)).statusCode, 200)
      refused(t, await ask(['GET', 'https://other.example/'], headers), INVALID)
    }
    for (const name of Object.keys(SENT[proxyHeaders])) {
      const without = { ...SENT[proxyHeaders], [name]: '' }
      refused(t, await ask(['PUT', URL_ASKED], without), INVALID, `without ${name}`)
    }
  }
})

t.test('what is no URL, or would leave the host, names no request', async t => {
  const options = { trustedProxies: ['127.0.0.1'] }
  const [{ ask: original }, { ask: forwarded }] = [
    await boundCaller(
      await serverOn(t, 'SQLite', { ...options, proxyHeaders: 'original' }),
    ),
    await boundCaller(
      await serverOn(t, 'SQLite', { ...options, proxyHeaders: 'forwarded' }),
    ),
  ]
  const asOriginal = { ...SENT.original, 'x-original-url': 'none' }
  refused(t, await original(['PUT', 'none'], asOriginal), INVALID, 'no URL equals none')
  for (const path of ['@other.example/x', '.other.example/x', ':8443/x', '*']) {
    const headers = { ...SENT.forwarded, 'x-forwarded-uri': path }
    const meant = `https://orders.example.com${path}`
    refused(t, await forwarded(['PUT', meant], headers), INVALID, path)
  }
})

t.test(
  'without http.proxyHeaders no header is believed, and the log says so once',
  async t => {
    const server = await serverOn(t, 'SQLite', { trustedProxies: ['127.0.0.1'] })
    const { ask } = await boundCaller(server)
    for (const kind of KINDS) {
      refused(t, await ask(['PUT', URL_ASKED], SENT[kind]), INVALID, kind)
    }
    const warnings = server.lines.filter(line => line.includes('http.proxyHeaders'))
    t.equal(warnings.length, 1)
    t.match(JSON.parse(warnings[0] ?? '{}'), { level: 40, msg: /original or forwarded/ })
  },
)

t.test('a bound token passes for none that needs no key', async t => {
  const server = await serverOn(t, 'SQLite', { trustedProxies: ['127.0.0.1'] })
  const { ask, token } = await boundCaller(server)
  refused(t, await ask(['PUT', URL_ASKED], { authorization: `Bearer ${token}` }), {
    status: 401,
    error: 'invalid_token',
    challenge: /^DPoP realm="latchkey", error="invalid_token"/,
  })
})

// The page's text, as the proxy acts on it: what of a caller's headers reaches Latchkey, and what of its
// answer reaches the service.
const page = readFileSync(join(import.meta.dirname, '../../docs/proxies.md'), 'utf8')
const textOf = (name: string) =>
  parse(new RegExp(`## ${name}\n[^]*?\`\`\`yaml\n([^]*?)\`\`\``).exec(page)?.[1] ?? '')
const lower = (headers: Headers): Headers =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
const only = (headers: Headers, names: readonly string[]): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)))

interface Proxy {
  readonly proxyHeaders: 'original' | 'forwarded'
  /** What /verify is asked with, of a request with these headers. */
  readonly question: (headers: Headers) => Headers
  /** What of /verify's answer stands in the service's request. */
  readonly identity: readonly string[]
  /** Whether it names the request, so that bound tokens may pass. */
  readonly names: boolean
}

function traefik(): Proxy {
  const { middlewares } = textOf('Traefik').http
  const { customRequestHeaders: set } = middlewares['orders-needs'].headers
  const { forwardAuth } = middlewares.latchkey
  const taken = forwardAuth.authRequestHeaders.map((name: string) => name.toLowerCase())
  t.equal(forwardAuth.trustForwardHeader, false)
  return {
    proxyHeaders: 'forwarded',
    question: headers => ({
      ...only({ ...headers, ...lower(set) }, taken),
      ...SENT.forwarded,
    }),
    identity: forwardAuth.authResponseHeaders,
    names: true,
  }
}

function envoy(): Proxy {
  const [filter] = textOf('Envoy').http_filters
  const { authorization_request: asks, authorization_response: answers } =
    filter.typed_config.http_service
  const allowed = asks.allowed_headers.patterns.map(({ exact }: any) => exact)
  const added = asks.headers_to_add.map(({ key, value }: any) => [key, value])
  const [{ prefix }] = answers.allowed_upstream_headers.patterns
  return {
    proxyHeaders: 'original',
    question: headers => ({
      ...only(headers, ['authorization', 'host', ...allowed]),
      ...Object.fromEntries(added),
    }),
    identity: IDENTITY.filter(name => name.startsWith(prefix)),
    names: false,
  }
}

for (const [name, { proxyHeaders, question, identity, names }] of Object.entries({
  Traefik: traefik(),
  Envoy: envoy(),
})) {
  t.test(`${name}, as the page has it, passes on nothing that a caller adds`, async t => {
    const server = await serverOn(t, 'SQLite', {
      trustedProxies: ['127.0.0.1'],
      proxyHeaders,
    })
    const { ask } = await boundCaller(server)
    const { access_token: token } = await server.login({ scope: 'profile' })
    const own = { 'latchkey-required-scope': 'profile', 'latchkey-audience': 'https://x' }
    // The router has matched the host.
    const { Host: _, ...naming } = NAMING
    for (const added of eachAndAll(lower({ ...naming, ...own }))) {
      const said = Object.keys(added).join(', ')
      const { statusCode } = await ask(['PUT', URL_ASKED], question(added))
      t.equal(statusCode, names ? 200 : 401, `its own: ${said}`)
      for (const url of [
        'https://other.example.com/carts',
        'https://id.example.com/carts',
      ]) {
        refused(t, await ask(['PUT', url], question(added)), INVALID, said)
      }
      const bearer = await server.app.inject({
        url: '/verify',
        headers: question({ ...added, authorization: `Bearer ${token}` }),
      })
      t.equal(bearer.statusCode, 403, `the scope: ${said}`)
    }
    t.same(identity.map(header => header.toLowerCase()).sort(), [...IDENTITY].sort())
  })
}
