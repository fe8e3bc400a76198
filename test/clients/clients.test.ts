import { createHash } from 'node:crypto'
import t from 'tap'
import { createAssertions } from '../../src/clients/assertion.ts'
import { authenticateClient, isConfidential } from '../../src/clients/client-auth.ts'
import { createProvenHeaders } from '../../src/clients/proven-headers.ts'
import { createClientRegistry, type ClientSettings } from '../../src/clients/registry.ts'

const line = (secret: string) =>
  `sha256:${createHash('sha256').update(secret).digest('base64url')}`
const settings = (id: string, more: Partial<ClientSettings> = {}): ClientSettings => ({
  id,
  keys: [],
  jwksUriMayBePrivate: false,
  secrets: [],
  grants: ['password'],
  scopes: ['a'],
  audience: ['https://api'],
  introspect: 'own',
  introspectByToken: false,
  forwardsAddress: false,
  lateRetry: 'burn',
  dpop: 'allowed',
  assertionAudience: 'issuer',
  ...more,
})
const registry = createClientRegistry([
  settings('public'),
  settings('api', { secrets: [line('old'), line('new')], scopes: ['b', 'a'] }),
])
const assertions = createAssertions({
  issuer: 'https://id.example.com',
  endpoint: 'https://id.example.com/token',
  replays: { once: async () => true },
  clock: Date.now,
})
const basic = (id: string, secret: string) =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
const present = (authorization?: string, clientId?: string, clientSecret?: string) =>
  authenticateClient(
    {
      authorization,
      clientId,
      clientSecret,
      assertion: undefined,
      assertionType: undefined,
    },
    { clients: registry, assertions, provenHeaders: createProvenHeaders(registry) },
  )

t.test('a client is known by Basic, by the body, or by its id alone', async t => {
  t.equal((await present(basic('api', 'new'))).client.id, 'api')
  t.equal(
    (await present(undefined, 'api', 'old')).client.id,
    'api',
    'either of two secrets will do',
  )
  t.equal((await present(undefined, 'public')).client.id, 'public')
  t.equal(
    (await present(basic('public', ''))).client.id,
    'public',
    'Swagger UI sends an empty secret',
  )
  t.equal(
    (await present(basic('api', 'new'), 'api')).client.id,
    'api',
    'the same id again in the body does no harm',
  )
  t.ok(isConfidential((await present(basic('api', 'new'))).client))
  t.notOk(isConfidential((await present(undefined, 'public')).client))
})

const refusals = [
  {
    name: 'nobody',
    args: [],
    code: 'invalid_client',
  },
  {
    name: 'an unknown client',
    args: [undefined, 'nobody'],
    code: 'invalid_client',
  },
  {
    name: 'a wrong secret by Basic',
    args: [basic('api', 'wrong')],
    code: 'invalid_client',
  },
  {
    name: 'a confidential client without secret',
    args: [undefined, 'api'],
    code: 'invalid_client',
  },
  {
    name: 'a public client with a secret',
    args: [undefined, 'public', 'x'],
    code: 'invalid_client',
  },
  {
    name: 'two methods at once',
    args: [basic('api', 'new'), 'api', 'new'],
    code: 'invalid_request',
  },
  {
    name: 'two ids',
    args: [basic('api', 'new'), 'public'],
    code: 'invalid_request',
  },
] as const
for (const { name, args, code } of refusals) {
  t.test(`${name} is refused as ${code}`, async t => {
    const [authorization, clientId, clientSecret] = args
    try {
      await present(authorization, clientId, clientSecret)
      t.fail('was let through')
    } catch (error) {
      t.match(error, { code })
      // RFC 9110 §15.5.2: each 401 has a challenge.
      const { status, headers } = Object(error)
      t.equal('www-authenticate' in headers, status === 401)
      t.equal(status, code === 'invalid_client' ? 401 : 400)
    }
  })
}

t.test('the registry knows scopes and audiences, and is replaced as a whole', async t => {
  const mine = createClientRegistry([settings('one', { accessTtl: 5 })])
  t.equal(mine.find('one')?.accessTtl, 5)
  t.ok(mine.knowsAudience('https://api'))
  t.same(registry.scopes(), ['a', 'b'])
  mine.replace([settings('two', { audience: ['https://other'], scopes: ['z'] })])
  t.equal(mine.find('one'), undefined)
  t.notOk(mine.knowsAudience('https://api'))
  t.same(mine.scopes(), ['z'])
})
