// A table of users in a PostgreSQL: what a statement says of somebody, and what it leaves out.
import t from 'tap'
import { buildTestApp, UNTHROTTLED } from '../../support/app.ts'
import { startPglite } from '../../support/pglite.ts'

const WORDS = 'a table of many years'
const TEXT = { list: false, unique: false }
const EMAIL = { type: 'email', list: false, unique: true } as const
const KNOWN = { email: 'ann@x.test', given_name: 'Ann', plan: 'gold' }

t.test('what a lookup has no column for stays as the login said it', async t => {
  const postgres = await startPglite()
  t.teardown(() => postgres.stop())
  const test = await buildTestApp({
    directories: [
      {
        ...postgres.server,
        type: 'sql',
        name: 'shop',
        query:
          'SELECT id, name, hash AS password_hash, email, email_verified, given_name, plan ' +
          'FROM users WHERE name = $1',
        lookup: 'SELECT id, name, email, plan FROM users WHERE id = $1',
        migrate: 'none',
        sub: 'own',
        maxInFlight: 8,
      },
    ],
  })
  t.teardown(async () => {
    await test.elsewhere?.close()
    await test.close()
  })
  test.live.logins = UNTHROTTLED
  test.live.attributes = { email: EMAIL, given_name: TEXT, plan: TEXT }
  await postgres.run(
    'CREATE TABLE users (id int, name text, hash text, email text, email_verified bool, ' +
      'given_name text, plan text)',
  )
  const hash = await test.core.hasher.hash(WORDS)
  await postgres.run(
    `INSERT INTO users VALUES (1, 'ann', '${hash}', 'ann@x.test', true, 'Ann', 'gold')`,
  )
  const grant = { grant_type: 'password', client_id: 'mobile' }
  const login = await test.post('/token', { ...grant, username: 'ann', password: WORDS })
  t.equal(login.statusCode, 200)
  let token = login.json().refresh_token
  const known = async () => {
    test.clock.advance(test.live.recheck.recheck)
    token = (await test.refresh(token)).json().refresh_token
    await test.elsewhere?.settled()
    const account = await test.accounts.find('ann')
    return { attributes: account?.attributes, emailVerified: account?.emailVerified }
  }
  t.same(await known(), { attributes: KNOWN, emailVerified: true })
  await postgres.run("UPDATE users SET plan = NULL, given_name = 'Anne'")
  const { plan: _, ...others } = KNOWN
  t.same(await known(), { attributes: others, emailVerified: true }, 'NULL is said')
  await postgres.run("UPDATE users SET email = 'ann@y.test'")
  t.same(
    await known(),
    { attributes: { ...others, email: 'ann@y.test' }, emailVerified: false },
    'another address is another mailbox',
  )
  await postgres.run('UPDATE users SET email = NULL')
  t.same(await known(), { attributes: { given_name: 'Ann' }, emailVerified: false })
})
