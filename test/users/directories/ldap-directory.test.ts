// The LDAP directory by itself, against a small LDAP server over a real socket.
import t, { type Test } from 'tap'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monotonicClock } from '../../../src/base/clock.ts'
import { declarationsOf } from '../../../src/users/attributes/declarations.ts'
import {
  createLdapDirectory,
  type LdapDirectorySettings,
} from '../../../src/users/directory/ldap/ldap-directory.ts'
import { openConnection } from '../../../src/users/directory/ldap/connection.ts'
import { createPatience, createPool } from '../../../src/users/directory/ldap/pool.ts'
import { guardDirectory } from '../../../src/users/directory/guarded.ts'
import { readTemplate } from '../../../src/users/directory/ldap/filter.ts'
import {
  ldapSettings,
  person,
  startLdap,
  type LdapEntry,
  type LdapMode,
} from '../../support/ldap.ts'
import { SOON_MS, until } from '../../support/until.ts'

const RIGHT = 'an entry of many years'
const ID = '0a4f5d4e-6f2b-103f-8a52-c5b7a1d3b9f1'

async function start(
  t: Test,
  more: Partial<LdapDirectorySettings> = {},
  scheme: 'ldap' | 'ldaps' = 'ldaps',
) {
  const server = await startLdap(scheme, [person('ann', ID)])
  const clock = { now: 0 }
  const declarations = declarationsOf({
    email: { list: false, unique: false },
    phones: { type: 'string', list: true, unique: false },
    age: { type: 'integer', list: false, unique: false },
    staff: { type: 'boolean', list: false, unique: false },
  })
  const directory = createLdapDirectory({
    settings: ldapSettings(server, more),
    declarations: () => declarations,
    monotonic: () => (clock.now === 0 ? monotonicClock() : clock.now),
  })
  t.teardown(async () => {
    await directory.close()
    await server.stop()
  })
  const verify = (
    name: string,
    password = RIGHT,
    signal = AbortSignal.timeout(SOON_MS),
  ) => directory.verify({ name, foldedName: name.toLowerCase(), password }, signal)
  const lookup = (id: string) => directory.lookup(id, AbortSignal.timeout(SOON_MS))
  return { server, directory, verify, lookup, clock }
}

for (const scheme of ['ldaps', 'ldap'] as const) {
  t.test(`a name is searched, then bound, by ${scheme}`, async t => {
    const { server, verify } = await start(t, {}, scheme)
    t.match(await verify('ann'), {
      kind: 'ok',
      identity: { externalId: ID, name: 'ann', disabled: false, roles: undefined },
    })
    t.same(await verify('ann', 'wrong'), { kind: 'wrong' })
    t.same(await verify('nobody'), { kind: 'unknown' })
    t.equal(server.inTheClear, 0)
    t.equal(server.binds, 3, 'the service once, a user twice')
    t.equal(server.connections, 2, 'one that searches, one that checks')
    // A connection that was ended is opened anew, with all that belongs to it.
    server.drop()
    t.equal((await verify('ann')).kind, 'ok')
    t.equal(server.inTheClear, 0, 'never without TLS')
    t.equal(server.connections, 4)
  })
}

t.test('an empty password and a NUL are never sent', async t => {
  const { server, verify } = await start(t)
  for (const password of ['', '\0', `${RIGHT}\0x`]) {
    t.same(await verify('ann', password), { kind: 'wrong' })
  }
  t.equal(server.connections, 0, 'nothing was sent')
})

t.test('an entry without a DN would be bound as nobody, which succeeds', async t => {
  const { server, verify } = await start(t, { base: '' })
  server.entries.push(person('eve', 'e', { dn: '' }))
  t.match(await verify('eve'), { kind: 'unavailable', fault: /without a name/ })
  t.equal(server.binds, 1)
})

t.test('what is typed is a value, never a part of the filter', async t => {
  const { server, verify } = await start(t)
  for (const name of [
    '*',
    '*)(uid=*',
    'ann)(|(uid=*',
    'a*',
    '\\61nn',
    'ann\\',
    '(ann)',
    '{name}',
    '$&',
  ]) {
    t.same(await verify(name), { kind: 'unknown' }, name)
  }
  t.equal(server.binds, 1, 'nobody was bound')
  t.equal(server.filters[1], '(&(objectClass="person")(uid="*)(uid=*"))')
  server.entries.push(person('jürgen*', 'j'))
  t.equal((await verify('jürgen*')).kind, 'ok', 'bytes are as they were')
})

