// A table of users elsewhere: the statement, the row, and what a directory makes of both. The databases
// themselves are in sql.tools.ts.
import t, { type Test } from 'tap'
import { createPasswordHasher } from '../../../src/users/hashing/hasher.ts'
import { readRow } from '../../../src/users/directory/sql/row.ts'
import { whereOf, type SqlServer } from '../../../src/base/sql/server.ts'
import {
  credentialsOf,
  SqlFault,
  type Answer,
} from '../../../src/users/directory/sql/source.ts'
import {
  createSqlDirectory,
  type SqlDirectorySettings,
} from '../../../src/users/directory/sql/sql-directory.ts'
import { compile } from '../../../src/users/directory/sql/statement.ts'
import { buildTestApp, UNTHROTTLED } from '../../support/app.ts'
import { freePort } from '../../support/free-port.ts'

const HASH = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
const ROW = { id: 17, name: 'Ann', password_hash: HASH }
const SIGNAL = new AbortController().signal
const ATTEMPT = { name: 'Ann', foldedName: 'ann', password: 'a secret of many years' }

const SERVER: SqlServer = {
  url: 'postgres://reader:s%2Fcret@db.example.com/shop',
  plaintext: false,
  connections: 2,
  timeout: 2_000,
}

const SETTINGS: SqlDirectorySettings = {
  ...SERVER,
  type: 'sql',
  name: 'shop',
  query: 'SELECT * FROM users WHERE name = $1 OR mail = $2',
  lookup: 'SELECT * FROM users WHERE id = $1',
  migrate: 'none',
  sub: 'own',
  maxInFlight: 8,
}

const { checkForeign } = createPasswordHasher({
  memoryKiB: 8,
  passes: 1,
  parallelism: 1,
  memoryShare: 50,
  concurrency: 1,
  queue: 8,
  maxWait: 1_000,
})

/** A directory whose database says this. */
function saying(said: Partial<Answer> | Error, more: Partial<SqlDirectorySettings> = {}) {
  const asked: unknown[] = []
  let isClosed = false
  const directory = createSqlDirectory({
    settings: { ...SETTINGS, ...more },
    checkForeign,
    source: {
      async ask({ text, order }, values) {
        asked.push({ text, values: order.map(value => values[value]) })
        if (said instanceof Error) throw said
        const rows = said.rows ?? []
        return { rows, columns: said.columns ?? Object.keys(rows[0] ?? ROW) }
      },
      close: async () => {
        isClosed = true
      },
    },
  })
  const verify = () => directory.verify(ATTEMPT, SIGNAL)
  const lookup = (id = '17') => directory.lookup(id, SIGNAL)
  return { directory, asked, verify, lookup, isClosed: () => isClosed }
}

t.test('it is sent in the form of its database, and gives two rows at most', async t => {
  const text = 'SELECT $2, $1, $2 -- $1;\n;'
  t.same(compile(text, 'numbered'), {
    text: 'SELECT * FROM (SELECT $1, $2, $1 -- $2\n) AS latchkey_asked LIMIT 2',
    order: [1, 0],
  })
  t.same(compile('SELECT $2, $1, $2', 'positional'), {
    text: 'SELECT * FROM (SELECT ?, ?, ?\n) AS latchkey_asked LIMIT 2',
    order: [1, 0, 1],
  })
})

