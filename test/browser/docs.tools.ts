// Our own /docs in a real browser: log in on the page, then call /userinfo from it.
import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { authorize, complaintsOf, startBrowser, tryOut } from '../support/browser.ts'
import { freePort, freePortPair } from '../support/free-port.ts'
import { startIssuer } from '../support/resource-server.ts'
import { PASSWORD, runMain, USER } from '../support/server.ts'

const browser = await startBrowser()
t.teardown(() => browser.close())

const login = { username: USER, password: PASSWORD, clientId: 'mobile' }

for (const credentials of ['Authorization header', 'Request body'] as const) {
  t.test(
    `/docs logs in with the client in the ${credentials} and calls /userinfo`,
    async t => {
      const { latchkey } = await startIssuer(t, { http: { docs: true } })
      await loginAndCall(t, `${latchkey.url}/docs`, credentials)
    },
  )
}

for (const keepsPath of [false, true]) {
  t.test(
    `/docs works below the issuer's path, which a proxy ${keepsPath ? 'keeps' : 'cuts off'}`,
    async t => {
      const port = await freePort()
      const issuer = `http://127.0.0.1:${port}/auth`
      const { latchkey } = await startIssuer(t, {
        http: { docs: true },
        config: { issuer },
      })
      await startProxy(t, {
        port,
        path: '/auth',
        keepsPath,
        target: latchkey.port,
      })
      await loginAndCall(t, `${issuer}/docs`)
    },
  )
}

t.test('/docs shows a wrong password as the error that it is', async t => {
  const { latchkey } = await startIssuer(t, { http: { docs: true } })
  const page = await browser.newPage()
  await page.goto(`${latchkey.url}/docs`)
  t.match(
    await authorize(page, { ...login, password: 'wrong' }),
    /invalid_grant|Bad Request/i,
  )
  t.equal((await tryOut(page, 'userinfo')).status, 401)
})

t.test('the page as it is left logs in where the client is clear', async t => {
  const port = await freePortPair()
  const directory = t.testdir()
  const run = runMain({ LATCHKEY_DEV_PORT: String(port) }, directory)
  t.teardown(() => run.stop())
  await run.logged(/Try the API: /)
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${port}/docs`)
  const password = readFileSync(join(directory, '.latchkey/demo-password'), 'utf8')
  t.equal(await authorize(page, { username: 'demo', password }), 'Authorized')
  t.equal((await tryOut(page, 'userinfo')).status, 200)
  t.match((await tryOut(page, 'jwks')).body, /"kid"/, 'every key')
  await page.click('.auth-wrapper .authorize')
  t.equal(await page.locator('.auth-container').count(), 1, 'one form to log in')
})

for (const credentials of ['Authorization header', 'Request body'] as const) {
  t.test(`an empty client_id is missing: ${credentials}`, async t => {
    const { latchkey } = await startIssuer(t, { http: { docs: true } })
    const page = await browser.newPage()
    await page.goto(`${latchkey.url}/docs`)
    t.match(
      await authorize(page, { ...login, clientId: '', credentials }),
      /client_id is missing/,
    )
  })
}

t.test('the page begins with /token, and sends only what is filled in', async t => {
  const { latchkey } = await startIssuer(t, { http: { docs: true } })
  const page = await browser.newPage()
  const sent: (string | null)[] = []
  page.on('request', request => {
    if (request.method() === 'POST') sent.push(request.postData())
  })
  await page.goto(`${latchkey.url}/docs`)
  await page.locator('.opblock').first().waitFor()
  t.match(await page.locator('.opblock').first().getAttribute('id'), /-token$/)
  const filled = {
    grant_type: 'password',
    username: USER,
    password: PASSWORD,
    client_id: 'mobile',
  }
  t.equal((await tryOut(page, '-token', filled)).status, 200)
  t.same(
    sent.map(body => Object.fromEntries(new URLSearchParams(body ?? ''))),
    [filled],
  )
  t.equal((await tryOut(page, '-revoke')).status, 401, 'the error, and no prompt')
})

t.test('the page lists the scopes that clients may ask for', async t => {
  const { latchkey } = await startIssuer(t, { http: { docs: true } })
  const page = await browser.newPage()
  await page.goto(`${latchkey.url}/docs`)
  await page.click('.auth-wrapper .authorize')
  const scopes = page.locator('.auth-container .scopes')
  await scopes.waitFor()
  const text = await scopes.innerText()
  for (const scope of ['profile', 'orders:read', 'orders:write']) t.match(text, scope)
})

async function loginAndCall(
  t: Test,
  url: string,
  credentials?: 'Authorization header' | 'Request body',
): Promise<void> {
  const page = await browser.newPage()
  const complaints = complaintsOf(page)
  await page.goto(url)
  t.equal(
    await authorize(page, {
      ...login,
      ...(credentials !== undefined && { credentials }),
    }),
    'Authorized',
  )
  const { status, body } = await tryOut(page, 'userinfo')
  t.equal(status, 200)
  t.match(body, `"preferred_username": "${USER}"`)
  t.same(complaints, [])
}

/** Passes on what is below a path; everything else is not found. */
async function startProxy(
  t: Test,
  {
    port,
    path,
    keepsPath,
    target,
  }: {
    port: number
    path: string
    keepsPath: boolean
    target: number
  },
): Promise<void> {
  const proxy = createServer((incoming, outgoing) => {
    const { url = '', method, headers } = incoming
    if (!url.startsWith(`${path}/`)) {
      outgoing.writeHead(404).end()
      return
    }
    const passed = request(
      {
        host: '127.0.0.1',
        port: target,
        path: keepsPath ? url : url.slice(path.length),
        method,
        headers,
      },
      answer => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    incoming.pipe(passed)
  }).listen(port, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
}