t.test('two entries of a name are nobody', async t => {
  const { server, verify } = await start(t)
  server.entries.push(person('ann', 'other', { dn: 'cn=ann,dc=example,dc=org' }))
  t.same(await verify('ann'), { kind: 'unknown' })
  server.entries.push(person('ann', 'third', { dn: 'cn=3,dc=example,dc=org' }))
  t.same(await verify('ann'), { kind: 'unknown' })
  t.equal(server.binds, 1, 'no password was sent')
})

t.test('a result code is a verdict only where it is about the user', async t => {
  const { server, verify } = await start(t)
  const ad = (data: string) =>
    `80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data ${data}, v4563`
  const question = { kind: 'unavailable', scope: 'question' }
  const away = { kind: 'unavailable', scope: undefined }
  const rows: [number, string, object][] = [
    [49, '', { kind: 'wrong' }],
    [49, ad('52e'), { kind: 'wrong' }],
    [49, ad('constructor'), { kind: 'wrong' }],
    [49, ad('533'), { kind: 'barred', reason: 'user_disabled' }],
    [49, ad('701'), { kind: 'barred', reason: 'user_expired' }],
    [49, ad('773'), { kind: 'barred', reason: 'password_must_change' }],
    [49, ad('532'), { kind: 'barred', reason: 'password_expired' }],
    [49, ad('775'), { kind: 'barred', reason: 'user_locked' }],
    [49, ad('530'), { kind: 'barred', reason: 'user_barred_now' }],
    [49, ad('531'), { kind: 'barred', reason: 'user_barred_now' }],
    [48, '', { kind: 'wrong' }],
    [32, '', { kind: 'unknown' }],
    [19, 'Exceed password retry limit', { kind: 'barred', reason: 'user_locked' }],
    [53, '', question],
    [10, '', away],
    [51, '', away],
    [52, '', away],
    [80, '', away],
    [8, '', away],
    [12_345, '', away],
  ]
  for (const [code, message, expected] of rows) {
    server.entries.splice(0, 1, person('ann', ID, { result: { code, message } }))
    t.match(await verify('ann'), expected, `${code} ${message}`)
  }
  t.equal(server.connections, 2, 'a connection outlives a refusal')
  const lock = { result: { code: 53 }, values: { nsAccountLock: ['TRUE'] } }
  server.entries.splice(0, 1, person('ann', ID, lock))
  t.same(await verify('ann'), { kind: 'barred', reason: 'user_disabled' })
})

t.test('an entry says itself that nobody may log in by it', async t => {
  const { server, verify } = await start(t)
  for (const [values, disabled] of [
    [{ userAccountControl: ['514'] }, true],
    [{ userAccountControl: ['512'] }, false],
    [{ userAccountControl: ['66050'] }, true],
    [{ userAccountControl: ['none'] }, false],
    [{ nsaccountlock: ['true'] }, true],
    [{ nsAccountLock: ['FALSE'] }, false],
    [{ pwdAccountLockedTime: ['000001010000Z'] }, true],
    [{ pwdAccountLockedTime: ['20260101000000Z'] }, false],
  ] as [LdapEntry['values'], boolean][]) {
    server.entries.splice(0, 1, person('ann', ID, { values }))
    t.match(await verify('ann'), { kind: 'ok', identity: { disabled } }, { values })
  }
})

t.test('attributes are mapped, and read as they are declared', async t => {
  const attributes = {
    email: 'mail',
    phones: 'telephoneNumber',
    age: 'age',
    staff: 'isStaff',
    undeclared: 'cn',
  }
  const { server, verify } = await start(t, { attributes, emailVerified: true })
  const values: LdapEntry['values'] = {
    mail: ['ann@example.org', 'second@example.org'],
    telephonenumber: ['+49 1'],
    age: ['42'],
    isStaff: ['TRUE'],
    cn: ['Ann'],
  }
  server.entries.splice(0, 1, person('ann', ID, { values }))
  t.match(await verify('ann'), {
    identity: {
      attributes: { email: 'ann@example.org', phones: ['+49 1'], age: 42, staff: true },
      emailVerified: true,
    },
  })
  const odd = { age: ['x'], isStaff: ['no'], mail: [Buffer.from([0xff, 0xfe])] }
  server.entries.splice(0, 1, person('ann', ID, { values: odd }))
  t.same(Object(await verify('ann')).identity.attributes, { age: 'x', staff: 'no' })
})

