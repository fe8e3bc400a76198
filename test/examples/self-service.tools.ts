// examples/self-service in a real browser: people sign up by a verified address, log in, change and recover
// their password, log their other device out, export and delete their account. FastAPI with mails that a real
// SMTP server took, Flask with a webhook whose signature the library of PyPI verifies.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { Webhook } from 'standardwebhooks'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { complaintsOf, startBrowser } from '../support/browser.ts'
import { runChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { python, ROOT } from '../support/python.ts'
import { startExample, type RunningExample } from '../support/resource-server.ts'
import { startLatchkey, STORES, type LatchkeyProcess } from '../support/server.ts'
import { linkOf, startMailServer } from '../support/smtp.ts'
import { until } from '../support/until.ts'

const FOLDER = join(ROOT, 'examples/self-service')
const FIRST = 'correct horse battery'
const SECOND = 'another horse battery'
const THIRD = 'a third horse battery'
const WEBHOOK_SECRET = `whsec_${randomBytes(32).toString('base64')}`
const interpreter = await python()
const browser = await startBrowser()
t.teardown(() => browser.close())

/** The app and Latchkey, and the links that people were sent. */
interface World {
  readonly app: RunningExample
  readonly latchkey: LatchkeyProcess
  readonly links: () => readonly string[]
}

for (const name of ['latchkey.yaml', 'webhook.yaml']) {
  t.test(`${name} is a good configuration`, async t => {
    const { stdout } = await runChild(
      process.execPath,
      [join(ROOT, 'bin/latchkey.js'), 'config', 'check'],
      {
        cwd: t.testdir(),
        env: {
          LATCHKEY_SECRET: 's'.repeat(43),
          WEBHOOK_SECRET,
          LATCHKEY_CONFIG: join(FOLDER, name),
        },
      },
    )
    t.match(String(stdout), /: right, 1 client/)
  })
}

for (const store of STORES) {
  t.test(`FastAPI and mails, on ${store.name}`, async t => {
    await lifeOf(t, browser, await fastApiOn(t, store))
  })
  t.test(`Flask and a webhook, on ${store.name}`, async t => {
    const world = await flaskOn(t, store)
    await lifeOf(t, browser, world)
    await forgeriesOf(t, world)
  })
}

type Store = (typeof STORES)[number]

/** Latchkey as the example's file says, with the ports of the test. */
async function latchkeyOn(
  t: Test,
  { make }: Store,
  file: string,
  { port, notify }: { port: number; notify: object },
): Promise<LatchkeyProcess> {
  const store = await make()
  t.teardown(() => store.remove())
  const ports = { http: await freePort(), management: await freePort() }
  const given = parse(readFileSync(join(FOLDER, file), 'utf8'))
  const { attributes, login, selfService, clients } = given
  const audience = [`http://127.0.0.1:${ports.http}`]
  const latchkey = await startLatchkey({
    storeUrl: store.url,
    addUser: false,
    ports,
    cors: [`http://127.0.0.1:${port}`],
    config: {
      attributes,
      login,
      selfService,
      clients: [{ ...clients[0], audience }],
      notify,
    },
  })
  t.teardown(() => latchkey.stop())
  return latchkey
}

async function fastApiOn(t: Test, store: Store): Promise<World> {
  const [port, mails] = [await freePort(), await startMailServer(t)]
  const page = `http://127.0.0.1:${port}`
  const notify = {
    mail: {
      ...mails.settings,
      from: 'Shop <no-reply@shop.example>',
      links: { verification: `${page}/verify`, recovery: `${page}/reset` },
    },
  }
  const latchkey = await latchkeyOn(t, store, 'latchkey.yaml', { port, notify })
  const args = (on: number) => ['-m', 'uvicorn', 'main:app', '--port', String(on)]
  const example = { name: 'self-service', command: interpreter, args }
  const app = await startExample(example, latchkey.url, port)
  t.teardown(() => app.stop())
  // Notices, as of another password, carry none.
  const links = () =>
    mails.mails
      .map(linkOf)
      .filter(({ ticket }) => ticket !== '')
      .map(({ page, ticket }) => `${page}#${ticket}`)
  return { app, latchkey, links }
}

async function flaskOn(t: Test, store: Store): Promise<World> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/hooks/latchkey`
  const notify = { webhook: { url, secrets: [WEBHOOK_SECRET], allowPrivate: true } }
  const latchkey = await latchkeyOn(t, store, 'webhook.yaml', { port, notify })
  const app = await startExample(
    {
      name: 'self-service',
      command: interpreter,
      args: on => ['-m', 'flask', '--app', 'flask_app', 'run', '--port', String(on)],
      env: { WEBHOOK_SECRET },
    },
    latchkey.url,
    port,
  )
  t.teardown(() => app.stop())
  return { app, latchkey, links: () => linksIn(app) }
}

function linksIn({ lines }: RunningExample): string[] {
  return [...lines.join('').matchAll(/"link": "([^"]+)"/g)].map(([, link]) =>
    String(link),
  )
}

/** A page of its own, as on another device. */
async function deviceOf(browser: Browser, url: string) {
  const context = await browser.newContext()
  const page = await context.newPage()
  const complaints = complaintsOf(page)
  await page.goto(url)
  return { page, complaints, close: () => context.close() }
}

/** Fills in a form, sends it, and gives what the page says. */
async function submit(
  page: Page,
  id: string,
  values: Record<string, string> = {},
): Promise<string> {
  const form = page.locator(`#${id}`)
  for (const [name, value] of Object.entries(values)) {
    await form.locator(`[name=${name}]`).fill(value)
  }
  await form.locator('button').click()
  return said(page)
}

