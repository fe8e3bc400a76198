// docs/how-to/single-page-app.md in a real browser: its module, in two tabs of one person.
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import type { Page } from 'playwright-core'
import { complaintsOf, startBrowser } from '../support/browser.ts'
import { freePort } from '../support/free-port.ts'
import {
  PASSWORD,
  postForm,
  startLatchkey,
  storeUrlFor,
  STORES,
  USER,
} from '../support/server.ts'
import { allBlocks, fileOf } from './support/blocks.ts'

const PAGE = 'docs/how-to/single-page-app.md'
const SQLITE = STORES[0]

// What a page may do with the module.
const APP = `<!doctype html><title>app</title><script type="module">
import * as app from './session.js'
globalThis.app = app
globalThis.readOrders = async ({ accessToken }) => {
  CALL
  return orders.json()
}
</script>`

const blocks = allBlocks().filter(({ page }) => page === PAGE)
const codeOf = (found: (typeof blocks)[number] | undefined) => {
  if (found === undefined) throw new Error(`${PAGE} has no such block`)
  return found.code
}
const SESSION = codeOf(blocks.find(block => fileOf(block)?.name === 'session.js'))
const INDEX = codeOf(blocks.find(({ language }) => language === 'html'))
const CALL = codeOf(blocks.find(({ code }) => code.startsWith('const headers')))

interface Served {
  readonly port: number
  readonly issuer: string
  readonly client: string
}

/** Serves the page, its module, and an API that says whether a token came. */
function servePage(t: Test, { port, issuer, client }: Served): void {
  const session = SESSION.replace('http://127.0.0.1:3000', issuer).replace(
    "'web'",
    `'${client}'`,
  )
  const call = CALL.replace('127.0.0.1:8000', `127.0.0.1:${port}`)
  const server = createServer(({ url, headers }, answer) => {
    const files: Record<string, [string, string]> = {
      '/': ['text/html', APP.replace('CALL', call)],
      '/index.html': ['text/html', INDEX.replace('127.0.0.1:8000', `127.0.0.1:${port}`)],
      '/session.js': ['text/javascript', session],
      '/orders': [
        'application/json',
        JSON.stringify({ token: headers.authorization?.slice(0, 10) }),
      ],
    }
    const [type, body] = files[String(url)] ?? ['text/plain', '']
    answer.setHeader('content-type', type)
    answer.end(body)
  })
  server.listen(port, '127.0.0.1')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
}

/** What the page's `accessToken()` gives; `times` of them at once. */
const tokens = (tab: Page, times = 1): Promise<string[]> =>
  tab.evaluate(
    count =>
      Promise.all(
        Array.from({ length: count }, () =>
          (globalThis as any).app.accessToken().catch((error: Error) => error.message),
        ),
      ),
    times,
  )

/** The refresh token that this browser keeps. */
const kept = (tab: Page): Promise<string | undefined> =>
  tab.evaluate(
    () =>
      new Promise(resolve => {
        const opening = (globalThis as any).indexedDB.open('session', 1)
        opening.onsuccess = () => {
          const tokens = opening.result.transaction('tokens').objectStore('tokens')
          const reading = tokens.get('refresh')
          reading.onsuccess = () => {
            opening.result.close()
            resolve(reading.result)
          }
        }
      }),
  )

/** A server, the page, and a browser that opens tabs of one person. */
async function startPage(t: Test, client: string) {
  if (SQLITE === undefined) throw new Error('no store')
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const latchkey = await startLatchkey({
    storeUrl: await storeUrlFor(t, SQLITE),
    cors: [origin],
  })
  t.teardown(() => latchkey.stop())
  servePage(t, { port, issuer: latchkey.url, client })
  const browser = await startBrowser()
  t.teardown(() => browser.close())
  const person = await browser.newContext()
  const open = async () => {
    const tab = await person.newPage()
    await tab.goto(origin)
    await tab.waitForFunction(() => (globalThis as any).app !== undefined)
    return tab
  }
  return { latchkey, tabs: [await open(), await open()] as const }
}

