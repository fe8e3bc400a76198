// docs/tokens.md says all that our tokens say: real ones are held against its tables.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  SignJWT,
} from 'jose'
import t, { type Test } from 'tap'
import {
  API_SECRET,
  client,
  CLIENTS,
  ISSUER,
  PASSWORD,
  sha256Line,
  type TestApp,
} from '../support/app.ts'
import { basic, serverOn } from './helpers.ts'

const PAGE = readFileSync(new URL('../../docs/tokens.md', import.meta.url), 'utf8')
const SINGLE = { list: false, unique: false }

interface Row {
  readonly claim: string
  readonly always: boolean
}

/** The rows of a section's table. */
function rowsOf(section: string): readonly Row[] {
  const text = PAGE.split(/^## /m).find(part => part.startsWith(`${section}\n`)) ?? ''
  return [...text.matchAll(/^\| `(\w+)` \| ([^|]+) \|/gm)].map(([, claim, there]) => ({
    claim: String(claim),
    always: there?.startsWith('always') === true,
  }))
}

/** The type that the first table names for a token. */
const typOf = (section: string) =>
  new RegExp(`^\\| \\[${section}\\]\\([^|]+\\|[^|]+\\| \`([^\`]+)\``, 'im').exec(
    PAGE,
  )?.[1]

/** Each claim is listed, each listed one is in a token, and those that are always there are in all. */
function check(t: Test, section: string, tokens: readonly string[]): void {
  const rows = rowsOf(section)
  const claims = tokens.map(token => Object.keys(decodeJwt(token)))
  t.same([...new Set(claims.flat())].sort(), rows.map(({ claim }) => claim).sort())
  for (const { claim, always } of rows) {
    t.equal(
      claims.every(names => names.includes(claim)),
      always,
      `${section}: ${claim} is ${always ? 'always' : 'not always'} there`,
    )
  }
  for (const token of tokens) t.equal(decodeProtectedHeader(token).typ, typOf(section))
}

/** A server whose clients get every kind of token. */
async function startServer(t: Test): Promise<TestApp> {
  const all = ['openid', 'profile', 'email', 'phone', 'orders:read']
  const alone = { grants: ['client_credentials'], secrets: [sha256Line('secret')] }
  const server = await serverOn(t, 'SQLite', {
    clients: [
      ...CLIENTS,
      client('portal', { scopes: all }),
      client('silent', { scopes: [] }),
      client('machine', alone),
      client('mute', { ...alone, scopes: [] }),
    ],
  })
  server.live.attributes = {
    email: SINGLE,
    given_name: SINGLE,
    phone_number: SINGLE,
    phone_number_verified: SINGLE,
  }
  await server.accounts.setAttributes('alice', {
    attributes: {
      email: 'alice@example.com',
      given_name: 'Alice',
      phone_number: '+41 44 000 00 00',
      phone_number_verified: true,
    },
  })
  return server
}

t.test('docs/tokens.md lists what is in our tokens', async t => {
  const server = await startServer(t)
  const { app, post, login } = server

  const key = await generateKeyPair('ES256')
  const proof = async () =>
    new SignJWT({ jti: randomUUID(), htm: 'POST', htu: `${ISSUER}/token` })
      .setIssuedAt(Math.floor(server.clock() / 1000))
      .setProtectedHeader({
        alg: 'ES256',
        typ: 'dpop+jwt',
        jwk: await exportJWK(key.publicKey),
      })
      .sign(key.privateKey)
  const form = { grant_type: 'password', username: 'alice', password: PASSWORD }
  const bound = { dpop: await proof() }

  const bare = await login({ client_id: 'portal', scope: 'openid' })
  const full = await login({
    client_id: 'portal',
    scope: 'openid profile email phone orders:read',
  })
  const held = (await post('/token', { ...form, client_id: 'portal' }, bound)).json()
  await server.accounts.setAccess('alice', { scopes: null, roles: [] })
  const plain = (
    await post('/token', { ...form, client_id: 'portal', scope: 'openid' })
  ).json()
  const silent = (await post('/token', { ...form, client_id: 'silent' })).json()

  const users = [bare, full, held, plain, silent].map(answer => answer.access_token)
  check(t, 'Access token of a user', users)
  check(
    t,
    'ID token',
    [bare, full, plain].map(({ id_token: token }) => token),
  )

  const machine = { grant_type: 'client_credentials' }
  const credentials = (id: string) => ({
    ...machine,
    client_id: id,
    client_secret: 'secret',
  })
  const own = (await post('/token', credentials('machine'))).json()
  const mute = (await post('/token', credentials('mute'), { dpop: await proof() })).json()
  check(t, 'Access token of a machine', [own.access_token, mute.access_token])

  const { status } = decodeJwt<{ status: { status_list: { uri: string } } }>(
    own.access_token,
  )
  await server.status.sync()
  const list = await app.inject(new URL(status.status_list.uri).pathname)
  check(t, 'Status list', [list.body])

  const answer = await post(
    '/introspect',
    { token: bare.access_token },
    {
      ...basic('orders-api', API_SECRET),
      accept: 'application/token-introspection+jwt',
    },
  )
  check(t, 'Signed introspection', [answer.body])

  t.match(bare.refresh_token, /^rt_[A-Za-z0-9_-]{72}$/)
})
