// `claims` in the configuration: what may stand there, and what is refused at start, by its path.
import t from 'tap'
import { decodeConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/faults.ts'
import { reloadable } from '../../src/config/reload.ts'
import { RESERVED_CLAIMS } from '../../src/oauth/claims.ts'
import { ORDERS } from '../support/app.ts'

const MINIMAL = {
  issuer: 'https://id.example.com',
  store: { url: 'sqlite:x' },
  secrets: ['x'.repeat(43)],
}

const configWith = (more: object) => decodeConfig({ ...MINIMAL, ...more })

function faultsOf(more: object): string[] {
  try {
    configWith(more)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

/** Wherever claims stand in the file. */
const PLACES: [path: string, at: (claims: unknown) => object][] = [
  ['claims', claims => ({ claims })],
  [`audiences["${ORDERS}"].claims`, claims => ({ audiences: { [ORDERS]: { claims } } })],
]

t.test('claims of every kind are taken as they stand', async t => {
  const claims = {
    plan: { value: 'free' },
    seats: { value: 0 },
    beta: { value: false, scope: 'profile' },
    note: { value: '' },
    regions: { value: ['eu', 1, true] },
    'https://example.com/size': { value: 'groß' },
    roles: { value: ['reader'] },
    toString: { value: 'a name like any other' },
  }
  for (const [, at] of PLACES) t.strictSame(faultsOf(at(claims)), [])
  t.strictSame(configWith({ claims }).claims, claims)
  t.strictSame(configWith({}).claims, {})
})

t.test('every reserved name is a fault that says what keeps it', async t => {
  // RFC 7519 §4.1, RFC 9068 §2.2, and what our tokens or answers say already.
  const names = (
    'iss sub aud exp nbf iat jti client_id scope auth_time acr amr cnf act may_act sid status azp nonce ' +
    'at_hash c_hash active username token_type token_introspection status_list ttl events ' +
    'authorization_details'
  ).split(' ')
  t.strictSame([...RESERVED_CLAIMS.keys()].sort(), names.toSorted())
  for (const [path, at] of PLACES) {
    for (const name of names) {
      const [fault, ...others] = faultsOf(at({ [name]: { value: 'x' } }))
      t.match(
        fault,
        `${path}.${name}: expected another name: ${name} is reserved (${RESERVED_CLAIMS.get(name)})`,
      )
      t.strictSame(others, [])
    }
  }
})

t.test('names and values that can be no claim are faults', async t => {
  const name = 'expected the name of a claim'
  const value = 'expected a text, a number, true, false, or a list of 1 to 100 of these'
  const rows: [claims: unknown, fault: string][] = [
    [{ 'a b': { value: 1 } }, `["a b"]: ${name}`],
    [{ ä: { value: 1 } }, `["ä"]: ${name}`],
    [{ '': { value: 1 } }, `[""]: ${name}`],
    [{ ['x'.repeat(129)]: { value: 1 } }, name],
    [{ constructor: { value: 1 } }, '.constructor: expected another name: JavaScript'],
    [{ prototype: { value: 1 } }, '.prototype: expected another name: JavaScript'],
    [
      JSON.parse('{ "__proto__": { "value": 1 } }'),
      '.__proto__: expected another name: JavaScript',
    ],
    [{ plan: 'free' }, '.plan: expected a mapping'],
    [{ plan: { value: null } }, `.plan.value: ${value}`],
    [{ plan: { value: {} } }, `.plan.value: ${value}`],
    [{ plan: { value: [] } }, `.plan.value: ${value}`],
    [
      { plan: { value: ['a', ['b']] } },
      '.plan.value[1]: expected a text, a number, true or false',
    ],
    [{ plan: { value: 1, scope: 'a b' } }, '.plan.scope: expected a scope'],
    [{ plan: { value: 1, fromm: 'a' } }, '.plan.fromm: expected no such key'],
    [{ roles: { value: 'reader' } }, '.roles.value: expected a list of texts'],
    [{ groups: { value: [1] } }, '.groups.value: expected a list of texts'],
    [{ entitlements: { value: true } }, '.entitlements.value: expected a list of texts'],
  ]
  for (const [path, at] of PLACES) {
    for (const [claims, expected] of rows) {
      const [fault = '', ...others] = faultsOf(at(claims))
      t.ok(fault.startsWith(path) && fault.includes(expected), expected, { fault })
      t.strictSame(others, [])
    }
  }
})

t.test('what is copied must be there, and be what the claim is', async t => {
  const attributes = {
    email: { type: 'email' },
    teams: { type: 'string', list: true },
    level: { type: 'integer', list: true },
    flags: { type: 'boolean', list: true },
    tenant: { type: 'string' },
  }
  const known = '(email, teams, level, flags, tenant, email_verified)'
  const rows: [claims: object, fault: string | undefined][] = [
    [{ tenant: { from: 'tenant', scope: 'profile' } }, undefined],
    [
      { groups: { from: 'teams' }, email_verified: { from: 'email_verified' } },
      undefined,
    ],
    [
      { plan: { from: 'plan' } },
      `.plan.from: expected an attribute that is declared in attributes ${known}`,
    ],
    [
      { plan: { from: 'toString' } },
      '.plan.from: expected an attribute that is declared',
    ],
    [
      { plan: { from: 'tenant', value: 1 } },
      '.plan.from: expected no such key beside value',
    ],
    [{ plan: { from: '' } }, '.plan.from: expected the name of an attribute'],
    [
      { plan: {} },
      '.plan.value: expected a value, or from with the name of an attribute in its place',
    ],
    ...['tenant', 'level', 'flags'].map((from): [object, string] => [
      { roles: { from } },
      '.roles.from: expected an attribute with list: true and texts, as RFC 9068 has roles',
    ]),
  ]
  for (const [path, at] of PLACES) {
    for (const [claims, expected] of rows) {
      const [fault, ...others] = faultsOf({ attributes, ...at(claims) })
      if (expected === undefined) t.equal(fault, undefined)
      else t.ok(fault?.startsWith(`${path}${expected}`), expected, { fault })
      t.strictSame(others, [])
    }
  }
  t.match(faultsOf({ claims: { a: { from: 'email_verified' } } }), [
    'claims.a.from: expected an attribute that is declared in attributes (there is none)',
  ])
})

t.test('the budget of what never changes is held at start, to the byte', async t => {
  // {"a":"…"} and {"a":"…","b":1} are 8 and 14 bytes beside the text; ä is two.
  const claims = { a: { value: 'ä'.repeat(20) } }
  const tokens = (claimsMaxBytes: number) => ({ tokens: { claimsMaxBytes } })
  t.strictSame(faultsOf({ claims, ...tokens(48) }), [])
  t.strictSame(faultsOf({ claims, ...tokens(47) }), [
    'claims: expected values of at most tokens.claimsMaxBytes (47) bytes; these have 48',
  ])
  const audiences = { [ORDERS]: { claims: { b: { value: 1 } } }, other: {} }
  t.strictSame(faultsOf({ claims, audiences, ...tokens(54) }), [])
  t.strictSame(
    faultsOf({ claims, audiences, ...tokens(53) }),
    [
      `audiences["${ORDERS}"].claims: expected values of at most tokens.claimsMaxBytes (53) bytes; ` +
        'these have 54',
    ],
    'with those for all',
  )
  t.strictSame(
    faultsOf({
      claims,
      audiences: { [ORDERS]: { claims: { a: { value: 1 } } } },
      ...tokens(47),
    }),
    [
      'claims: expected values of at most tokens.claimsMaxBytes (47) bytes; these have 48',
    ],
    'one that takes the place of another counts alone',
  )
  t.match(faultsOf({ tokens: { claimsMaxBytes: 4097 } }), [
    /^tokens.claimsMaxBytes: expected a whole number from 2 to 4096/,
  ])
})

t.test('a claim that is called like a key of the budget is a claim', async t => {
  const claims = { maxBytes: { value: 1 }, claimsMaxBytes: { value: 2 } }
  t.strictSame(configWith({ claims }).claims, claims)
  t.equal(configWith({ claims }).tokens.claimsMaxBytes, 2048)
})

t.test('claims change while the server runs', async t => {
  const next = configWith({ claims: { plan: { value: 'pro' } } })
  const { config, needRestart } = reloadable(configWith({}), next)
  t.strictSame(config.claims, next.claims)
  t.strictSame(needRestart, [])
})