t.test('groups become roles by the map, whoever names them', async t => {
  const roles = {
    'CN=Admins, OU=groups,DC=example,DC=org': 'admin',
    'cn=ops,ou=groups,dc=example,dc=org': 'operator',
    'cn=all,ou=groups,dc=example,dc=org': 'operator',
  }
  const filter = '(member={dn})'
  const { server, verify } = await start(t, {
    groups: { attribute: 'memberOf', base: 'ou=groups,dc=example,dc=org', filter, roles },
  })
  const memberOf = [
    'cn=admins,ou=groups,dc=example,dc=org',
    'cn=Ops,ou=groups,dc=example,dc=org',
    'cn=other,ou=groups,dc=example,dc=org',
  ]
  server.entries.splice(0, 1, person('ann', ID, { values: { memberOf } }))
  const { dn } = person('ann', ID)
  server.entries.push({
    dn: 'cn=all,ou=groups,dc=example,dc=org',
    values: { member: [dn] },
  })
  t.same(Object(await verify('ann')).identity.roles, ['admin', 'operator'])
  t.equal(server.filters.at(-1), `(member="${dn}")`)
  server.entries.splice(0, 2, person('ann', ID))
  t.same(Object(await verify('ann')).identity.roles, [], 'none, and not those of before')

  const nested = await start(t, {
    groups: {
      base: 'dc=example,dc=org',
      filter: '(member:1.2.840.113556.1.4.1941:={dn})',
      roles: { 'cn=all,dc=example,dc=org': 'staff' },
    },
  })
  nested.server.entries.push({
    dn: 'cn=all,dc=example,dc=org',
    values: { member: [dn] },
  })
  t.match(await nested.verify('ann'), { identity: { roles: ['staff'] } })
  t.same(Object(await nested.lookup(ID)).identity.roles, ['staff'])
})

t.test('an id is looked up, and gone only where others are seen', async t => {
  const { server, lookup, verify } = await start(t, {
    filter: '(&(!(employeeType=left))(|(uid={name})(mail={name})))',
  })
  t.match(await lookup(ID), { kind: 'found', identity: { name: 'ann' } })
  t.equal(
    server.filters[0],
    `(&(&(!(employeeType="left"))(|(uid=*)(mail=*)))(entryUUID="${ID}"))`,
  )
  t.equal((await verify('ann')).kind, 'ok')
  server.entries.splice(0, 1, person('ann', ID, { values: { employeeType: ['left'] } }))
  t.same(await lookup(ID), { kind: 'gone' }, 'the filter holds here, too')
  server.entries.splice(0, 1)
  t.match(await lookup(ID), { kind: 'unavailable', fault: /may read no entry/ })
  server.entries.push(person('bob', 'b'))
  t.same(await lookup(ID), { kind: 'gone' })
  server.searchCode = 32
  t.match(await lookup(ID), { kind: 'unavailable', fault: /result code 32/ })
  t.match(await verify('ann'), { kind: 'unavailable', fault: /result code 32/ })
})

t.test('nobody is found by the id of who is alike', async t => {
  const { server, lookup } = await start(t)
  server.entries.push(person('bob', 'B-1'))
  const question = { kind: 'unavailable', scope: 'question' }
  t.match(await lookup('B-1'), { kind: 'found', identity: { name: 'bob' } })
  t.match(await lookup('b-1'), { ...question, fault: /another entryUUID than was asked/ })
  server.entries.push(person('eve', 'B-1'))
  t.match(await lookup('B-1'), { ...question, fault: /two entries have one entryUUID/ })
})

