// How much is taken of a client, and for how long it is remembered: each at its bound, and just beyond it.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as jose from 'jose'
import t from 'tap'
import { createAssertions } from '../../src/clients/assertion.ts'
import { createGuardedFetch } from '../../src/clients/guarded-fetch.ts'
import { createClientRegistry } from '../../src/clients/registry.ts'
import { client } from '../support/app.ts'

const ISSUER = 'https://id.example.com'
const NOW = 1_800_000_000
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

async function setUp() {
  const remembered: number[] = []
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256')
  const jwk = await jose.exportJWK(publicKey)
  const assertions = createAssertions({
    issuer: ISSUER,
    endpoint: `${ISSUER}/token`,
    replays: {
      async once(_id, forMs) {
        remembered.push(forMs)
        return true
      },
    },
    clock: () => NOW * 1000,
  })
  const robot = createClientRegistry([
    { ...client('robot'), keys: [{ ...jwk, kty: 'EC', alg: 'ES256' }] },
  ]).find('robot')
  if (robot === undefined) throw new Error('no client')
  const check = async (claims: jose.JWTPayload) =>
    assertions.check(
      await new jose.SignJWT({
        iss: 'robot',
        sub: 'robot',
        aud: ISSUER,
        jti: 'j',
        exp: NOW + 60,
        ...claims,
      })
        .setProtectedHeader({ alg: 'ES256' })
        .sign(privateKey),
      robot,
    )
  return { assertions, check, remembered }
}

t.test('an assertion is remembered for as long as it could be taken', async t => {
  const { check, remembered } = await setUp()
  await check({})
  await check({ exp: NOW + 600 })
  await check({ exp: NOW - 29 })
  t.same(remembered, [90_000, 630_000, 1000])
  await t.rejects(check({ exp: NOW + 601 }))
  await t.rejects(check({ exp: NOW - 30 }))
  await check({ jti: 'j'.repeat(256) })
  await t.rejects(check({ jti: 'j'.repeat(257) }))
  t.equal(remembered.length, 4)
})

t.test('an assertion of 4,096 characters is read, a longer one is not', async t => {
  const { assertions } = await setUp()
  const start = `${part({ alg: 'ES256' })}.${part({ sub: 'robot' })}.`
  const whole = start + 'A'.repeat(4096 - start.length)
  t.equal(assertions.claimant(whole), 'robot')
  t.equal(assertions.claimant(`${whole}A`), undefined)
})

t.test('a document of 64 KiB is fetched, a longer one is not', async t => {
  const server = createServer(({ url }, response) => {
    response.end(JSON.stringify('x'.repeat(Number(url?.slice(1)) - 2)))
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const get = createGuardedFetch({ allowPrivate: true })
  t.equal(String(await get(`http://127.0.0.1:${port}/65536`)).length, 65_534)
  await t.rejects(get(`http://127.0.0.1:${port}/65537`))
})
