// What every proxy in examples/ is held to that asks /verify: it believes nothing that a caller adds to a
// request, of itself or of the request.
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { proves } from './interop.ts'
import {
  call,
  linkTo,
  startExample,
  startIssuer,
  type Example,
} from './resource-server.ts'
import { ORDERS, PASSWORD, postForm, USER, type LatchkeyProcess } from './server.ts'

/** What /verify says of a caller. */
export const IDENTITY = [
  'latchkey-sub',
  'latchkey-username',
  'latchkey-roles',
  'latchkey-scope',
  'latchkey-client-id',
  'latchkey-sid',
]

const OTHER = 'https://other.example.com'

/** Each header by which a caller could name another request than the one that it sends. */
export const NAMING: Readonly<Record<string, string>> = {
  'X-Original-Method': 'PUT',
  'X-Original-URL': `${OTHER}/carts`,
  'X-Original-Uri': '/carts',
  'X-Forwarded-Method': 'PUT',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'other.example.com',
  'X-Forwarded-Uri': '/carts',
  Forwarded: 'host=other.example.com;proto=https',
  Host: 'other.example.com',
}

/** A proof of the caller's key for a request. */
export type MakeProof = (htm: string, htu: string, token?: string) => Promise<string>

/** A key of a caller's. */
export async function createProver(clock = Date.now, alg = 'ES256'): Promise<MakeProof> {
  const { publicKey, privateKey } = await generateKeyPair(alg)
  const jwk = await exportJWK(publicKey)
  return async (htm, htu, token) =>
    new SignJWT({
      jti: randomUUID(),
      htm,
      htu,
      iat: Math.floor(clock() / 1000),
      ...(token !== undefined && {
        ath: createHash('sha256').update(token).digest('base64url'),
      }),
    })
      .setProtectedHeader({ typ: 'dpop+jwt', alg, jwk })
      .sign(privateKey)
}

/** Logs in at `mobile`; with a prover, for a token that is bound to its key. */
export async function login(
  { url }: LatchkeyProcess,
  { params = {}, prove }: { params?: Record<string, string>; prove?: MakeProof } = {},
): Promise<{ access_token: string; token_type: string }> {
  const answer = await fetch(`${url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'password',
      client_id: 'mobile',
      username: USER,
      password: PASSWORD,
      ...params,
    }),
    ...(prove !== undefined && {
      headers: { dpop: await prove('POST', `${url}/token`) },
    }),
  })
  return (await answer.json()) as { access_token: string; token_type: string }
}

/** The service behind the proxy: answers 200, and keeps the headers that reach it. */
async function startService(t: Test) {
  const seen: IncomingHttpHeaders[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers)
    response.end('[]')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return { address: `127.0.0.1:${port}`, seen }
}

/** GET with any headers at all, `Host` among them. */
async function get(url: string, headers: Readonly<Record<string, string>>) {
  const request = httpRequest(url, { headers }).end()
  const [response]: IncomingMessage[] = await once(request, 'response')
  response?.resume()
  const status = response?.statusCode
  return { status, challenge: response?.headers['www-authenticate'] ?? '' }
}

async function startAll(t: Test, example: Example) {
  const service = await startService(t)
  const { latchkey } = await startIssuer(t, {
    http: { trustedProxies: ['127.0.0.1'], proxyHeaders: 'original' },
    config: { dpop: { nonce: false } },
  })
  const env = { ...example.env, SERVICE: service.address }
  const proxy = await startExample({ ...example, env }, latchkey.url)
  t.teardown(() => proxy.stop())
  return { service, latchkey, proxy, orders: `${proxy.url}/orders` }
}

/** Holds a proxy to it. */
export function checkProxy(example: Example): void {
  t.test(`${example.name} refuses a revoked token at once`, async t => {
    const { latchkey, proxy } = await startAll(t, example)
    const { access_token: token } = await login(latchkey)
    t.equal((await call(proxy, token)).status, 200)
    await postForm(`${latchkey.url}/revoke`, { client_id: 'mobile', token })
    const { status, challenge } = await call(proxy, token)
    t.equal(status, 401)
    t.match(challenge, /^Bearer .*error="invalid_token"/)
  })

  t.test(
    `${example.name} takes a proof for the request itself, whatever the caller adds`,
    async t => {
      proves(t, linkTo(example), 'dpop')
      const { latchkey, orders } = await startAll(t, example)
      const prove = await createProver()
      const { access_token: token, token_type: type } = await login(latchkey, { prove })
      t.equal(type, 'DPoP')
      const ask = async (proof: [string, string], added: Record<string, string>) =>
        get(`${orders}?page=2`, {
          ...added,
          authorization: `DPoP ${token}`,
          dpop: await prove(...proof, token),
        })
      for (const added of [{}, ...eachAndAll(NAMING)]) {
        const names = Object.keys(added).join(', ')
        t.equal((await ask(['GET', orders], added)).status, 200, `its own: ${names}`)
        for (const [method, url] of [
          ['PUT', `${OTHER}/carts`],
          ['GET', `${OTHER}/orders`],
          ['PUT', orders],
          ['GET', `${new URL(orders).origin}/carts`],
        ] as const) {
          const { status, challenge } = await ask([method, url], added)
          t.equal(status, 401, `of another, ${method} ${url}: ${names}`)
          t.match(challenge, /^DPoP .*error="invalid_dpop_proof"/)
        }
      }
    },
  )

  t.test(`${example.name} says itself who the caller is`, async t => {
    const { latchkey, service, orders } = await startAll(t, example)
    const { access_token: token } = await login(latchkey)
    const headers = { authorization: `Bearer ${token}` }
    const verified = await fetch(`${latchkey.url}/verify`, {
      headers: { ...headers, 'latchkey-audience': ORDERS },
    })
    const wanted = Object.fromEntries(
      IDENTITY.map(name => [name, verified.headers.get(name)]),
    )
    const forged = Object.fromEntries(
      IDENTITY.flatMap(name => [
        [name, 'forged'],
        [name.replaceAll('-', '_'), 'forged'],
      ]),
    )
    for (const added of eachAndAll(forged)) {
      const names = Object.keys(added).join(', ')
      t.equal((await get(orders, { ...headers, ...added })).status, 200, names)
      const seen = service.seen.at(-1) ?? {}
      t.match(seen, wanted, names)
      t.notMatch(JSON.stringify(seen), 'forged', names)
      t.equal(seen.authorization, undefined, 'the token goes no further')
    }
  })

  t.test(`${example.name} says itself what the place needs`, async t => {
    const { latchkey, service, orders } = await startAll(t, example)
    const narrow = await login(latchkey, { params: { scope: 'profile' } })
    const mail = await login(latchkey, { params: { client_id: 'mail' } })
    const before = service.seen.length
    for (const [name, { access_token: token }, added, wanted] of [
      ['scope', narrow, { 'latchkey-required-scope': 'profile' }, 403],
      ['no scope', narrow, { 'latchkey-required-scope': '' }, 403],
      ['audience', mail, { 'latchkey-audience': 'https://mail.example.com' }, 401],
    ] as const) {
      const { status } = await get(orders, { ...added, authorization: `Bearer ${token}` })
      t.equal(status, wanted, name)
    }
    t.equal(service.seen.length, before, 'none reaches the service')
  })
}

/** Each of the headers alone, then all at once. */
export function eachAndAll(
  headers: Readonly<Record<string, string>>,
): Array<Record<string, string>> {
  const entries = Object.entries(headers)
  return [...entries.map(([name, value]) => ({ [name]: value })), { ...headers }]
}