async function said(page: Page): Promise<string> {
  const notice = page.locator('#notice:not(:empty)')
  await notice.waitFor()
  return notice.innerText()
}

async function press(page: Page, id: string): Promise<string> {
  await page.locator(`#${id}`).click()
  return said(page)
}

async function lifeOf(t: Test, browser: Browser, world: World): Promise<void> {
  const { app, latchkey, links } = world
  const nextLink = async (count: number) => {
    await until(() => links().length >= count)
    t.equal(links().length, count, 'one message')
    return String(links()[count - 1])
  }
  const opened = await fetch(app.url)
  const policy = String(opened.headers.get('content-security-policy'))
  for (const each of ['form-action', 'base-uri', 'frame-ancestors']) {
    t.match(policy, `; ${each} 'none'`)
  }
  const forms = (await opened.text()).match(/<form[^>]*>/g) ?? []
  t.ok(forms.length > 0 && forms.every(form => form.includes(' method="post"')))
  const laptop = await deviceOf(browser, app.url)
  const { page } = laptop
  const alice = { name: 'alice', email: 'alice@example.com', password: FIRST }
  t.match(
    await submit(page, 'sign-up', { ...alice, password: 'alice' }),
    /too short: at least 15/,
  )
  t.match(await submit(page, 'sign-up', alice), 'Look into your mail')
  const credentials = { username: 'alice@example.com', password: FIRST }
  t.match(await submit(page, 'log-in', credentials), /Not done/, 'not verified yet')

  const verification = await nextLink(1)
  t.match(verification, new RegExp(`^${app.url}/verify#tk_[\\w-]{66}$`))
  // A scanner of mails opens it first.
  for (const method of ['HEAD', 'GET']) {
    t.ok((await fetch(verification, { method })).status < 500, method)
  }
  const mailed = await deviceOf(browser, verification)
  t.equal(new URL(mailed.page.url()).hash, '', 'the ticket leaves the address bar')
  t.match(await submit(mailed.page, 'verify'), 'The address is verified')
  t.same(mailed.complaints, [])
  await mailed.close()

  await submit(page, 'log-in', { ...credentials, device: 'Laptop' })
  t.equal(await page.locator('#who').innerText(), 'alice')
  const phone = await deviceOf(browser, app.url)
  await submit(phone.page, 'log-in', { ...credentials, device: 'Phone' })
  const devices = phone.page.locator('#sessions li')
  t.match(await devices.allInnerTexts(), [/^Phone, .*this one/, /^Laptop, /])
  t.match(await press(phone.page, 'end-others'), 'The other devices are logged out')
  t.match(await devices.allInnerTexts(), [/^Phone/])
  t.equal(await devices.count(), 1)
  t.match(await press(page, 'export'), /Not done/, 'the laptop is logged out')

  const change = { current: FIRST, password: SECOND }
  t.match(
    await submit(phone.page, 'change-password', { ...change, current: 'x' }),
    /Not done/,
  )
  t.match(await submit(phone.page, 'change-password', change), 'The password is changed')
  t.match(
    await press(phone.page, 'export'),
    'The file is saved',
    'the own session goes on',
  )

  await page.goto(app.url)
  t.match(await submit(page, 'recover', { name: 'nobody' }), 'Look into your mail')
  t.match(await submit(page, 'recover', { name: 'alice' }), 'Look into your mail')
  const recovery = await nextLink(2)
  await page.goto(recovery)
  t.match(await submit(page, 'reset', { password: THIRD }), 'The new password is set')
  t.match(await press(phone.page, 'export'), /Not done/, 'every session has ended')
  t.match(
    await submit(page, 'log-in', { username: 'alice', password: SECOND }),
    /Not done/,
  )
  await submit(page, 'log-in', { username: 'alice', password: THIRD })
  await page.locator('#account').waitFor()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator('#export').click(),
  ])
  const kept = JSON.parse(await readFile(await download.path(), 'utf8'))
  t.match(kept, { name: 'alice', attributes: { email: 'alice@example.com' } })

  t.match(await submit(page, 'delete', { current: THIRD }), 'The account is deleted')
  t.match(
    await submit(page, 'log-in', { username: 'alice', password: THIRD }),
    /Not done/,
  )
  // A refused answer is a line of the browser's console, and nothing else is.
  const refusals = /status of 4\d\d/
  const complaints = [...laptop.complaints, ...phone.complaints]
  t.same(
    complaints.filter(line => !refusals.test(line)),
    [],
  )
  const log = latchkey.lines.join('\n')
  for (const secret of [
    FIRST,
    SECOND,
    THIRD,
    ...links().map(link => link.split('#')[1]),
  ]) {
    t.notOk(log.includes(String(secret)), 'no secret in the log')
  }
  await laptop.close()
  await phone.close()
}

