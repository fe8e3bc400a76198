// The configuration's attributes: what may be declared, and each fault with its path.
/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
import t from 'tap'
import { ConfigError } from '../../src/config/faults.ts'
import { parseConfig } from '../../src/config/load.ts'
import { reloadable } from '../../src/config/reload.ts'
import { coreSettings } from '../../src/core/settings.ts'

const HEAD =
  'issuer: https://id.example.com\nstore: { url: "sqlite:x.db" }\nsecrets: ["${SECRET}"]\n'
const ENV = { SECRET: 'x'.repeat(43) }

function faultsOf(rest: string): string[] {
  try {
    parseConfig(HEAD + rest, ENV)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

const ATTRIBUTES = `
attributes:
  email: { unique: true }
  name: {}
  locale: {}
  phone_number: {}
  phone_number_verified: {}
  tenant: { type: string, maxLength: 64 }
  seats: { type: integer }
  beta: { type: boolean }
  since: { type: date-time }
  groups: { type: string, list: true }
  number: { type: string, unique: true }
login: [name, email, number]
`

t.test('what stands in every release before: no attributes, login by name', t => {
  const { attributes, login } = parseConfig(HEAD, ENV)
  t.strictSame({ attributes, login }, { attributes: {}, login: ['name'] })
  t.end()
})

t.test('each fault names its path', t => {
  const own = 'another name: every account has this by itself'
  const plain = 'another name: JavaScript keeps this one'
  const name = 'a letter, then up to 63 letters, digits, _ and -'
  for (const [attributes, ...expected] of [
    ['a: {}', 'attributes.a.type: expected string, email, integer, boolean or date-time'],
    [
      'a: { type: float }',
      'attributes.a.type: expected one of string, email, integer, boolean, date-time',
    ],
    [
      'a: { type: string, size: 3 }',
      'attributes.a.size: expected no such key (known here: type, maxLength, list, unique, self)',
    ],
    [
      'a: { type: string, maxLength: 0 }',
      'attributes.a.maxLength: expected a whole number from 1 to 2048',
    ],
    [
      'a: { type: integer, maxLength: 3 }',
      'attributes.a.maxLength: expected no such key: only a string has a length',
    ],
    [
      'a: { type: string, list: true, unique: true }',
      'attributes.a.unique: expected false: a list can not be unique',
    ],
    [
      'a: { type: boolean, unique: true }',
      'attributes.a.unique: expected false: there are two values for all accounts',
    ],
    [
      'email: { type: string }',
      'attributes.email.type: expected email, as OpenID Connect Core §5.1 has it',
    ],
    [
      'email: { list: true }',
      'attributes.email.list: expected false, as OpenID Connect Core §5.1 has it',
    ],
    [
      'a: { type: string }, A: { type: string }',
      'attributes.a: expected a name that differs from A by more than case',
      'attributes.A: expected a name that differs from a by more than case',
    ],
    [
      'address: { type: string }',
      'attributes.address: expected single values in its place, such as street and city: ' +
        'its value is an object',
    ],
    ...[
      'sub',
      'preferred_username',
      'email_verified',
      'updated_at',
      'roles',
      'scopes',
      'password',
      'version',
    ].map(is => [`${is}: { type: string }`, `attributes.${is}: expected ${own}`]),
    ...['constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'].map(of => [
      `${of}: { type: string }`,
      `attributes.${of}: expected ${plain}`,
    ]),
    ['__proto__: { type: string }', `attributes.__proto__: expected ${name}`],
    ['"a b": { type: string }', `attributes["a b"]: expected ${name}`],
    ['"1a": { type: string }', `attributes["1a"]: expected ${name}`],
  ]) {
    t.strictSame(faultsOf(`attributes: { ${attributes} }`), expected, String(attributes))
  }
  for (const [login, expected] of [
    ['[email]', 'login[0]: expected name, or an attribute that is declared unique'],
    [
      '[name, constructor]',
      'login[1]: expected name, or an attribute that is declared unique',
    ],
    ['[name, name]', 'login[1]: expected another one than those before it'],
    ['[]', 'login: expected a list of at least 1'],
  ]) {
    t.strictSame(
      faultsOf(`attributes: { email: {} }\nlogin: ${login}`),
      [expected],
      String(login),
    )
  }
  t.end()
})

t.test('every type is declared, and may change while the server runs', t => {
  const old = parseConfig(HEAD, ENV)
  const next = parseConfig(HEAD + ATTRIBUTES, ENV)
  const { config, needRestart } = reloadable(old, next)
  t.strictSame(needRestart, [])
  let current = old
  const settings = coreSettings(() => current)
  t.equal(settings.attributes().size, 0)
  current = config
  const declared = settings.attributes()
  t.strictSame(settings.loginBy(), ['name', 'email', 'number'])
  t.equal(settings.attributes(), declared, 'read once')
  t.strictSame(
    [...declared].map(([name, { type }]) => `${name}: ${type}`),
    [
      'email: email',
      'name: string',
      'locale: string',
      'phone_number: string',
      'phone_number_verified: boolean',
      'tenant: string',
      'seats: integer',
      'beta: boolean',
      'since: date-time',
      'groups: string',
      'number: string',
    ],
  )
  t.match(declared.get('tenant'), { maxLength: 64, list: false, unique: false })
  t.match(declared.get('email'), { maxLength: 255, unique: true })
  t.match(declared.get('groups'), { list: true })
  t.end()
})