/** An LDAP server with one connection, and the faults that operators are told of. */
async function guardedLdap(t: Test, timeout: number) {
  const { server, directory } = await start(t, { connections: 1, timeout })
  const faults: unknown[] = []
  const guarded = guardDirectory({
    directory,
    watch: { answered() {}, changed: (_, fault) => faults.push(fault) },
    monotonic: monotonicClock,
  })
  const { signal } = new AbortController()
  const ask = () =>
    guarded.verify({ name: 'ann', foldedName: 'ann', password: RIGHT }, signal)
  return { server, ask, guarded, faults }
}

t.test('a queue for connections is no outage', async t => {
  // Half of it is for the queue; the other half bears a machine that is busy.
  const { server, ask, guarded, faults } = await guardedLdap(t, 8_000)
  const gate = Promise.withResolvers<void>()
  server.hold = gate.promise
  const first = ask()
  const queue = await Promise.all(Array.from({ length: 8 }, ask))
  for (const said of queue) t.match(said, { kind: 'unavailable', scope: 'busy' })
  gate.resolve()
  t.equal((await first).kind, 'ok', 'the queue ended before the deadline')
  t.equal((await ask()).kind, 'ok')
  t.same(faults, [], 'and nobody was told of an outage')
  t.equal(guarded.downForMs(), 0)
})

t.test('silence is an outage', async t => {
  const { server, ask, faults } = await guardedLdap(t, 500)
  server.mode = 'silent'
  for (let i = 0; i < 5; i++) await ask()
  t.match(faults, [/no answer within|closed before/])
})

t.test('what is left of the patience is for all waits of a question', t => {
  let now = 10
  const patience = createPatience(100, () => now)
  const { signal } = new AbortController()
  t.equal(patience(signal), 100)
  now = 70
  t.equal(patience(signal), 40)
  t.equal(patience(new AbortController().signal), 100)
  now = 500
  t.equal(patience(signal), 0)
  t.end()
})

t.test("Active Directory's ids are read as its tools write them", async t => {
  const { server, verify, lookup } = await start(t, { idAttribute: 'objectGUID' })
  const objectGUID = [Buffer.from('33221100554477668899aabbccddeeff', 'hex')]
  server.entries.splice(0, 1, person('ann', ID, { values: { objectGUID } }))
  const guid = '00112233-4455-6677-8899-aabbccddeeff'
  t.match(await verify('ann'), { kind: 'ok', identity: { externalId: guid } })
  t.match(await lookup(guid), { kind: 'found', identity: { externalId: guid } })
  t.same(await lookup('no GUID'), { kind: 'gone' })
  const short = [Buffer.from('3322', 'hex')]
  server.entries.splice(0, 1, person('ann', ID, { values: { objectGUID: short } }))
  t.match(await verify('ann'), { scope: 'question', fault: /no idAttribute objectGUID/ })
})

t.test('an entry without id or name is nobody', async t => {
  const { server, verify, lookup } = await start(t, { nameAttribute: 'displayName' })
  t.match(await verify('ann'), { scope: 'question', fault: /nameAttribute displayName/ })
  t.match(await lookup(ID), { kind: 'unavailable', fault: /nameAttribute displayName/ })
  for (const entryUUID of [[], ['one', 'two'], ['x'.repeat(256)], [Buffer.of(0xff)]]) {
    server.entries.splice(0, 1, person('ann', ID, { values: { entryUUID } }))
    t.match(await verify('ann'), { scope: 'question', fault: /idAttribute entryUUID/ })
  }
})

t.test('a fault is never a verdict', async t => {
  for (const [mode, scheme, fault] of [
    ['cut', 'ldaps', /closed before the answer/],
    ['garbage', 'ldaps', /closed before the answer/],
    ['silent', 'ldaps', /closed before the answer/],
    ['cut', 'ldap', /StartTLS: the connection was closed/],
    ['silent', 'ldap', /StartTLS: the connection was closed/],
    ['refuse-tls', 'ldap', /StartTLS is refused \(result code 52\)/],
    ['inject', 'ldap', /more than the answer came in the clear/],
    ['endless', 'ldap', /StartTLS/],
    ['no-ldap', 'ldap', /StartTLS/],
  ] as [LdapMode, 'ldap' | 'ldaps', RegExp][]) {
    const { server, verify } = await start(t, {}, scheme)
    server.mode = mode
    const patienceMs = ['silent', 'endless'].includes(mode) ? 500 : SOON_MS
    const said = await verify('ann', RIGHT, AbortSignal.timeout(patienceMs))
    t.match(said, { kind: 'unavailable', fault }, `${mode} by ${scheme}`)
    t.equal(server.inTheClear, 0, 'no password')
    server.mode = 'up'
    t.equal((await verify('ann')).kind, 'ok', 'and right again at once')
  }
})