/** What didn't come from Latchkey, or comes again, sends nothing. */
async function forgeriesOf(t: Test, { app }: World): Promise<void> {
  const body = JSON.stringify({
    type: 'ticket.recovery',
    data: { email: 'eve@example.com', ticket: 'tk_forged' },
  })
  const post = async (headers: Record<string, string>, text = body) => {
    const url = `${app.url}/hooks/latchkey`
    return (await fetch(url, { method: 'POST', headers, body: text })).status
  }
  const signed = (id: string, at: Date, secret = WEBHOOK_SECRET, text = body) => ({
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, text),
  })
  const now = new Date()
  const before = linksIn(app).length
  const other = `whsec_${randomBytes(32).toString('base64')}`
  t.equal(await post({}), 401, 'without a signature')
  t.equal(await post(signed('msg_1', now, other)), 401, 'by another secret')
  t.equal(await post(signed('msg_1', now), `${body} `), 401, 'of another body')
  t.equal(await post({ ...signed('msg_1', now), 'webhook-id': 'msg_2' }), 401)
  const old = new Date(now.getTime() - 6 * 60_000)
  t.equal(await post(signed('msg_1', old)), 401, 'a replay after six minutes')
  t.equal(linksIn(app).length, before, 'nothing is sent')
  const unsent = JSON.stringify({ type: 'ticket.recovery', data: { ticket: 'tk_x' } })
  for (const what of ['what can not be sent', 'is not taken for sent']) {
    const headers = signed('msg_3', now, WEBHOOK_SECRET, unsent)
    t.equal(await post(headers, unsent), 500, what)
  }
  t.equal(await post(signed('msg_1', now)), 204)
  t.equal(await post(signed('msg_1', now)), 204, 'again')
  await until(() => linksIn(app).length > before)
  t.equal(linksIn(app).length, before + 1, 'what comes twice is sent once')
}
