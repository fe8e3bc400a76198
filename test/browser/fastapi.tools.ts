// FastAPI's own /docs of examples/fastapi, in a real browser: it logs in at Latchkey, another origin, and
// calls the protected route.
import t, { type Test } from 'tap'
import { authorize, complaintsOf, startBrowser, tryOut } from '../support/browser.ts'
import { freePort } from '../support/free-port.ts'
import { proves } from '../support/interop.ts'
import { python } from '../support/python.ts'
import { linkTo, startExample, startIssuer } from '../support/resource-server.ts'
import { PASSWORD, USER } from '../support/server.ts'

const interpreter = await python()
const browser = await startBrowser()
t.teardown(() => browser.close())

async function open(t: Test, { allowed }: { allowed: boolean }) {
  const port = await freePort()
  const { latchkey } = await startIssuer(t, {
    cors: [allowed ? `http://127.0.0.1:${port}` : 'https://app.example.com'],
  })
  const api = await startExample(
    {
      name: 'fastapi',
      command: interpreter,
      args: port => ['-m', 'uvicorn', 'main:app', '--port', String(port)],
      env: { DOCS_CLIENT_ID: 'mobile' },
    },
    latchkey.url,
    port,
  )
  t.teardown(() => api.stop())
  const page = await browser.newPage()
  const complaints = complaintsOf(page)
  await page.goto(`${api.url}/docs`)
  return { page, complaints }
}

t.test('Authorize with name and password, then call the protected route', async t => {
  proves(t, linkTo({ name: 'fastapi' }), 'login')
  const { page, complaints } = await open(t, { allowed: true })
  t.equal(await authorize(page, { username: USER, password: PASSWORD }), 'Authorized')
  const { status, body } = await tryOut(page, 'read_orders_orders_get')
  t.equal(status, 200)
  t.match(body, '"item": "a lamp for ')
  t.same(complaints, [])
})

t.test('without a login the page shows the refusal', async t => {
  const { page } = await open(t, { allowed: true })
  t.equal((await tryOut(page, 'read_orders_orders_get')).status, 401)
})

t.test('a page whose origin is not allowed gets no token', async t => {
  const { page, complaints } = await open(t, { allowed: false })
  t.match(
    await authorize(page, { username: USER, password: PASSWORD }),
    /Failed to fetch|NetworkError/,
  )
  t.match(complaints.join('\n'), /CORS policy/)
})
