// `compat` in the configuration: off without a word of it, and what a fault there says.
import t from 'tap'
import { ConfigError } from '../../src/config/faults.ts'
import { decodeConfig } from '../../src/config/load.ts'
import { sha256Line } from '../support/app.ts'

const CLIENTS = [
  { id: 'web', grants: ['password', 'refresh_token'] },
  { id: 'reader', grants: ['refresh_token'] },
  { id: 'shut', secrets: [sha256Line('a')], grants: ['password'] },
  { id: 'fetched', jwksUri: 'https://a.example/jwks', grants: ['password'] },
]

const configWith = (compat?: object) =>
  decodeConfig({
    issuer: 'https://id.example.com',
    store: { url: 'sqlite:x' },
    secrets: ['x'.repeat(43)],
    clients: CLIENTS,
    ...(compat !== undefined && { compat }),
  })

function faultsOf(compat: object): string {
  try {
    configWith(compat)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}

t.test('without a word of it every switch is off', async t => {
  t.strictSame(configWith().compat, { json: false, paths: {} })
})

t.test('what stands there is taken', async t => {
  const compat = {
    defaultClient: 'web',
    grantType: 'password',
    json: true,
    keycloak: 'main',
    paths: { '/login': '/token', '/auth/login': '/token', '/me': '/userinfo' },
    deprecation: '2026-12-01',
    sunset: '2026-12-01',
  }
  t.strictSame(configWith(compat).compat, compat)
})

t.test('faults name their place', async t => {
  const rows: [compat: object, fault: RegExp][] = [
    [{ defaultClient: 'nobody' }, /compat\.defaultClient.*no secret and no key/],
    [{ defaultClient: 'reader' }, /compat\.defaultClient.*the grant password/],
    [{ defaultClient: 'shut' }, /compat\.defaultClient/],
    [{ defaultClient: 'fetched' }, /compat\.defaultClient/],
    [{ grantType: 'refresh_token' }, /compat\.grantType/],
    [{ json: 'yes' }, /compat\.json/],
    [{ paths: { login: '/token' } }, /compat\.paths.*a path such as/],
    [{ paths: { '/a b': '/token' } }, /compat\.paths/],
    [{ paths: { '/a?b': '/token' } }, /compat\.paths/],
    [{ paths: { '/login': '/verify' } }, /compat\.paths\["?\/login/],
    [{ paths: { '/token': '/revoke' } }, /compat\.paths.*another path than those/],
    [{ paths: { '/.well-known/x': '/token' } }, /compat\.paths.*another path/],
    [{ paths: { '/docs/login': '/token' } }, /compat\.paths.*another path/],
    [{ deprecation: 'soon' }, /compat\.deprecation.*a day such as/],
    [{ deprecation: '2027-02-30' }, /compat\.deprecation.*calendar/],
    [{ sunset: '2027-13-01' }, /compat\.sunset.*calendar/],
    [
      { deprecation: '2027-02-01', sunset: '2027-01-31' },
      /compat\.sunset.*no day before compat\.deprecation/,
    ],
    [{ keycloak: 'a/b' }, /compat\.keycloak.*the name of a realm/],
    [{ paths: { '/realms/x': '/token' } }, /compat\.paths.*another path/],
    [{ jsonn: true }, /compat\.jsonn/],
  ]
  for (const [compat, fault] of rows) {
    t.match(faultsOf(compat), fault, JSON.stringify(compat))
  }
})
