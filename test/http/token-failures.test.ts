// Access tokens and proofs that are no good, at /userinfo and /verify: limited where they come from. What is
// good is never held up by them.
import { createHash, randomUUID } from 'node:crypto'
import fastify, { type FastifyRequest } from 'fastify'
import * as jose from 'jose'
import t from 'tap'
import { createRefreshTokenOf } from '../../src/http/callers/refresh-token-of.ts'
import { createTokenFailures } from '../../src/http/callers/limits/token-failures.ts'
import { serverOn } from '../conformance/helpers.ts'
import { ISSUER, ORDERS, PASSWORD, type TestApp } from '../support/app.ts'

const HOME = '192.0.2.1'
const ELSEWHERE = '198.51.100.1'
const LOGIN = {
  grant_type: 'password',
  client_id: 'mobile',
  username: 'alice',
  password: PASSWORD,
}

const { publicKey, privateKey } = await jose.generateKeyPair('ES256', {
  extractable: true,
})
const jwk = await jose.exportJWK(publicKey)

/** A proof for one of the two endpoints, or for a login where no token is named. */
function proof(
  { clock }: TestApp,
  { htu, token, jti = randomUUID() }: { htu: string; token?: string; jti?: string },
) {
  const ath =
    token === undefined
      ? {}
      : { ath: createHash('sha256').update(token).digest('base64url') }
  return new jose.SignJWT({
    jti,
    htm: token === undefined ? 'POST' : 'GET',
    htu,
    iat: Math.floor(clock() / 1000),
    ...ath,
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
    .sign(privateKey)
}

/** Asks an endpoint, from an address, and gives the status. */
const asking =
  ({ app }: TestApp, url: string) =>
  async (authorization: string, remoteAddress = HOME, headers = {}) => {
    const answer = await app.inject({
      url,
      remoteAddress,
      headers: {
        'latchkey-audience': ORDERS,
        ...(authorization !== '' && { authorization }),
        ...headers,
      },
    })
    const seconds = Number(answer.headers['retry-after'])
    return answer.statusCode === 429 && !(seconds > 0) ? NaN : answer.statusCode
  }

for (const url of ['/userinfo', '/verify']) {
  t.test(`${url} limits tokens that are no good, and no good one`, async t => {
    const server = await serverOn(t, 'SQLite')
    const ask = asking(server, url)
    const first = await server.login()
    server.live.max = 5
    const forged = (guess: number) =>
      `Bearer ${first.access_token.slice(0, -6)}${String(guess).padStart(6, 'A')}`
    const statuses: number[] = []
    for (let guess = 0; guess < 8; guess++) statuses.push(await ask(forged(guess)))
    t.same(statuses, [401, 401, 401, 401, 401, 429, 429, 429])
    t.equal(await ask('Bearer nonsense'), 429, 'whatever is wrong with it')
    t.equal(await ask(forged(1), ELSEWHERE), 401, 'another address has its own limit')
    t.equal(await ask(`Bearer ${first.access_token}`), 200, 'one that was seen before')
    const login = await server.post('/token', LOGIN)
    t.equal(login.statusCode, 200, 'a login is counted apart')
    t.equal(await ask(`Bearer ${login.json().access_token}`), 200, 'one that is new')
  })

  t.test(`${url} counts no token that was ours, and no request without one`, async t => {
    const server = await serverOn(t, 'SQLite')
    const ask = asking(server, url)
    server.live.max = 2
    const expired = await server.login()
    server.clock.advance(server.live.accessTtl)
    for (let i = 0; i < 5; i++) {
      t.equal(await ask(`Bearer ${expired.access_token}`), 401, 'it has expired')
      t.equal(await ask(''), 401, 'none')
    }
    t.equal(await ask('Bearer nonsense'), 401)
  })

  t.test(`${url} reads no proof of a session that sent too many bad ones`, async t => {
    const server = await serverOn(t, 'SQLite', {
      trustedProxies: [HOME, ELSEWHERE],
      proxyHeaders: 'original',
    })
    const ask = asking(server, url)
    const logIn = async () => {
      const dpop = await proof(server, { htu: `${ISSUER}/token` })
      return (await server.post('/token', LOGIN, { dpop })).json().access_token
    }
    const [token, other] = [await logIn(), await logIn()]
    const htu = url === '/verify' ? `${ORDERS}/1` : `${ISSUER}/userinfo`
    const target = { 'x-original-method': 'GET', 'x-original-url': `${ORDERS}/1` }
    const good = async (of: string, address = HOME) =>
      ask(`DPoP ${of}`, address, {
        ...target,
        dpop: await proof(server, { htu, token: of }),
      })
    const bad = async (dpop: string) => ask(`DPoP ${token}`, HOME, { ...target, dpop })
    server.live.maxPerSession = 3
    t.equal(await ask(`DPoP ${token}`, HOME, target), 401, 'no proof at all is no try')
    t.equal(await bad('no proof'), 401)
    t.equal(await bad(await proof(server, { htu, token: other })), 401)
    t.equal(await good(token), 200, 'a good one between them')
    t.equal(await bad(await proof(server, { htu: 'https://x.example', token })), 401)
    t.equal(await bad('no proof'), 429)
    t.equal(await good(token), 429, 'not read: a good one is not either')
    t.equal(await good(token, ELSEWHERE), 200, 'from elsewhere the session goes on')
    t.equal(await good(other), 200, 'and so do others from there')
  })
}

t.test('a window ends by the clock that is given', async t => {
  let now = 0
  const limit = { max: 1, window: 1000 }
  const failures = createTokenFailures(
    { addressLimit: () => limit, sessionLimit: () => limit },
    () => now,
  )
  const app = fastify()
  t.teardown(() => app.close())
  app.get('/', async request => triesOf(request))
  function triesOf(request: FastifyRequest): string[] {
    const tries = [
      () => failures.forged(request),
      () => failures.forged(request),
      () => failures.badProof(request, 'sid'),
      () => failures.beforeProof(request, 'sid'),
      () => failures.beforeProof(request, 'another'),
    ]
    return [0, 999, 1000].flatMap(at => {
      now = at
      return tries.map(outcomeOf)
    })
  }
  const outcomes = (await app.inject('/')).json()
  const within = ['passes', 'retry-after 1', 'passes', 'retry-after 1', 'passes']
  t.same(outcomes, [
    ...within,
    ...['retry-after 1', 'retry-after 1', 'passes', 'retry-after 1', 'passes'],
    ...within,
  ])
})

function outcomeOf(run: () => void): string {
  try {
    run()
    return 'passes'
  } catch (error) {
    return `retry-after ${(error as { headers: Record<string, string> }).headers['retry-after']}`
  }
}

t.test('a refresh token is decoded once for the limit and the grant', async t => {
  let decoded = 0
  const refreshTokenOf = createRefreshTokenOf({
    decode() {
      decoded += 1
      return undefined
    },
  })
  const app = fastify()
  t.teardown(() => app.close())
  app.post('/', async request => {
    for (let i = 0; i < 3; i++) t.equal(refreshTokenOf(request), undefined)
    return {}
  })
  await app.inject({ method: 'POST', url: '/', payload: { refresh_token: 'rt_x' } })
  t.equal(decoded, 1)
})
