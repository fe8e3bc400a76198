// A password that moves in and could not be set here, from end to end: the real process with its own list of
// common passwords, an app that is asked and then switched off, the command line, and self-service.
import { Readable, Writable } from 'node:stream'
import t from 'tap'
import { run } from '../../src/cli/main.ts'
import {
  CHEAP_HASHING,
  CLIENTS,
  ORDERS,
  postForm,
  startLatchkey,
  STORES,
  storeUrlFor,
} from '../support/server.ts'
import { appDirectory, startUserApp } from '../support/user-app.ts'

/** Long enough, and on the list that is built in. */
const COMMON = 'iloveyou'
const STRONG = 'a horse without a battery'
const SELF = {
  id: 'self',
  grants: ['password', 'refresh_token'],
  scopes: ['account'],
  audience: [ORDERS],
}

for (const store of STORES) {
  t.test(`on ${store.name}`, async t => {
    const app = await startUserApp([
      { id: 1, name: 'ann', password: COMMON },
      { id: 2, name: 'bob', password: STRONG },
    ])
    t.teardown(() => app.stop())
    const server = await startLatchkey({
      storeUrl: await storeUrlFor(t, store),
      addUser: false,
      config: {
        passwords: { ...CHEAP_HASHING, minLength: 8 },
        selfService: { account: true },
        clients: [...CLIENTS, SELF],
        directories: [{ ...appDirectory(app, { migrate: 'copy' }), timeout: '20s' }],
      },
    })
    t.teardown(() => server.stop())
    const login = (username: string, password: string) =>
      postForm(`${server.url}/token`, {
        grant_type: 'password',
        client_id: 'self',
        username,
        password,
      })
    const answers = [await login('ann', COMMON), await login('bob', STRONG)]
    t.match(answers, [
      { status: 200, body: { password_change_required: true } },
      { status: 200, body: { password_change_required: undefined } },
    ])
    await server.logged(/"user\.changed".*"change":"password_change_required"/)

    const command = ['users', 'adopt', 'ann']
    const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() })
    const code = await run(command, {
      stdin: Readable.from([]),
      stdout: nowhere(),
      stderr: nowhere(),
      env: { LATCHKEY_CONFIG: server.configFile },
      isTTY: false,
    })
    t.equal(code, 0)
    await app.stop()
    const after = await login('ann', COMMON)
    t.match(after, { status: 200, body: { password_change_required: true } })

    const headers = {
      authorization: `Bearer ${after.body.access_token}`,
      'content-type': 'application/json',
    }
    const own = async () => (await fetch(`${server.url}/account`, { headers })).json()
    t.match(await own(), { name: 'ann', password_change_required: true })
    const set = await fetch(`${server.url}/account/password`, {
      method: 'PUT',
      headers,
      body: JSON.stringify({ password: STRONG, current_password: COMMON }),
    })
    t.equal(set.status, 204)
    t.notMatch(JSON.stringify(await own()), 'password_change_required')
    const last = await login('ann', STRONG)
    t.equal(last.status, 200)
    t.notHas(last.body, { password_change_required: true })
  })
}
