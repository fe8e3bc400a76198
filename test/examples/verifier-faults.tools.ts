// packages/latchkey-verifier beside an issuer that answers oddly, late, or not at all: no fault of it may
// become a verdict on a token.
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { createNoteOnce, NoRoom } from '../../packages/latchkey-verifier/src/dpop.ts'
import {
  createVerifier,
  type VerifierOptions,
} from '../../packages/latchkey-verifier/src/index.ts'

type Pair = Awaited<ReturnType<typeof generateKeyPair>>

/** An issuer whose answers the test sets. */
async function startFake(t: Test) {
  const pairs = new Map<string, Pair>()
  const state = { listStatus: 200, listDelayMs: 0, empty: false, keyFetches: 0, ttl: 10 }
  const server = createServer(async (request, response) => {
    const [status, text] = await answer(String(request.url))
    response.writeHead(status).end(text)
  })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer = `${base}/`

  async function answer(url: string): Promise<[number, string]> {
    if (url === '/.well-known/jwks.json') {
      state.keyFetches += 1
      const keys = [...pairs].map(async ([kid, { publicKey }]) => ({
        ...(await exportJWK(publicKey)),
        kid,
        alg: 'ES256',
      }))
      return [200, JSON.stringify({ keys: state.empty ? [] : await Promise.all(keys) })]
    }
    await new Promise(resolve => setTimeout(resolve, state.listDelayMs).unref())
    const lst = deflateSync(Buffer.alloc(2)).toString('base64url')
    const list = new SignJWT({ ttl: state.ttl, status_list: { bits: 1, lst } })
      .setSubject(base + url)
      .setExpirationTime('1h')
    return [state.listStatus, await sign(list, 'a', 'statuslist+jwt')]
  }

  function sign(jwt: SignJWT, kid: string, typ = 'at+jwt'): Promise<string> {
    const { privateKey } = pairs.get(kid) as Pair
    return jwt
      .setIssuer(issuer)
      .setIssuedAt()
      .setProtectedHeader({ alg: 'ES256', typ, kid })
      .sign(privateKey)
  }

  return {
    state,
    issuer,
    addKey: async (kid: string) => {
      pairs.set(kid, await generateKeyPair('ES256'))
    },
    tokenOf: (claims: object, kid = 'a') =>
      sign(
        new SignJWT({ sub: 'u', ...claims })
          .setAudience('orders')
          .setExpirationTime('1h'),
        kid,
      ),
    withStatus: { status: { status_list: { idx: 1, uri: `${base}/status-lists/1` } } },
    verifier: (options: Partial<VerifierOptions> = {}) =>
      createVerifier({ issuer, audience: 'orders', ...options }),
  }
}

/** The status of what it refuses with; 200 where it refuses nothing. */
async function statusOf(verified: Promise<unknown>): Promise<number> {
  return verified.then(
    () => 200,
    (error: { statusCode: number }) => error.statusCode,
  )
}

t.test('an issuer that ends with a slash has status lists', async t => {
  const fake = await startFake(t)
  await fake.addKey('a')
  const verify = fake.verifier()
  const authorization = `Bearer ${await fake.tokenOf(fake.withStatus)}`
  t.equal(await statusOf(verify({ authorization })), 200)
})

t.test('a token without kid keeps no new key away', async t => {
  const fake = await startFake(t)
  await fake.addKey('a')
  await fake.addKey('b')
  const verify = fake.verifier()
  t.equal(
    await statusOf(verify({ authorization: `Bearer ${await fake.tokenOf({})}` })),
    200,
  )
  const head = Buffer.from('{"alg":"ES256","typ":"at+jwt"}').toString('base64url')
  t.equal(await statusOf(verify({ authorization: `Bearer ${head}.e30.AAAA` })), 401)
  await fake.addKey('c')
  // Keys are asked for again after 30 s at the earliest; the clock of jose is Date.now().
  const now = Date.now
  t.teardown(() => {
    Date.now = now
  })
  Date.now = () => now() + 31_000
  const authorization = `Bearer ${await fake.tokenOf({}, 'c')}`
  t.equal(await statusOf(verify({ authorization })), 200)
  t.equal(fake.state.keyFetches, 2)
})