t.test('what is configured wrong is named', async t => {
  const dir = t.testdir({ password: 'not it\n' })
  const rows: [Partial<LdapDirectorySettings>, RegExp][] = [
    [{ serverName: 'other.test' }, /no connection \(ERR_TLS_CERT_ALTNAME_INVALID\)/],
    [{ serverName: undefined }, /no connection \(ERR_TLS_CERT_ALTNAME_INVALID\)/],
    [{ caFile: undefined }, /no connection \(UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF/],
    [{ caFile: join(dir, 'none') }, /caFile: expected .*none to be readable \(ENOENT\)/],
    [{ passwordFile: join(dir, 'none') }, /passwordFile: expected the file .*readable/],
    [{ passwordFile: join(dir, 'password') }, /bindDn was refused with result code 49/],
    [{ password: undefined }, /without a name or a password/],
    [{ url: 'ldaps://[::1]' }, /no connection/],
    [{ url: 'ldap://127.0.0.1' }, /no connection \(ECONNREFUSED\)/],
  ]
  for (const [more, fault] of rows) {
    for (const scheme of ['ldaps', 'ldap'] as const) {
      const { verify } = await start(t, more, scheme)
      t.match(await verify('ann'), { kind: 'unavailable', scope: undefined, fault })
    }
  }
  const open = await start(
    t,
    { bindDn: undefined, caFile: undefined, plaintext: true },
    'ldap',
  )
  t.equal((await open.verify('ann')).kind, 'ok', 'in the clear where that is wanted')
  t.equal(open.server.inTheClear, 2)
})

t.test("the service's password changes without a restart", async t => {
  const dir = t.testdir({ password: 'a service of many years\n' })
  const passwordFile = join(dir, 'password')
  const { server, verify } = await start(t, { passwordFile, password: undefined })
  t.equal((await verify('ann')).kind, 'ok')
  server.service.password = 'another one'
  writeFileSync(passwordFile, 'another one\n')
  t.equal((await verify('ann')).kind, 'ok', 'what is open stays open')
  server.drop()
  t.equal((await verify('ann')).kind, 'ok')
})

t.test(
  'connections are bounded, and given up when they are old or half open',
  async t => {
    const { server, verify, clock, directory } = await start(t, { connections: 2 })
    const many = await Promise.all(Array.from({ length: 12 }, () => verify('ann')))
    t.ok(many.every(({ kind }) => kind === 'ok'))
    t.equal(server.connections, 4, 'two that search, two that check')

    const gate = Promise.withResolvers<void>()
    server.hold = gate.promise
    const leave = new AbortController()
    const asked = () => server.searches + server.binds
    const before = asked()
    const waiting = [1, 2, 3].map(() => verify('ann', RIGHT, leave.signal))
    await until(() => asked() === before + 2)
    leave.abort()
    const left = await Promise.all(waiting)
    t.ok(left.every(({ kind }) => kind === 'unavailable'))
    t.match(left[2], { fault: 'no connection was free in time' })
    gate.resolve()
    t.equal((await verify('ann')).kind, 'ok')

    // After a deadline those that are idle are not trusted either.
    const known = server.connections
    await Promise.all([verify('ann'), verify('ann')])
    server.mode = 'silent'
    const said = await verify('ann', RIGHT, AbortSignal.timeout(50))
    t.equal(said.kind, 'unavailable')
    server.mode = 'up'
    const usedFrom = monotonicClock()
    t.equal((await verify('ann')).kind, 'ok')
    t.ok(server.connections > known)

    const young = server.connections
    clock.now = usedFrom + 59_000
    t.equal((await verify('ann')).kind, 'ok')
    t.equal(server.connections, young)
    clock.now += 61_000
    t.equal((await verify('ann')).kind, 'ok')
    t.equal(server.connections, young + 2, 'idle for too long')

    const slow = Promise.withResolvers<void>()
    server.hold = slow.promise
    const seen = asked()
    const last = verify('ann')
    await until(() => asked() > seen)
    await directory.close()
    slow.resolve()
    t.equal((await last).kind, 'ok', 'who was asked is answered')
  },
)

t.test('a filter has its place once or more, as a value', t => {
  for (const text of [
    '(uid={name})',
    '(|(uid={name})(mail={name}@example.org))',
    '(!(uid={name}))',
    '(uid:caseExactMatch:={name})',
  ]) {
    t.type(readTemplate(text, '{name}'), 'object', text)
  }
  const any = Object(readTemplate('(uid:caseExactMatch:={name})', '{name}')).any()
  t.equal(any.toString(), '(uid=*)')
  for (const [text, expected] of [
    ['', /brackets/],
    ['uid={name}', /brackets/],
    ['(uid={name}', /follows RFC 4515/],
    ['(uid={name}))', /follows RFC 4515/],
    ['(uid=ann)', /\{name\} as the value/],
    ['({name}=ann)', /\{name\} as the value|follows/],
    ['(uid={name}*)', /\{name\} as the value/],
    ['(&(uid={name})(cn>={name}))', /\{name\} as the value/],
  ] as const) {
    t.match(readTemplate(text, '{name}'), expected, text)
  }
  t.throws(
    () =>
      createLdapDirectory({
        settings: ldapSettings(
          { url: 'ldaps://x', service: { dn: 'x', password: 'x' } },
          { filter: 'x' },
        ),
        declarations: () => new Map(),
        monotonic: monotonicClock,
      }),
    /expected a filter/,
  )
  t.end()
})

t.test('a connection that is gone stays gone, and no nameless bind is sent', async t => {
  const server = await startLdap('ldap', [person('ann', ID)])
  t.teardown(() => server.stop())
  const { signal } = new AbortController()
  const search = { base: 'dc=example,dc=org', filter: '(uid=ann)', attributes: ['uid'] }
  const connection = await openConnection(ldapSettings(server), signal)
  for (const [dn, password] of [
    ['', RIGHT],
    ['uid=ann', ''],
    ['uid=ann', 'a\0'],
  ] as const) {
    await t.rejects(connection.bind(dn, password, signal), /was not sent/)
  }
  t.equal(server.binds, 0)
  t.equal((await connection.search(search, signal)).length, 1)
  await t.rejects(connection.bind('uid=nobody', 'x', signal), { code: 49 })
  t.ok(connection.isOpen(), 'a refusal ends nothing')
  await t.rejects(connection.search(search, AbortSignal.abort()), { name: 'LdapFault' })
  t.notOk(connection.isOpen())
  await t.rejects(connection.search(search, signal), { name: 'LdapFault' })
  await t.rejects(openConnection(ldapSettings(server), AbortSignal.abort()), {
    name: 'LdapFault',
  })
  t.equal(server.connections, 1, 'nothing connected again')
})

t.test('an answer to StartTLS that comes in pieces, and a fault of ours', async t => {
  const { server, directory } = await start(t, {}, 'ldap')
  server.mode = 'silent'
  const leave = new AbortController()
  const asked = directory.lookup(ID, leave.signal)
  await until(() => server.connections === 1)
  leave.abort()
  t.equal((await asked).kind, 'unavailable')

  const other = await startLdap('ldaps', [person('ann', ID)])
  t.teardown(() => other.stop())
  const broken = createLdapDirectory({
    settings: ldapSettings(other),
    declarations() {
      throw new TypeError('as told')
    },
    monotonic: monotonicClock,
  })
  const { signal } = new AbortController()
  await t.rejects(broken.lookup(ID, signal), TypeError, 'is no fault of the directory')
  await broken.close()

  const pool = createPool({
    size: 1,
    patience: () => 1_000,
    monotonic: monotonicClock,
    open: () => Promise.reject(new TypeError('as told')),
  })
  await t.rejects(
    pool.use(signal, async () => {}),
    TypeError,
  )
})
