// The contracts of accounts on Debian's PostgreSQL, by several connections at once, with sessions in SQLite
// and in Redis. The same files run on one of their own process with the tests.
import { join } from 'node:path'
import t from 'tap'
import { runChild } from '../support/children.ts'
import { startPostgres } from '../support/databases.ts'
import { SERVER_VARIABLE } from '../support/postgres-stores.ts'

const SUITES = [
  'account-pages',
  'account-walk',
  'attributes',
  'change',
  'login-texts',
  'rename',
  'tickets',
  'users',
]

t.test('on a real server', async t => {
  const { url } = await startPostgres(t)
  for (const suite of SUITES) {
    const file = join(import.meta.dirname, `${suite}.test.ts`)
    const env = { ...process.env, [SERVER_VARIABLE]: url, TAP: '1' }
    const { stdout } = await runChild(process.execPath, [file], { env }).catch(
      (error: unknown) => {
        const said: { stdout?: string } = Object(error)
        t.comment(said.stdout)
        throw error
      },
    )
    t.match(stdout, /^ok \d+ - .*PostgreSQL beside SQLite/m, suite)
    t.match(stdout, /^ok \d+ - .*PostgreSQL beside Redis/m, suite)
    t.notMatch(stdout, /^not ok/m, suite)
  }
})
