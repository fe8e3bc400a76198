// Our own /docs in a real browser: log in on the page, then call /userinfo from it.
import { createServer, request } from 'node:http'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { authorize, complaintsOf, startBrowser, tryOut } from '../support/browser.ts'
import { freePort } from '../support/free-port.ts'
import { startIssuer } from '../support/resource-server.ts'
import { PASSWORD, USER } from '../support/server.ts'

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