t.test('a row, as databases write it', async t => {
  const identity = {
    externalId: '17',
    name: 'Ann',
    disabled: false,
    attributes: {},
    emailVerified: undefined,
    roles: undefined,
  }
  const good: readonly [Record<string, unknown>, object][] = [
    [{}, { identity, passwordHash: HASH }],
    [{ id: 'a-b' }, { identity: { ...identity, externalId: 'a-b' } }],
    [{ password_hash: Buffer.from(HASH) }, { passwordHash: HASH }],
    [{ email: null }, { identity }],
    [
      { email: 'ann@example.com' },
      { identity: { attributes: { email: 'ann@example.com' } } },
    ],
    [
      {
        plan: 'gold',
        none: null,
        never: new Date(NaN),
        at: new Date(0),
        bytes: Buffer.from('a'),
      },
      {
        identity: {
          attributes: { plan: 'gold', at: '1970-01-01T00:00:00.000Z', bytes: 'a' },
        },
      },
    ],
    ...[true, 1, '1', 't', 'true', Buffer.from([1])].map(
      flag =>
        [
          { disabled: flag, email_verified: flag },
          {
            identity: { disabled: true, emailVerified: true },
          },
        ] as [Record<string, unknown>, object],
    ),
    ...[false, 0, '0', 'f', 'false', null, Buffer.from([0])].map(
      flag =>
        [{ disabled: flag }, { identity: { disabled: false } }] as [
          Record<string, unknown>,
          object,
        ],
    ),
    ...[['a', 'b'], 'a,b', ' a , b,', '["a","b"]', Buffer.from('a,b')].map(
      roles =>
        [{ roles }, { identity: { roles: ['a', 'b'] } }] as [
          Record<string, unknown>,
          object,
        ],
    ),
    [{ roles: null }, { identity: { roles: [] } }],
    ...[null, '', '!', '!abc', '*', '*LK*'].map(
      hash =>
        [{ password_hash: hash }, { passwordHash: undefined }] as [
          Record<string, unknown>,
          object,
        ],
    ),
  ]
  for (const [more, expected] of good) {
    t.match(readRow({ ...ROW, ...more }), expected, JSON.stringify(more))
  }
  const bad: readonly [Record<string, unknown>, RegExp][] = [
    [{ disabled: 'no' }, /column disabled is neither/],
    [{ email_verified: 2 }, /column email_verified is neither/],
    [{ roles: 7 }, /column roles/],
    [{ roles: [7] }, /column roles/],
    [{ roles: '[7]' }, /column roles/],
    [{ roles: '["a"' }, /column roles/],
    [{ password_hash: 7 }, /column password_hash/],
    [{ password_hash: Buffer.from([0xff]) }, /column password_hash/],
    [{ id: null }, /columns id and name/],
    [{ id: Buffer.from([0, 1]) }, /columns id and name/],
    [{ id: 2 ** 53 }, /columns id and name/],
    [{ name: '' }, /columns id and name/],
    [{ email: 7 }, /columns id and name/],
  ]
  for (const [more, fault] of bad) {
    t.match(readRow({ ...ROW, ...more }), { fault }, JSON.stringify(more))
  }
})

t.test('a name: the hash, nobody, nobody with a password, or a fault', async t => {
  const right = saying({ rows: [ROW] }, { pepper: 'of the house' })
  t.match(await right.verify(), {
    kind: 'hash',
    passwordHash: HASH,
    pepper: 'of the house',
    identity: { externalId: '17' },
  })
  t.match(right.asked, [{ values: ['Ann', 'ann'], text: /LIMIT 2$/ }])
  t.notMatch(JSON.stringify(right.asked), ATTEMPT.password, 'no password goes there')
  t.match(await saying({ rows: [ROW] }).verify(), { pepper: '' })
  t.same(await saying({}).verify(), { kind: 'unknown' })
  t.same(await saying({ rows: [{ ...ROW, password_hash: '!' }] }).verify(), {
    kind: 'wrong',
  })
  const faults: readonly [Partial<Answer> | Error, object][] = [
    [{ rows: [ROW, ROW] }, { scope: 'question', fault: /query gave more than one row/ }],
    [
      { columns: ['id', 'name'] },
      { scope: undefined, fault: /query has no column password_hash/ },
    ],
    [
      { columns: ['id', 'name', 'password_hash', 'id'], rows: [ROW] },
      { scope: undefined, fault: /query has two columns called id: name those/ },
    ],
    [
      { rows: [{ ...ROW, password_hash: 'md5$x$y' }] },
      {
        scope: 'question',
        fault: 'the column password_hash of query: hash scheme md5$ is not supported',
      },
    ],
    [
      { rows: [{ ...ROW, roles: 7 }] },
      { scope: 'question', fault: /query: the column roles/ },
    ],
    [new SqlFault('away'), { scope: undefined, fault: 'away' }],
    [new SqlFault('odd', 'question'), { scope: 'question', fault: 'odd' }],
  ]
  for (const [said, expected] of faults) {
    t.match(await saying(said).verify(), { kind: 'unavailable', ...expected })
  }
  await t.rejects(saying(new TypeError('ours')).verify(), TypeError)
})

