// Users of real databases log in here: PostgreSQL and MariaDB.
import t, { type Test } from 'tap'
import type { SqlDirectorySettings } from '../../../src/users/directory/sql/sql-directory.ts'
import { buildTestApp, UNTHROTTLED } from '../../support/app.ts'
import { startMariaDb, startPostgres, type Database } from '../../support/databases.ts'
import { LDAP_CA } from '../../support/ldap.ts'
import { STORES } from '../../support/server.ts'

const PASSWORD = 'correct horse battery staple'

/** A database with a reader of its own, who may read `users` alone. */
async function withReader(database: Database): Promise<string> {
  if (database.kind === 'postgres') {
    await database.run("CREATE ROLE reader LOGIN PASSWORD 'reader-secret'")
    return `postgres://reader:reader-secret@127.0.0.1:${database.port}/postgres`
  }
  await database.run("CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reader-secret'")
  return `mysql://reader:reader-secret@127.0.0.1:${database.port}/shop`
}

const grantee = ({ kind }: Database) =>
  kind === 'postgres' ? 'reader' : "reader@'127.0.0.1'"

/** What a test has: a server that asks the database, and how somebody logs in. */
async function worldOf(
  t: Test,
  storeUrl: string,
  settings: Partial<SqlDirectorySettings> & { url: string; query: string },
) {
  const test = await buildTestApp({
    storeUrl,
    secrets: [Buffer.alloc(32, 9).toString('base64url')],
    directories: [
      {
        type: 'sql',
        name: 'shop',
        migrate: 'none',
        sub: 'own',
        plaintext: false,
        connections: 4,
        timeout: 2_000,
        maxInFlight: 64,
        ...settings,
      },
    ],
  })
  test.live.logins = UNTHROTTLED
  t.teardown(async () => {
    await test.elsewhere?.close()
    await test.close()
  })
  const login = (username: string, password = PASSWORD) =>
    test.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username,
      password,
    })
  const statusOf = async (...given: Parameters<typeof login>) =>
    (await login(...given)).statusCode
  return { test, login, statusOf }
}

for (const start of [startPostgres, startMariaDb]) {
  t.test(start.name, async t => {
    const database = await start(t)
    const reader = await withReader(database)
    for (const { name, make } of STORES) {
      await t.test(`a table of users, with ${name}`, t =>
        tableTest(t, { database, reader, make }),
      )
    }
  })
}

async function tableTest(
  t: Test,
  {
    database,
    reader,
    make,
  }: { database: Database; reader: string; make: (typeof STORES)[number]['make'] },
): Promise<void> {
  const { url: storeUrl, remove } = await make()
  t.teardown(remove)
  const settings = {
    url: reader,
    query:
      'SELECT id, name, hash AS password_hash, NOT active AS disabled, plan FROM users ' +
      'WHERE lower(name) = $2',
    lookup: 'SELECT id, name, NOT active AS disabled FROM users WHERE id = $1',
  }
  const { test, login, statusOf } = await worldOf(t, storeUrl, settings)
  const hash = await test.core.hasher.hash(PASSWORD)
  await database.run(`
    DROP TABLE IF EXISTS users;
    CREATE TABLE users
      (id BIGINT PRIMARY KEY, name VARCHAR(80), hash VARCHAR(200), active BOOLEAN, plan VARCHAR(20));
    GRANT SELECT ON users TO ${grantee(database)};
    INSERT INTO users VALUES (9007199254740993, 'Ann', '${hash}', true, 'gold'),
      (2, 'bob', '${hash}', false, NULL), (3, 'carl', '!', true, NULL), (4, 'dora', 'md5$a$b', true, NULL),
      (5, 'eve', '${hash}', true, NULL), (6, 'EVE', '${hash}', true, NULL)`)
  t.equal(await statusOf('ann'), 200)
  t.match(await test.accounts.find('ann'), {
    name: 'Ann',
    external: { directory: 'shop', id: '9007199254740993' },
  })
  const before = await test.accounts.find('ann')
  t.equal(await statusOf('ann', 'wrong'), 400)
  t.equal(await statusOf('bob'), 400, 'disabled')
  t.equal(await statusOf('carl'), 400, 'nobody has the password')
  t.equal(await statusOf('dora'), 503, 'a hash that nobody can check is no verdict')
  t.equal(await statusOf('eve'), 503, 'two rows let nobody in')
  for (const odd of [
    "' OR 1=1 --",
    "ann'; DROP TABLE users; --",
    'a\\',
    '🐴',
    '%',
    '*)(uid=*',
  ]) {
    t.equal(await statusOf(odd), 400, odd)
  }
  t.equal(await statusOf('ann', PASSWORD), 200, 'the table is there')
  const other = await test.core.hasher.hash('another one of theirs')
  await database.run(
    `UPDATE users SET hash = '${other}', name = 'anna' WHERE name = 'Ann'`,
  )
  t.equal(await statusOf('anna'), 400)
  t.equal(
    await statusOf('anna', 'another one of theirs'),
    200,
    'what was changed there counts at once',
  )
  const after = await test.accounts.find('anna')
  t.match(after, { external: { id: '9007199254740993' } })
  t.equal(after?.sub, before?.sub, 'a new name, and the same user')

  const byTls = await worldOf(t, storeUrl, { ...settings, caFile: LDAP_CA })
  t.equal(await byTls.statusOf('anna', 'another one of theirs'), 503, 'it has no TLS')

  // Two servers make one shadow, and who is deleted there loses the sessions.
  await database.run(`INSERT INTO users VALUES (7, 'zoe', '${hash}', true, NULL)`)
  const second = await worldOf(t, storeUrl, settings)
  const logins = await Promise.all(
    [login, second.login, login, second.login].map(logIn => logIn('zoe')),
  )
  const subs = logins.map(each => subOf(each.json().access_token))
  t.same(subs, Array(4).fill((await test.accounts.find('zoe'))?.sub))
  await database.run("DELETE FROM users WHERE name = 'zoe'")
  const look = await test.refresh(logins[0]?.json().refresh_token)
  t.equal(look.statusCode, 200, 'the refresh that brings the look')
  await test.elsewhere?.settled()
  const ended = await test.refresh(look.json().refresh_token)
  t.equal(ended.statusCode, 400, 'deleted there: the session is over')
}

function subOf(token: string): unknown {
  return JSON.parse(Buffer.from(String(token.split('.')[1]), 'base64url').toString()).sub
}
