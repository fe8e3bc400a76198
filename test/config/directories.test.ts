// `directories` in the configuration: what may stand there.
import t from 'tap'
import { ConfigError } from '../../src/config/faults.ts'
import { decodeConfig } from '../../src/config/load.ts'
import { coreSettings } from '../../src/core/settings.ts'

const SECRET = Buffer.alloc(32, 9).toString('base64')

/** The faults of a configuration with these directories. */
function faultsOf(directories: readonly object[], more: object = {}): string[] {
  try {
    decodeConfig({
      issuer: 'https://id.example.com',
      store: { url: 'sqlite:x' },
      secrets: ['x'.repeat(43)],
      directories: directories.map(each => ({
        name: 'app',
        type: 'http',
        url: 'https://app.example.com/login',
        secrets: [SECRET],
        ...each,
      })),
      ...more,
    })
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

const CLEAR = { url: 'http://app.example.com/login' }

t.test('what is right is taken', async t => {
  t.same(faultsOf([{}]), [])
  t.same(faultsOf([{ url: 'http://127.0.0.1:8000/login' }]), [], 'loopback')
  t.same(faultsOf([CLEAR], { allowHttp: true }), [])
  t.same(faultsOf([{ lookupUrl: 'https://app.example.com/users' }, { name: 'b' }]), [])
})

t.test('faults name their place', async t => {
  for (const [directories, fault] of [
    [[{}, {}], /^directories\[1\]\.name: expected another name/],
    [[CLEAR], /^directories\[0\]\.url: expected an https URL: passwords are sent/],
    [
      [{ lookupUrl: 'http://app.example.com/users' }],
      /^directories\[0\]\.lookupUrl: expected an https URL/,
    ],
    [[{ url: 'https://me:pw@app.example.com/' }], /a URL without user and password/],
    [[{ url: 'https://:pw@app.example.com/' }], /a URL without user and password/],
    [[{ url: 'https://me@app.example.com/' }], /a URL without user and password/],
  ] as const) {
    const faults = faultsOf(directories)
    t.equal(faults.length, 1, faults.join())
    t.match(faults[0], fault)
    t.notMatch(faults[0], /:pw@/, 'no password in a message')
  }
})

const LDAP = {
  type: 'ldap',
  url: 'ldaps://ldap.example.com',
  secrets: undefined,
  bindDn: 'cn=latchkey,dc=example,dc=org',
  password: 'x',
  base: 'dc=example,dc=org',
  filter: '(uid={name})',
}

t.test('an LDAP server', async t => {
  const right = [
    {},
    { url: 'ldap://ldap.example.com:1389/' },
    { url: 'ldap://ldap.example.com', plaintext: true },
    { bindDn: undefined, password: undefined },
    { password: undefined, passwordFile: '/run/secrets/ldap' },
    { groups: { attribute: 'memberOf', roles: { 'cn=a': 'a' } } },
    { groups: { base: 'dc=x', filter: '(uniqueMember={dn})', roles: {} } },
  ]
  for (const more of right) t.same(faultsOf([{ ...LDAP, ...more }]), [], more)
  const url = /\[0\]\.url: expected ldaps:\/\/HOST or ldap:\/\/HOST/
  for (const [more, fault] of [
    [{ url: 'https://ldap.example.com' }, url],
    [{ url: 'ldaps://me:pw@ldap.example.com' }, url],
    [{ url: 'ldaps://:pw@ldap.example.com' }, url],
    [{ url: 'ldaps:///' }, url],
    [{ url: 'ldaps://ldap.example.com/dc=org' }, url],
    [{ url: 'ldaps://ldap.example.com?x' }, url],
    [{ url: 'ldaps://[' }, url],
    [{ plaintext: true }, /\[0\]\.url: expected an ldap URL with plaintext/],
    [{ base: undefined }, /\[0\]\.base: expected the DN/],
    [{ filter: undefined }, /\[0\]\.filter: expected a filter in brackets/],
    [{ filter: '(uid=x)' }, /\[0\]\.filter: expected \{name\} as the value/],
    [{ bindDn: undefined }, /\[0\]\.bindDn: expected a DN with password/],
    [{ password: undefined }, /\[0\]\.password: expected password or passwordFile/],
    [{ passwordFile: 'x' }, /\[0\]\.passwordFile: expected no password beside it/],
    [{ groups: { roles: {} } }, /\[0\]\.groups: expected an attribute or a base/],
    [
      { groups: { base: 'x', filter: '(member=x)', roles: {} } },
      /\[0\]\.groups\.filter: expected \{dn\} as the value/,
    ],
    [{ secrets: [SECRET] }, /\[0\]\.secrets: expected no such key with type ldap/],
    [{ url: 'ldaps://one.example,two.example' }, /\[0\]\.url: expected one host/],
    [{ nameAttribute: '(uid' }, /\[0\]\.nameAttribute: expected the name of an LDAP/],
  ] as const) {
    const faults = faultsOf([{ ...LDAP, ...more }])
    t.equal(faults.length, 1, faults.join())
    t.match(faults[0], fault)
  }
  t.match(faultsOf([{ base: 'x' }])[0], /base: expected no such key with type http/)
  t.match(faultsOf([{ secrets: undefined }])[0], /secrets: expected one or two secrets/)
  t.match(faultsOf([{ url: 'ldap://x' }])[0], /url: expected an https URL with type http/)
})

const SQL = {
  type: 'sql',
  url: 'postgres://reader@db.example.com/shop',
  query: 'SELECT id, name, password_hash FROM users WHERE name = $1',
  secrets: undefined,
}

t.test('a table of users: what is right is taken', async t => {
  for (const more of [
    {},
    { url: 'postgresql://reader:pw@db.example.com:5433/shop', lookup: 'SELECT $1' },
    { url: 'postgres://reader:p,w@db.example.com/a,b' },
    { url: 'mysql://reader@[::1]/shop', password: 'x', pepper: 'y' },
    { url: 'mariadb://reader@db.example.com/shop', passwordFile: '/x', caFile: '/y' },
    { plaintext: true },
    { query: ' with x as (select $2) select * from x ; ' },
    { query: 'select $1, $2, $1' },
    { url: 'mysql://reader@10.0.0.5/shop', plaintext: true },
    { url: 'postgres://reader@10.0.0.5/shop' },
  ]) {
    t.same(faultsOf([{ ...SQL, ...more }]), [], JSON.stringify(more))
  }
})

t.test('a table of users: faults name their place', async t => {
  for (const [more, fault] of [
    [
      { query: undefined },
      /^directories\[0\]\.query: expected one SELECT with \$1, the name/,
    ],
    [
      { lookup: 'SELECT $2' },
      /^directories\[0\]\.lookup: expected one SELECT with \$1, the id/,
    ],
    [
      { url: 'https://app.example.com/' },
      /^directories\[0\]\.url: expected postgres:\/\/USER@/,
    ],
    [{ url: 'postgres://:pw@db.example.com/shop' }, /directories\[0\]\.url/],
    [{ url: 'postgres://db.example.com/shop' }, /directories\[0\]\.url/],
    [{ url: 'postgres://reader@db.example.com' }, /directories\[0\]\.url/],
    [
      { url: 'postgres://reader@db.example.com/shop?sslmode=disable' },
      /nothing behind it/,
    ],
    [{ url: 'postgres://reader@db.example.com:x/shop' }, /directories\[0\]\.url/],
    [
      { url: 'postgres://reader@one.example,two.example/shop' },
      /\.url: expected one host/,
    ],
    [{ url: 'mysql://reader:p,w@one.example:3306,two.example:3306/shop' }, /one host/],
    [{ url: 'postgres://reader:50%off@db.example.com/shop' }, /directories\[0\]\.url/],
    [
      { url: 'mysql://reader@10.0.0.5/shop' },
      /\.url: expected a host name in a mysql URL/,
    ],
    [{ url: 'mariadb://reader@[fd00::1]/shop' }, /\.url: expected a host name/],
    [
      { url: 'mysql://reader@127.0.0.1/shop', caFile: '/y' },
      /\.url: expected a host name/,
    ],
    [
      { password: 'x', passwordFile: '/y' },
      /\.passwordFile: expected no password beside it/,
    ],
    [
      { plaintext: true, caFile: '/y' },
      /\.plaintext: expected no plaintext: true with a caFile/,
    ],
    [{ plaintext: true, url: 'mysql://a@127.0.0.1/b' }, /\.plaintext: expected/],
    [{ secrets: [SECRET] }, /\.secrets: expected no such key with type sql/],
  ] as const) {
    const faults = faultsOf([{ ...SQL, ...more }])
    t.equal(faults.length, 1, faults.join())
    t.match(faults[0], fault)
    t.notMatch(faults[0], /:pw@/, 'no password in a message')
  }
  for (const [more, fault] of [
    [{ pepper: 'x' }, /\.pepper: expected no such key with type http/],
    [{ secrets: undefined }, /\.secrets: expected one or two secrets/],
    [{ url: 'mysql://app.example.com/x' }, /\.url: expected an https URL with type http/],
    [{ url: 'https://[/' }, /\.url: expected a URL without/],
    [{ type: 'oracle' }, /\.type: expected one of http, ldap, sql/],
  ] as const) {
    t.match(faultsOf([more])[0], fault)
  }
})

t.test('each kind is given what it has', async t => {
  const app = {
    name: 'app',
    type: 'http',
    url: 'https://app.example.com/',
    secrets: [SECRET],
  }
  const { secrets: _, ...sql } = SQL
  const { secrets: __, ...ldap } = LDAP
  const config = decodeConfig({
    issuer: 'https://id.example.com',
    store: { url: 'sqlite:x' },
    secrets: ['x'.repeat(43)],
    directories: [app, { name: 'shop', ...sql }, { name: 'staff', ...ldap }],
  })
  t.match(coreSettings(() => config).directories, [
    { type: 'http', secrets: [SECRET], timeout: 2_000 },
    { type: 'sql', query: SQL.query, connections: 4, plaintext: false },
    { type: 'ldap', base: LDAP.base, filter: LDAP.filter },
  ])
})