t.test('an id: found, gone, or not asked for', async t => {
  const { password_hash: _, ...row } = ROW
  t.match(await saying({ rows: [row] }).lookup(), {
    kind: 'found',
    identity: { externalId: '17' },
  })
  t.same(await saying({}).lookup(), { kind: 'gone' })
  t.match(await saying({ rows: [row] }).lookup('18'), {
    kind: 'unavailable',
    scope: 'question',
  })
  const asked = saying({ rows: [row], columns: ['id', 'name', 'plan'] })
  const found = await asked.lookup()
  const keeps = found.kind === 'found' ? found.identity.keeps : undefined
  t.same(
    ['plan', 'email', 'email_verified'].map(attribute => keeps?.(attribute)),
    [false, true, true],
    'what has a column is said',
  )
  t.match(await saying(new SqlFault('away')).lookup(), {
    kind: 'unavailable',
    fault: 'away',
  })
  const bare = saying(
    {},
    { lookup: undefined, url: 'mysql://reader@db.example.com/shop' },
  )
  t.same(await bare.lookup(), { kind: 'unasked' })
  await bare.verify()
  t.match(bare.asked, [{ values: ['Ann', 'ann'], text: /name = \? OR mail = \?/ }])
  await bare.directory.close()
  t.ok(bare.isClosed())
})

t.test('where a database is, and who we are there', async t => {
  const dir = t.testdir({ password: 'from a file\n', 'ca.pem': 'PEM' })
  t.equal(whereOf(SERVER), 'db.example.com/shop')
  const there = { host: 'db.example.com', port: 5432, user: 'reader', database: 'shop' }
  t.same(credentialsOf(SERVER), { ...there, password: 's/cret', tls: {} })
  t.match(credentialsOf({ ...SERVER, password: 'other' }), { password: 'other' })
  t.match(credentialsOf({ ...SERVER, passwordFile: `${dir}/password` }), {
    password: 'from a file',
  })
  t.throws(() => credentialsOf({ ...SERVER, passwordFile: `${dir}/none` }), {
    name: 'SqlFault',
    message: /^passwordFile: expected .*none to be readable \(ENOENT\)/,
  })
  t.match(credentialsOf({ ...SERVER, caFile: `${dir}/ca.pem` }), { tls: { ca: 'PEM' } })
  t.throws(
    () => credentialsOf({ ...SERVER, caFile: `${dir}/none` }),
    /caFile: expected .*none/,
  )
  t.match(credentialsOf({ ...SERVER, plaintext: true }), { tls: undefined })
  t.match(credentialsOf({ ...SERVER, url: 'mysql://a@[::1]/b' }), {
    host: '::1',
    port: 3306,
    tls: undefined,
  })
  t.match(
    credentialsOf({
      ...SERVER,
      url: 'mysql://a@127.0.0.1:3307/b',
      caFile: `${dir}/ca.pem`,
    }),
    {
      port: 3307,
      tls: { ca: 'PEM' },
    },
  )
})

for (const scheme of ['postgres', 'mysql']) {
  t.test(`a ${scheme} that is away: 503, and nothing is changed`, t =>
    awayTest(t, scheme),
  )
}

async function awayTest(t: Test, scheme: string): Promise<void> {
  const url = `${scheme}://reader:a-long-secret@127.0.0.1:${await freePort()}/shop`
  const test = await buildTestApp({ directories: [{ ...SETTINGS, url }] })
  t.teardown(async () => {
    await test.elsewhere?.close()
    await test.close()
  })
  test.live.logins = UNTHROTTLED
  const grant = { grant_type: 'password', client_id: 'mobile' }
  const answer = await test.post('/token', { ...grant, username: 'ann', password: 'x' })
  t.match(answer, { statusCode: 503, headers: { 'retry-after': '2' } })
}
