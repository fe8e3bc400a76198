// Clients of servers that teams have written by hand, unmodified but for the base URL: the form of FastAPI's
// tutorial and its page in a browser, and JSON for Flask-JWT-Extended.
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { blockOf } from '../docs/support/blocks.ts'
import { authorize, complaintsOf, startBrowser, tryOut } from '../support/browser.ts'
import { freePort } from '../support/free-port.ts'
import { python, runPython } from '../support/python.ts'
import { startExample } from '../support/resource-server.ts'
import { PASSWORD, postForm, startLatchkey, STORES, USER } from '../support/server.ts'

const interpreter = await python()
const SCRIPTS = '../test/compat/python'
const COMPAT = {
  defaultClient: 'mobile',
  grantType: 'password',
  json: true,
  paths: { '/login': '/token' },
  sunset: '2030-03-31',
}

async function moved(t: Test, store: (typeof STORES)[number], http = {}) {
  const { url: storeUrl, remove } = await store.make()
  t.teardown(() => remove())
  const latchkey = await startLatchkey({ storeUrl, config: { compat: COMPAT }, http })
  t.teardown(() => latchkey.stop())
  return latchkey
}

const flask = (env: Record<string, string>) => ({
  name: SCRIPTS,
  command: interpreter,
  args: (port: number) => [
    '-m',
    'flask',
    '--app',
    'flask_app',
    'run',
    '--port',
    String(port),
  ],
  env,
})
const fastapi = (env: Record<string, string>) => ({
  name: SCRIPTS,
  command: interpreter,
  args: (port: number) => ['-m', 'uvicorn', 'tutorial_app:app', '--port', String(port)],
  env,
})
/** How the documentation has the app read Latchkey's tokens. */
const JWT_SETTINGS = blockOf('docs/compat.md', 'app.config["JWT_')
const PERSON = { USERNAME: USER, PASSWORD }
const PERSON_FORM = { username: USER, password: PASSWORD }

for (const store of STORES) {
  t.test(`on ${store.name}`, async t => {
    const latchkey = await moved(t, store)

    t.test("the form of FastAPI's tutorial", async t => {
      const api = await startExample(
        fastapi({ TOKEN_URL: `${latchkey.url}/token` }),
        latchkey.url,
      )
      t.teardown(() => api.stop())
      const env = { ...PERSON, BASE_URL: latchkey.url, API_URL: api.url }
      t.same(await runPython(interpreter, 'test/compat/python/tutorial_client.py', env), {
        type: 'bearer',
        me: 200,
        wrong: 400,
        sunset: 'Sun, 31 Mar 2030 00:00:00 GMT',
      })
    })

    t.test('JSON for Flask-JWT-Extended: before the move, and after it', async t => {
      const run = async (base: string, api: string) =>
        runPython(interpreter, 'test/compat/python/flask_client.py', {
          ...PERSON,
          BASE_URL: base,
          API_URL: api,
        })
      const { body } = await postForm(`${latchkey.url}/token`, PERSON_FORM)
      const before = await startExample(
        flask({ ...PERSON, OWN_LOGIN: '1' }),
        latchkey.url,
      )
      t.teardown(() => before.stop())
      const good = { login: 200, protected: 200 }
      t.same(await run(before.url, before.url), { ...good, logged_in_as: USER })
      const after = await startExample(flask({ ...PERSON, JWT_SETTINGS }), latchkey.url)
      t.teardown(() => after.stop())
      t.same(await run(latchkey.url, after.url), {
        ...good,
        logged_in_as: decodeJwt(body.access_token).sub,
      })
    })

    t.test('each use was counted, and the log names it', async t => {
      const metrics = await (await fetch(`${latchkey.managementUrl}/metrics`)).text()
      for (const name of ['default_client', 'grant_type', 'json', 'path']) {
        t.match(
          metrics,
          new RegExp(`latchkey_compat_requests_total\\{switch="${name}"\\} [1-9]`),
        )
        await latchkey.logged(new RegExp(`"switch":"${name}"`))
      }
    })
  })
}

for (const store of STORES.slice(0, 1)) {
  t.test("the tutorial's page logs in without a client", async t => {
    const browser = await startBrowser()
    t.teardown(() => browser.close())
    const port = await freePort()
    const latchkey = await moved(t, store, { cors: [`http://127.0.0.1:${port}`] })
    const api = await startExample(
      fastapi({ TOKEN_URL: `${latchkey.url}/token` }),
      latchkey.url,
      port,
    )
    t.teardown(() => api.stop())
    const page = await browser.newPage()
    const complaints = complaintsOf(page)
    await page.goto(`${api.url}/docs`)
    t.equal(await authorize(page, { username: USER, password: PASSWORD }), 'Authorized')
    const { status, body } = await tryOut(page, 'read_users_me_users_me_get')
    t.equal(status, 200)
    t.match(body, /"sub": "\S+"/)
    t.same(complaints, [])
  })
}
