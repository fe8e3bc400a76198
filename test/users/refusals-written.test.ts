// A running server writes why logins were refused by itself, and says in its log when it can't.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { configOf, startInProcess } from '../support/in-process.ts'
import { postForm } from '../support/server.ts'
import { until } from '../support/until.ts'

t.test('within a second or two, and after a fault with the next', async t => {
  const file = join(t.testdir(), 'latchkey.db')
  const server = await startInProcess(t, { config: configOf(`sqlite:${file}`) })
  const beside = new DatabaseSync(file)
  t.teardown(() => beside.close())
  const refuse = (username: string) =>
    postForm(`${server.url}/token`, {
      grant_type: 'password',
      client_id: 'nobody',
      username,
      password: 'wrong',
    })
  const written = () =>
    Number(beside.prepare('SELECT count(*) AS n FROM login_refusals').get()?.['n'])
  const said = () =>
    server.lines.some(line => line.includes('why logins were refused could not be saved'))

  t.equal((await refuse('ann')).status, 401)
  await until(() => written() === 1)
  t.notOk(said())
  beside.exec('ALTER TABLE login_refusals RENAME TO elsewhere')
  t.equal((await refuse('bob')).status, 401, 'no login waits for it')
  await until(said)
  beside.exec('ALTER TABLE elsewhere RENAME TO login_refusals')
  await until(() => written() === 2)
  t.match(await server.core.refusals.ofName('bob'), [{ reason: 'client_unknown' }])
})
