// `latchkey token verify` and a server on the same store judge every token alike: introspection, /userinfo
// and the command line are asked about each.
import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import { compact, es256, read, signerOf } from '../conformance/helpers.ts'
import { buildTestApp, client, ORDERS, sha256Line } from '../support/app.ts'
import { commandLine, SECRET } from '../support/command-line.ts'

const AUDITOR = ['auditor', 'auditor-secret'] as const
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** A server and the command line beside it, and a way to sign anything with their key. */
async function both(t: Test) {
  const machine = {
    secrets: [sha256Line('GPkFzCq4hG0mPz7n')],
    grants: ['client_credentials'],
    audience: [ORDERS],
  }
  const clients = [
    { id: 'mobile', audience: [ORDERS] },
    { id: 'machine', ...machine },
  ]
  const { latchkey, storeUrl } = commandLine(t, {
    more: [`clients: ${JSON.stringify(clients)}`],
  })
  const server = await buildTestApp({
    storeUrl,
    secrets: [SECRET],
    clients: [
      client('mobile', { audience: [ORDERS] }),
      client('machine', machine),
      client('auditor', { secrets: [sha256Line(AUDITOR[1])], introspect: 'any' }),
    ],
  })
  t.teardown(() => server.close())
  const { privateKey } = signerOf(server)
  const { access_token: real } = await server.login()
  const { header, payload } = read(real)
  const sign = (claims: object = {}, head: object = {}) =>
    compact({ ...header, ...head }, { ...payload, ...claims }, es256(privateKey))

  /** What each of the three says: active, or none. */
  async function verdicts(token: string) {
    const { active } = await server.introspect(token, ...AUDITOR)
    const { statusCode } = await server.app.inject({
      url: '/userinfo',
      headers: { authorization: `Bearer ${token}` },
    })
    const { code, err } = await latchkey('token verify - --json', `${token}\n`)
    return {
      introspection: active === true,
      userinfo: statusCode === 200,
      commandLine: code === 0,
      reason: code === 0 ? 'active' : String(JSON.parse(err).error),
    }
  }
  return { server, real, header, payload, sign, verdicts }
}

t.test('the command line and the server judge every token alike', async t => {
  const { real, header, payload, sign, verdicts } = await both(t)
  const now = Math.floor(Date.now() / 1000)
  const [head = '', body = '', signature = ''] = real.split('.')
  // 64 bytes leave four bits of the last character unused.
  const strayed = signature.slice(0, -1) + DIGITS[DIGITS.indexOf(signature.slice(-1)) ^ 1]
  const hmac = (input: Buffer) => createHmac('sha256', 'x').update(input).digest()

  const rows: [name: string, token: string, reason: string][] = [
    ['a token of ours', real, 'active'],
    ['signed by hand', sign(), 'active'],
    ['typ JWT', sign({}, { typ: 'JWT' }), 'active'],
    ['one audience of two', sign({ aud: ['https://x.example.com', ORDERS] }), 'active'],
    ['the issuer as its audience', sign({ aud: payload.iss }), 'active'],
    ['an nbf that has come', sign({ nbf: now - 60 }), 'active'],
    ['no JWT', 'a.b', 'token_malformed'],
    ['a payload that is none', `${head}.AAAA.${signature}`, 'token_malformed'],
    ['too long', sign({ pad: 'a'.repeat(9000) }), 'token_malformed'],
    ['a stray base64url bit', `${head}.${body}.${strayed}`, 'token_malformed'],
    ['no kid', sign({}, { kid: undefined }), 'header_incomplete'],
    ['crit', sign({}, { crit: ['exp'] }), 'header_critical'],
    ['crit null', sign({}, { crit: null }), 'header_critical'],
    ['typ application/at+jwt', sign({}, { typ: 'application/at+jwt' }), 'type_wrong'],
    ['another typ', sign({}, { typ: 'logout+jwt' }), 'type_wrong'],
    ['an unknown key', sign({}, { kid: 'other' }), 'key_unknown'],
    ["another algorithm than the key's", sign({}, { alg: 'PS256' }), 'algorithm_wrong'],
    ['alg none', sign({}, { alg: 'none' }), 'algorithm_wrong'],
    ['HS256', compact({ ...header, alg: 'HS256' }, payload, hmac), 'algorithm_wrong'],
    [
      "another token's signature",
      `${head}.${body}.${sign({ jti: 'other' }).split('.')[2]}`,
      'signature_invalid',
    ],
    [
      'no signature',
      compact(header, payload, () => Buffer.alloc(1)),
      'signature_invalid',
    ],
    ['without jti', sign({ jti: undefined }), 'claims_incomplete'],
    ['an ID token', sign({ jti: undefined, at_hash: 'x' }), 'id_token'],
    ['an exp that is a text', sign({ exp: String(payload.exp) }), 'claims_incomplete'],
    [
      'no session, and no client as its subject',
      sign({ sid: undefined }),
      'claims_incomplete',
    ],
    [
      'a session that began at no time',
      sign({ auth_time: undefined }),
      'claims_incomplete',
    ],
    ['another issuer', sign({ iss: 'https://evil.example.com' }), 'issuer_wrong'],
    ['an nbf to come', sign({ nbf: now + 3600 }), 'token_early'],
    ['expired', sign({ exp: now - 60 }), 'token_expired'],
    ['an audience that no client has', sign({ aud: 'x' }), 'audience_unknown'],
    ['no audience that a client has', sign({ aud: ['x', 'y'] }), 'audience_unknown'],
    ['an unknown session', sign({ sid: 'z'.repeat(22) }), 'family_unknown'],
    ['an unknown user', sign({ sub: 'nobody' }), 'family_unknown'],
  ]
  for (const [name, token, reason] of rows) {
    const isActive = reason === 'active'
    t.same(
      await verdicts(token),
      {
        introspection: isActive,
        userinfo: isActive,
        commandLine: isActive,
        reason,
      },
      name,
    )
  }
})

t.test("and a client's own token, which says nothing to /userinfo", async t => {
  const { sign, verdicts } = await both(t)
  const own = (id: string) => sign({ sub: id, client_id: id, sid: undefined })
  t.same(await verdicts(own('machine')), {
    introspection: true,
    userinfo: false,
    commandLine: true,
    reason: 'active',
  })
  t.same(await verdicts(own('mobile')), {
    introspection: false,
    userinfo: false,
    commandLine: false,
    reason: 'grant_not_allowed',
  })
  t.same(await verdicts(own('gone')), {
    introspection: false,
    userinfo: false,
    commandLine: false,
    reason: 'client_unknown',
  })
})

t.test('and a token that was revoked', async t => {
  const { server, real, verdicts } = await both(t)
  await server.post('/revoke', { token: real, client_id: 'mobile' })
  t.same(await verdicts(real), {
    introspection: false,
    userinfo: false,
    commandLine: false,
    reason: 'token_revoked',
  })
})
