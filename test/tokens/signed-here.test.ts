// What this process has signed needs no check of its signature, and everything else of it is checked all the
// same. Whether a check was left out is seen by a ring that gives another public key for the same id.
import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { createJwtSigner, type JwtClaims } from '../../src/tokens/sign-jwt.ts'
import { createSignedHere } from '../../src/tokens/signed-here.ts'
import { createTokenVerifier } from '../../src/tokens/verifier.ts'
import { serverOn, STORES } from '../conformance/helpers.ts'

const issuer = 'https://id.example.com'
const claims = {
  iss: issuer,
  sub: 'u1',
  aud: issuer,
  client_id: 'mobile',
  iat: 1,
  exp: 100,
  jti: 'j1',
  sid: 's1',
  auth_time: 1,
}

function pairOf() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    publicKey: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  }
}

function scene({ isHeldHere = true } = {}) {
  const [own, other] = [pairOf(), pairOf()]
  const signedHere = createSignedHere()
  const key = { kid: 'k1', alg: 'ES256' as const }
  const sign = createJwtSigner(
    () =>
      isHeldHere
        ? { ...key, privateKey: own.privateKey }
        : { ...key, sign: async () => Buffer.alloc(64, 1) },
    () => {},
    signedHere.add,
  )
  const keys = new Map([['k1', { alg: 'ES256' as const, publicKey: other.publicKey }]])
  const verifier = createTokenVerifier({
    issuer,
    keys: { verificationKey: kid => keys.get(kid) },
    knowsAudience: () => false,
    now: () => 50_000,
    wasSignedHere: signedHere.has,
  })
  const made = async (more: Partial<JwtClaims> = {}, typ = 'at+jwt') =>
    sign({ ...claims, ...more }, typ)
  return { verifier, made, keys, signedHere }
}

t.test('a signature of this process is not checked', async t => {
  const { verifier, made } = scene()
  const token = await made()
  t.match(verifier.verify(token), { kind: 'ok', claims, kid: 'k1' })
  t.match(verifier.verify(token), { kind: 'ok' }, 'nor the next time')
})

t.test('one of anybody else is, whatever it has in common with ours', async t => {
  const { verifier, made } = scene()
  const [head, body, signature] = (await made()).split('.')
  const [, otherBody] = (await made({ sub: 'u2' })).split('.')
  const cut = String(signature).slice(0, -1)
  for (const text of [
    `${head}.${body}.${'A'.repeat(86)}`,
    `${head}.${body}.${cut}${signature?.endsWith('A') ? 'Q' : 'A'}`,
    `${head}.${otherBody}.${signature}`,
    `${otherBody}.${body}.${signature}`,
    `${head}.${body}.`,
    `${head}.${body}`,
    ` ${head}.${body}.${signature}`,
  ]) {
    t.match(verifier.verify(text), { kind: 'refused' }, text)
  }
})

t.test(
  'a key that is kept elsewhere may sign wrongly: its signature is checked',
  async t => {
    const { verifier, made } = scene({ isHeldHere: false })
    t.match(verifier.verify(await made()), {
      kind: 'refused',
      reason: 'signature_invalid',
    })
  },
)

t.test('all else is checked as ever', async t => {
  const { verifier, made, keys } = scene()
  const refusals = {
    claims_incomplete: await made({ jti: undefined }),
    issuer_wrong: await made({ iss: 'https://other.example.com' }),
    type_wrong: await made({}, 'dpop+jwt'),
    token_expired: await made({ exp: 50 }),
    token_early: await made({ nbf: 51 }),
    audience_unknown: await made({ aud: 'https://strange.example.com' }),
    token_malformed: await made({ sub: 'x'.repeat(8192) }),
  }
  for (const [reason, token] of Object.entries(refusals)) {
    t.match(verifier.verify(token), { kind: 'refused', reason })
  }
  const token = await made()
  keys.clear()
  t.match(
    verifier.verify(token),
    { kind: 'refused', reason: 'key_unknown' },
    'also a token of a key that was retired since',
  )
})

t.test('ten thousand are remembered', t => {
  const { has, add } = createSignedHere()
  for (let n = 0; n <= 10_000; n++) add(`token ${n}`)
  t.notOk(has('token 0'))
  t.ok(has('token 1'))
  t.ok(has('token 10000'))
  t.end()
})

for (const store of STORES) {
  t.test(`${store}: the server knows its own at first sight`, async t => {
    const server = await serverOn(t, store)
    const { access_token: token, refresh_token: refreshToken } = await server.login()
    const { access_token: next } = (await server.refresh(refreshToken)).json()
    const [head, body] = token.split('.')
    const forged = `${head}.${body}.${String(next).split('.')[2]}`
    // From now on every signature looks wrong.
    const { verificationKey } = server.keys
    const { publicKey } = pairOf()
    server.keys.verificationKey = kid => {
      const key = verificationKey(kid)
      return key && { ...key, publicKey }
    }
    t.match(await server.introspect(forged), { active: false })
    for (const known of [token, String(next)]) {
      t.match(await server.introspect(known), { active: true, sub: /./ })
    }
    const carried = (bearer: string) =>
      server.app.inject({
        url: '/userinfo',
        headers: { authorization: `Bearer ${bearer}` },
      })
    const { access_token: fresh } = await server.login()
    t.notSame((await carried(forged)).statusCode, 200)
    t.not((await carried(fresh)).statusCode, 401, 'it is known where it is carried, too')
    await server.post('/revoke', { token: fresh, client_id: 'mobile' })
    t.equal((await carried(fresh)).statusCode, 401)
    t.match(await server.introspect(fresh), { active: false })
  })
}