const logIn = (tab: Page): Promise<void> =>
  tab.evaluate(
    ([name, password]) => (globalThis as any).app.logIn(name, password),
    [USER, PASSWORD],
  )

const sessionOf = (token = ''): unknown =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid

const refreshWith = ({ url }: { readonly url: string }, token: unknown, client: string) =>
  postForm(`${url}/token`, {
    grant_type: 'refresh_token',
    client_id: client,
    refresh_token: String(token),
  })

t.test('two tabs share a session, and neither logs the other out', async t => {
  // Tokens of this client live a second: each call needs a refresh.
  const { latchkey, tabs } = await startPage(t, 'brief')
  const [one, two] = tabs
  const complaints = complaintsOf(one)
  await logIn(one)

  t.match(await tokens(two), [/^ey/], 'a tab that did not log in has a token')
  const both = (await Promise.all([tokens(one, 5), tokens(two, 5)])).flat()
  t.equal(both.filter(token => /^ey[\w-]+\.ey[\w-]+\./.test(token)).length, 10)
  t.match(
    await one.evaluate(() => (globalThis as any).readOrders((globalThis as any).app)),
    { token: 'Bearer eyJ' },
  )
  t.strictSame(complaints, [])

  await one.route(`${latchkey.url}/**`, route => route.abort())
  t.match(await tokens(one), [/fetch/i], 'without a network there is no token')
  t.match(await kept(one), /^rt_/, 'but a session')
  await one.unroute(`${latchkey.url}/**`)
  t.match(await tokens(one), [/^ey/])

  const last = await kept(one)
  await two.evaluate(() => (globalThis as any).app.logOut())
  t.strictSame(await tokens(one), ['log in'], 'the other tab is logged out, too')
  const ended = { status: 400, body: { error: 'invalid_grant' } }
  t.match(await refreshWith(latchkey, last, 'brief'), ended)
})

t.test("the page's own form logs in, and shows the orders or what is wrong", async t => {
  const { tabs } = await startPage(t, 'mobile')
  const [tab] = tabs
  await tab.goto(new URL('/index.html', tab.url()).href)
  const submit = async (password: string) => {
    await tab.fill('[name=username]', USER)
    await tab.fill('[name=password]', password)
    await tab.click('button')
  }
  await submit('not the right one, surely')
  await tab.locator('pre', { hasText: 'invalid_grant' }).waitFor()
  await submit(PASSWORD)
  await tab.locator('pre', { hasText: 'Bearer eyJ' }).waitFor()
})

t.test('a tab never goes on as whoever was logged in before', async t => {
  const { latchkey, tabs } = await startPage(t, 'mobile')
  const [one, two] = tabs
  await one.evaluate(() => {
    const { app } = globalThis as any
    ;(globalThis as any).heard = 0
    app.onOtherTab(() => {
      ;(globalThis as any).heard += 1
    })
  })
  const heard = (times: number) =>
    one.waitForFunction(count => (globalThis as any).heard === count, times)
  await logIn(one)
  const [alices] = await tokens(one)
  const before = await kept(one)
  await logIn(two)
  await heard(1)
  const [next] = await tokens(one)
  t.match(next, /^ey/)
  t.not(sessionOf(next), sessionOf(alices), 'the session of who logged in last')
  const ended = { status: 400, body: { error: 'invalid_grant' } }
  t.match(await refreshWith(latchkey, before, 'mobile'), ended, 'the other has ended')

  // A session that was ended elsewhere: the tab that finds it so tells the other.
  await postForm(`${latchkey.url}/revoke`, {
    client_id: 'mobile',
    token: String(await kept(one)),
  })
  await two.reload()
  await two.waitForFunction(() => (globalThis as any).app !== undefined)
  t.strictSame(await tokens(two), ['invalid_grant'])
  await heard(2)
  t.strictSame(await tokens(one), ['log in'])
})
