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
if (SQLITE === undefined) throw new Error('no store')

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
const CALL = codeOf(blocks.find(({ code }) => code.startsWith('const headers')))

/** Serves the page, its module, and an API that says whether a token came. */
function servePage(t: Test, { port, issuer }: { port: number; issuer: string }): void {
  // Tokens of the client `brief` live a second: each call needs a refresh.
  const session = SESSION.replace('http://127.0.0.1:3000', issuer).replace(
    "'web'",
    "'brief'",
  )
  const call = CALL.replace('127.0.0.1:8000', `127.0.0.1:${port}`)
  const server = createServer(({ url, headers }, answer) => {
    const files: Record<string, [string, string]> = {
      '/': ['text/html', APP.replace('CALL', call)],
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

t.test('two tabs share a session, and neither logs the other out', async t => {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const latchkey = await startLatchkey({
    storeUrl: await storeUrlFor(t, SQLITE),
    cors: [origin],
  })
  t.teardown(() => latchkey.stop())
  servePage(t, { port, issuer: latchkey.url })
  const browser = await startBrowser()
  t.teardown(() => browser.close())
  const person = await browser.newContext()
  const open = async () => {
    const tab = await person.newPage()
    await tab.goto(origin)
    await tab.waitForFunction(() => (globalThis as any).app !== undefined)
    return tab
  }
  const [one, two] = [await open(), await open()]
  const complaints = complaintsOf(one)
  await one.evaluate(
    ([name, password]) => (globalThis as any).app.logIn(name, password),
    [USER, PASSWORD],
  )

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
  t.match(
    await postForm(`${latchkey.url}/token`, {
      grant_type: 'refresh_token',
      client_id: 'brief',
      refresh_token: String(last),
    }),
    { status: 400, body: { error: 'invalid_grant' } },
  )
})
