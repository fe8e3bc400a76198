import { generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import t from 'tap'
import { sidOf, userTag } from '../../src/base/ids.ts'
import { secretMarks } from '../../src/base/secrets.ts'
import {
  createRefreshTokenCodec,
  looksLikeRefreshToken,
} from '../../src/tokens/refresh-token.ts'
import { newerToken } from '../support/newer-token.ts'
import { createNonces } from '../../src/tokens/dpop-nonce.ts'
import { createTokenVerifier } from '../../src/tokens/verifier.ts'
import {
  audiencesOf,
  isAccessTokenClaims,
  MAX_TOKEN_LENGTH,
} from '../../src/tokens/access-token.ts'
import { decodeToken } from '../../src/tokens/decode.ts'
import { createEs256, joined } from '../../src/tokens/es256.ts'

const issuer = 'https://id.example.com'
const secret = () => randomBytes(32).toString('base64url')
const secrets = [secret()]
const token = { userTag: userTag('u1'), familyId: randomBytes(16), generation: 7 }

t.test('a refresh token gives back what went into it', async t => {
  const codec = createRefreshTokenCodec({ issuer, secrets })
  const text = codec.encode(token)
  t.match(text, /^rt_[A-Za-z0-9_-]{72}$/)
  t.ok(looksLikeRefreshToken(text))
  t.same(codec.decode(text), { ...token, sid: sidOf(token.familyId) })
})

t.test('a token of an older secret is read, whatever the order of the list', async t => {
  const old = createRefreshTokenCodec({ issuer, secrets })
  const rotated = createRefreshTokenCodec({ issuer, secrets: [secret(), ...secrets] })
  t.equal(rotated.decode(old.encode(token))?.generation, 7)
  t.equal(old.decode(rotated.encode(token)), undefined)
})

t.test(
  'a token of another issuer is none of ours, even under the same secret',
  async t => {
    const other = createRefreshTokenCodec({ issuer: 'https://id.example.org', secrets })
    t.equal(
      createRefreshTokenCodec({ issuer, secrets }).decode(other.encode(token)),
      undefined,
    )
  },
)

t.test('no bit of a refresh token can be changed', async t => {
  const codec = createRefreshTokenCodec({ issuer, secrets })
  const bytes = Buffer.from(codec.encode(token).slice(3), 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const forged = Buffer.from(bytes)
    forged.writeUInt8(forged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    t.equal(codec.decode(`rt_${forged.toString('base64url')}`), undefined, `bit ${bit}`)
  }
  for (const text of [
    '',
    'rt_',
    'xx',
    codec.encode(token) + 'A',
    ` ${codec.encode(token)}`,
  ]) {
    t.equal(codec.decode(text), undefined)
  }
})

t.test('a refresh token says which secret it is sealed under', async t => {
  const codec = createRefreshTokenCodec({ issuer, secrets })
  const other = createRefreshTokenCodec({ issuer, secrets: [secret()] })
  const text = codec.encode(token)
  t.equal(codec.secretNumberOf(text), secretMarks(secrets)[0]?.number)
  t.equal(other.secretNumberOf(text), codec.secretNumberOf(text), 'to anybody')
  const newer = newerToken({ secrets, length: 90 })
  t.equal(other.secretNumberOf(newer), codec.secretNumberOf(text), 'of any release')
  const none = newerToken({ secrets, version: 0 })
  for (const strange of ['', 'rt_x', `${text}A`, none]) {
    t.equal(codec.secretNumberOf(strange), undefined)
  }
})

t.test('a token of a newer release is no verdict, a forged one is', async t => {
  const codec = createRefreshTokenCodec({ issuer, secrets })
  const newer = newerToken({ secrets })
  t.throws(() => codec.decode(newer), {
    status: 503,
    code: 'temporarily_unavailable',
    reason: 'token_newer',
  })
  t.throws(() => codec.decode(newerToken({ secrets, length: 300 })), Error, 'longer')
  t.equal(
    codec.decode(newerToken({ secrets: [secret()] })),
    undefined,
    'under no secret of ours',
  )
  t.equal(
    codec.decode(newer.replace(/.$/, last => (last === 'A' ? 'Q' : 'A'))),
    undefined,
  )
  t.equal(
    codec.decode(newerToken({ secrets, version: 0 })),
    undefined,
    'there was no version 0',
  )
  t.equal(
    codec.decode(newerToken({ secrets, version: 1, length: 90 })),
    undefined,
    'nor a longer version 1',
  )
  t.equal(codec.decode(`rt_${randomBytes(54).toString('base64url')}`), undefined)
})

t.test('a codec without secret is a mistake of ours', async t => {
  t.throws(() => createRefreshTokenCodec({ issuer, secrets: [] }), TypeError)
})

t.test("claims are an access token's only when each has its type", async t => {
  const claims = {
    iss: issuer,
    sub: 'u',
    aud: 'a',
    client_id: 'c',
    iat: 1,
    exp: 2,
    jti: 'j',
    sid: 's',
    auth_time: 1,
  }
  t.ok(isAccessTokenClaims(claims))
  t.same(audiencesOf(claims), ['a'])
  t.same(audiencesOf({ ...claims, aud: ['a', 'b'] }), ['a', 'b'])
  for (const wrong of [
    null,
    [],
    'x',
    { ...claims, exp: '2' },
    { ...claims, exp: Infinity },
    { ...claims, exp: -1 },
    { ...claims, aud: [] },
    { ...claims, sub: '' },
    { ...claims, iat: 2 ** 53 },
    { ...claims, status: { status_list: { idx: -1, uri: 'u' } } },
  ]) {
    t.notOk(isAccessTokenClaims(wrong))
  }
  for (const right of [
    { ...claims, iat: 0, exp: Number.MAX_SAFE_INTEGER },
    { ...claims, sub: 'u', jti: 'j', sid: 's', aud: ['a'] },
    { ...claims, status: { status_list: { idx: 0, uri: 'u' } } },
  ]) {
    t.ok(isAccessTokenClaims(right), JSON.stringify(right))
  }
})

t.test('a nonce is the same on every server and release that has the secret', async t => {
  const nonces = createNonces({ secrets: ['s'.repeat(43)], clock: () => 90_000 })
  t.equal(nonces.current(), 'AAAAAUBm7CJ4EX_hTDJ-9DeNANs')
  t.ok(nonces.isGood(nonces.current()))
})

t.test("a key that can't verify is a fault and no verdict", async t => {
  const { verify } = createTokenVerifier({
    issuer,
    keys: { verificationKey: () => ({ alg: 'ES256', publicKey: 'no key' }) },
    knowsAudience: () => true,
    now: () => 0,
  })
  const [header, payload] = [{ alg: 'ES256', kid: 'a', typ: 'JWT' }, {}].map(part =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  t.throws(() => verify(`${header}.${payload}.AAAA`))
})

t.test('a text that is longer than any token of ours is not decoded', async t => {
  const { length } = 'e30.e30.'
  t.match(decodeToken(`e30.e30.${'A'.repeat(MAX_TOKEN_LENGTH - length)}`), {
    payload: {},
  })
  t.equal(decodeToken(`e30.e30.${'A'.repeat(MAX_TOKEN_LENGTH)}`), undefined)
})

t.test('ES256 gives 64 bytes that any verifier takes', async t => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const sign = createEs256(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
  // One number in 128 is shorter than 32 bytes, or starts with a zero byte half of the time.
  const wrong = Array.from({ length: 600 }, (_, index) => `text ${index}`).filter(
    text =>
      !verify('sha256', Buffer.from(text), key, Buffer.from(sign(text), 'base64url')),
  )
  t.same(wrong, [])
})

t.test('numbers of any length in DER take 32 bytes each', async t => {
  const der = (...numbers: string[]) => {
    const parts = numbers
      .map(hex => [2, hex.length / 2, ...Buffer.from(hex, 'hex')])
      .flat()
    return Buffer.from([0x30, parts.length, ...parts])
  }
  for (const [r, s] of [
    ['01', '7f'.repeat(32)],
    [`00${'ff'.repeat(32)}`, '02'],
    ['7f'.repeat(31), `00${'80'.repeat(32)}`],
    [`00${'90'.repeat(31)}`, `00${'a0'.repeat(32)}`],
  ] as const) {
    const full = (hex: string) => hex.slice(-64).padStart(64, '0')
    t.equal(joined(der(r, s)).toString('hex'), full(r) + full(s))
  }
})