t.test('a set without a key replaces none', async t => {
  const fake = await startFake(t)
  await fake.addKey('a')
  const verify = fake.verifier()
  const authorization = `Bearer ${await fake.tokenOf({})}`
  t.equal(await statusOf(verify({ authorization })), 200)
  await fake.addKey('b')
  fake.state.empty = true
  const now = Date.now
  t.teardown(() => {
    Date.now = now
  })
  Date.now = () => now() + 31_000
  const other = `Bearer ${await fake.tokenOf({}, 'b')}`
  t.equal(await statusOf(verify({ authorization: other })), 503)
  t.equal(fake.state.keyFetches, 2)
  t.equal(await statusOf(verify({ authorization })), 200)
})

t.test('a list that is good is served while Latchkey hangs', async t => {
  const fake = await startFake(t)
  await fake.addKey('a')
  fake.state.ttl = 0
  const verify = fake.verifier()
  const authorization = `Bearer ${await fake.tokenOf(fake.withStatus)}`
  t.equal(await statusOf(verify({ authorization })), 200)
  fake.state.listStatus = 500
  t.equal(await statusOf(verify({ authorization })), 200)
  fake.state.listDelayMs = 60_000
  // The failure is kept for a second.
  await new Promise(resolve => setTimeout(resolve, 1_100))
  const begun = performance.now()
  t.equal(await statusOf(verify({ authorization })), 200)
  t.ok(performance.now() - begun < 4_000, 'below its time-out')
})

/** A caller that holds a key. */
async function startHolder(fake: Awaited<ReturnType<typeof startFake>>) {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  const jkt = await calculateJwkThumbprint(jwk)
  const token = await fake.tokenOf({ cnf: { jkt }, scope: 'a', ...fake.withStatus })
  const ath = createHash('sha256').update(token).digest('base64url')
  return async (jti: string, skewSeconds = 0) => ({
    method: 'GET',
    path: '/x',
    authorization: `DPoP ${token}`,
    proof: await new SignJWT({ htm: 'GET', htu: 'https://api.example/x', ath, jti })
      .setIssuedAt(Math.floor(Date.now() / 1000) + skewSeconds)
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .sign(privateKey),
  })
}

t.test('a proof is used up by a request that is let in', async t => {
  const fake = await startFake(t)
  await fake.addKey('a')
  const verify = fake.verifier({ publicUrl: 'https://api.example/' })
  const request = await (await startHolder(fake))('1')
  fake.state.listStatus = 500
  t.equal(await statusOf(verify(request, 'a')), 503)
  fake.state.listStatus = 200
  await new Promise(resolve => setTimeout(resolve, 1_100))
  t.equal(await statusOf(verify(request, 'b')), 403)
  t.equal(await statusOf(verify(request, 'a')), 200)
  t.equal(await statusOf(verify(request, 'a')), 401)
})

t.test(
  'one key has a part of the room for proofs, and none left is no verdict',
  async t => {
    const noteOnce = createNoteOnce()
    const until = Date.now() / 1000 + 60
    for (let jti = 0; jti < 50_000; jti += 1) noteOnce('busy', String(jti), until)
    t.throws(() => {
      noteOnce('busy', 'one more', until)
    }, NoRoom)
    t.doesNotThrow(() => {
      noteOnce('other', '0', until)
    })
    for (const key of ['b', 'c', 'd']) {
      for (let jti = 0; jti < 50_000 - 1; jti += 1) noteOnce(key, String(jti), until)
    }
    noteOnce('b', 'last', until)
    noteOnce('c', 'last', until)
    t.throws(() => {
      noteOnce('other', '1', until)
    }, NoRoom)
  },
)
