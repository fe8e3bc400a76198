// examples/notes, started by the one command of its README, in a real browser: two people, two devices, two
// tabs, a role that is given and taken, a worker with a token of its own, log out here and everywhere.
import {
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { complaintsOf, startBrowser } from '../support/browser.ts'
import { runChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { python, ROOT, runPython } from '../support/python.ts'
import { startExample, type RunningExample } from '../support/resource-server.ts'
import { STORES } from '../support/server.ts'
import { until } from '../support/until.ts'

const PASSWORD = 'correct horse battery'
const OTHERS = 'another horse battery'
const STATUS_TTL = 2
const browser = await startBrowser()
t.teardown(() => browser.close())

/** The folder in a checkout that has nothing else of its own. */
function checkoutOf(t: Test): string {
  const checkout = t.testdir()
  for (const each of ['bin', 'src', 'node_modules', 'packages', 'package.json']) {
    symlinkSync(join(ROOT, each), join(checkout, each))
  }
  const folder = join(checkout, 'examples/notes')
  mkdirSync(join(checkout, 'examples'))
  cpSync(join(ROOT, 'examples/notes'), folder, {
    recursive: true,
    filter: source => !/\/(\.venv|data|__pycache__)$/.test(source),
  })
  return folder
}

/** All of it, and its command line. */
interface World {
  readonly app: RunningExample
  readonly issuer: string
  readonly managementUrl: string
  readonly folder: string
  /** Starts it again, on the same data. */
  start(): Promise<RunningExample>
  /** Runs `start.py latchkey …`. */
  latchkey(...args: readonly string[]): Promise<string>
}

const text = readFileSync(join(ROOT, 'examples/notes/latchkey.yaml'), 'utf8')
t.match(text, /\nsecrets: .*\n/)

/** Starts it on ports of its own, with nothing of an earlier start but what was installed. */
async function worldOn(t: Test, folder: string, storeUrl: string): Promise<World> {
  const [port, http, management] = [await freePort(), await freePort(), await freePort()]
  const issuer = `http://127.0.0.1:${http}`
  const config = text
    .replaceAll('3000', String(http))
    .replaceAll('3001', String(management))
    .replaceAll('8000', String(port))
    .replace('sqlite:data/latchkey.db', storeUrl)
  writeFileSync(
    join(folder, 'latchkey.yaml'),
    `${config}\nstatus: { ttl: ${STATUS_TTL}s }\n`,
  )
  rmSync(join(folder, 'data'), { recursive: true, force: true })
  const env = { AUDIENCE: `http://127.0.0.1:${port}` }
  const start = async () => {
    const args = () => ['start.py']
    const example = { name: 'notes', folder, command: 'python3', args, env }
    const app = await startExample(example, issuer, port)
    t.teardown(() => app.stop())
    await until(() => app.lines.join('').includes(`Open ${app.url}`))
    return app
  }
  const { PATH, HOME } = process.env
  return {
    app: await start(),
    issuer,
    managementUrl: `http://127.0.0.1:${management}`,
    folder,
    start,
    async latchkey(...args) {
      const command = ['start.py', 'latchkey', ...args]
      const options = {
        cwd: folder,
        env: { PATH, HOME, LATCHKEY_ISSUER: issuer, ...env },
      }
      return String((await runChild('python3', command, options)).stdout)
    },
  }
}

const folder = checkoutOf(t)
for (const store of STORES) {
  t.test(`two people and a worker, on ${store.name}`, async t => {
    const made = await store.make()
    t.teardown(() => made.remove())
    await lifeOf(t, await worldOn(t, folder, made.url))
  })
}

/** A browser of somebody's, and what it sent and complained about. */
interface Device {
  readonly context: BrowserContext
  readonly page: Page
  readonly complaints: string[]
  readonly urls: string[]
  /** The access tokens that were sent to an origin. */
  tokensFor(origin: string): string[]
}

async function deviceOf(
  browser: Browser,
  url: string,
  userAgent?: string,
): Promise<Device> {
  const context = await browser.newContext(userAgent === undefined ? {} : { userAgent })
  const urls: string[] = []
  const bearers: { origin: string; token: string }[] = []
  context.on('request', request => {
    const { authorization } = request.headers()
    const { origin } = new URL(request.url())
    urls.push(request.url())
    if (authorization !== undefined) {
      bearers.push({ origin, token: authorization.replace('Bearer ', '') })
    }
  })
  const page = await context.newPage()
  const complaints = complaintsOf(page)
  await page.goto(url)
  return {
    context,
    page,
    complaints,
    urls,
    tokensFor: origin =>
      bearers.filter(each => each.origin === origin).map(({ token }) => token),
  }
}

/** Fills in a form and sends it. */
async function submit(
  page: Page,
  id: string,
  values: Record<string, string>,
): Promise<void> {
  const form = page.locator(`#${id}`)
  for (const [name, value] of Object.entries(values)) {
    await form.locator(`[name=${name}]`).fill(value)
  }
  await form.locator('button').click()
}

const isShown = (page: Page, id: string) => page.locator(`#${id}`).waitFor()
const says = (page: Page, words: string) =>
  page.locator('#notice', { hasText: words }).waitFor()
const notesOf = (page: Page) => page.locator('#notes li .text').allInnerTexts()
/** How many refresh tokens the browser keeps. */
const keptIn = (page: Page) =>
  page.evaluate(`new Promise((resolve, reject) => {
    const opening = indexedDB.open('notes')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const counting = opening.result.transaction('session').objectStore('session').count()
      counting.onsuccess = () => resolve(counting.result)
    }
  })`)
const isWide = (page: Page) =>
  page.evaluate('document.documentElement.scrollWidth > window.innerWidth')

async function lifeOf(t: Test, world: World): Promise<void> {
  const { app, issuer } = world
  await headersOf(t, app)
  const laptop = await deviceOf(browser, app.url)
  const phone = await deviceOf(browser, app.url, 'Mozilla/5.0 (Android 16; Mobile)')
  const bob = await deviceOf(browser, app.url)
  const all = [laptop, phone, bob]
  await signUps(t, { laptop, bob })
  await notes(t, { laptop, bob })
  await tabs(t, world, laptop)
  await roles(t, world, { laptop, bob })
  await callers(t, world, { laptop, bob })
  await logouts(t, world, { laptop, phone })

  for (const { complaints, urls, page } of all) {
    const refusals = /status of 4\d\d/
    t.same(
      complaints.filter(line => !refusals.test(line)),
      [],
    )
    t.notOk(
      urls.some(url => url.includes('horse')),
      'no password in an address',
    )
    await page.setViewportSize({ width: 360, height: 740 })
    t.notOk(await isWide(page), 'it fits on a phone')
  }
  for (const [origin, audience] of [
    [app.url, app.url],
    [issuer, issuer],
  ] as const) {
    const tokens = all.flatMap(device => device.tokensFor(origin))
    t.ok(tokens.length > 0)
    t.ok(
      tokens.every(token => decodeJwt(token).aud === audience),
      'nobody is sent a token that is for somebody else, too',
    )
  }
  await restart(t, world, bob)
  const written = [
    readFileSync(join(world.folder, 'data/latchkey.log'), 'utf8'),
    ...app.lines,
  ]
  t.notMatch(written.join(''), /horse battery|rt_\w{20}|eyJ/, 'no secret in a log')
  for (const { context } of all) await context.close()
}

async function headersOf(t: Test, app: RunningExample): Promise<void> {
  const opened = await fetch(app.url)
  const policy = String(opened.headers.get('content-security-policy'))
  t.match(policy, /^default-src 'none'; script-src 'self'; /)
  for (const each of ['form-action', 'base-uri', 'frame-ancestors']) {
    t.match(policy, `; ${each} 'none'`)
  }
  const forms = (await opened.text()).match(/<form[^>]*>/g) ?? []
  t.ok(forms.length > 0 && forms.every(form => form.includes(' method="post"')))
  const script = await fetch(`${app.url}/page.js`)
  t.match(script.headers.get('content-security-policy'), policy)
}

async function signUps(
  t: Test,
  { laptop, bob }: Record<'laptop' | 'bob', Device>,
): Promise<void> {
  await submit(laptop.page, 'sign-up', { name: 'alice', password: 'short' })
  await says(laptop.page, 'too short: at least 15')
  await submit(laptop.page, 'sign-up', { name: 'alice', password: PASSWORD })
  await isShown(laptop.page, 'member')
  t.equal(await laptop.page.locator('#who').innerText(), 'alice')

  await submit(bob.page, 'sign-up', { name: 'alice', password: OTHERS })
  await says(bob.page, 'the name is taken')
  await submit(bob.page, 'log-in', { name: 'alice', password: OTHERS })
  await says(bob.page, 'Not done')
  await submit(bob.page, 'sign-up', { name: 'bob', password: OTHERS })
  await isShown(bob.page, 'member')
}

async function notes(
  t: Test,
  { laptop, bob }: Record<'laptop' | 'bob', Device>,
): Promise<void> {
  const text = '<img src=x onerror=alert(1)> of alice'
  await submit(laptop.page, 'add', { text })
  await laptop.page.locator('#notes small', { hasText: '5 words' }).waitFor()
  t.same(await notesOf(laptop.page), [text], 'text, and no HTML')
  await submit(bob.page, 'add', { text: 'of bob' })
  await bob.page.locator('#notes small', { hasText: '2 words' }).waitFor()
  t.same(await notesOf(bob.page), ['of bob'], 'his own, and no other')
  t.notOk(await bob.page.locator('#everybody').isVisible())
}

/** Tabs that ask at the same time use no refresh token twice. */
async function tabs(
  t: Test,
  { managementUrl }: World,
  { context, page }: Device,
): Promise<void> {
  const others = await Promise.all([1, 2, 3].map(() => context.newPage()))
  for (const other of others) await other.goto(page.url())
  // What is drawn last: a reload before that would lose an answer, which is another matter.
  const drawn = () =>
    Promise.all([page, ...others].map(each => each.locator('#sessions li').waitFor()))
  await drawn()
  for (let round = 0; round < 3; round++) {
    await Promise.all([page, ...others].map(each => each.reload()))
    await drawn()
  }
  await Promise.all(others.map(each => each.close()))
  const metrics = await (await fetch(`${managementUrl}/metrics`)).text()
  const became = (change: string) =>
    Number(
      new RegExp(`^latchkey_families_total\\{change="${change}"\\} (\\d+)$`, 'm').exec(
        metrics,
      )?.[1],
    )
  t.ok(became('rotated') > 20)
  for (const change of ['replayed', 'late', 'reused']) t.equal(became(change), 0, change)
}

async function roles(
  t: Test,
  { latchkey }: World,
  { laptop, bob }: Record<'laptop' | 'bob', Device>,
): Promise<void> {
  const { page } = laptop
  await latchkey('users', 'access', 'alice', '--roles', 'admin')
  await page.reload()
  await isShown(page, 'everybody')
  t.equal(await page.locator('#who').innerText(), 'alice (admin)')
  const bobs = page.locator('#everybody li', { hasText: 'of bob' })
  t.match(await bobs.innerText(), 'bob, 2 words')
  await bobs.locator('button').click()
  await bobs.waitFor({ state: 'detached' })
  await until(async () => (await notesOf(bob.page)).length === 0)
  t.pass('what an admin removes leaves the page of its owner by itself')

  await latchkey('users', 'access', 'alice', '--roles', '')
  await page.reload()
  await isShown(page, 'member')
  t.notOk(await page.locator('#everybody').isVisible(), 'taken away')
  t.equal(await page.locator('#who').innerText(), 'alice')
}

/** What each kind of caller may do at the API, whatever the page shows. */
async function callers(
  t: Test,
  { app, issuer, folder }: World,
  { laptop, bob }: Record<'laptop' | 'bob', Device>,
): Promise<void> {
  const worker = await tokenOfWorker(issuer, folder)
  const [alices, bobs] = [laptop, bob].map(each => each.tokensFor(app.url).at(-1))
  const ask = async (method: string, path: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return (await fetch(`${app.url}${path}`, { method, headers })).status
  }
  t.equal(await ask('GET', '/notes', alices), 200)
  t.equal(await ask('GET', '/everybody/notes', alices), 403, 'no admin any more')
  t.equal(await ask('DELETE', '/notes/1', bobs), 404, 'the note of somebody else')
  t.equal(await ask('GET', '/uncounted', bobs), 403, 'only for the worker')
  t.equal(await ask('GET', '/uncounted', worker), 200)
  t.equal(await ask('GET', '/notes', worker), 403, 'only for users')
  t.equal(await ask('GET', '/everybody/notes', worker), 403)
  t.equal(await ask('GET', '/notes'), 401)
  t.equal(await ask('GET', '/notes', laptop.tokensFor(issuer).at(-1)), 401)
  t.same(await notesOf(laptop.page), ['<img src=x onerror=alert(1)> of alice'])
}

async function tokenOfWorker(issuer: string, folder: string): Promise<string> {
  const secret = readFileSync(join(folder, 'data/worker-secret'), 'utf8')
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`worker:${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  const { access_token: token }: any = await answer.json()
  return token
}

async function logouts(
  t: Test,
  { app }: World,
  { laptop, phone }: Record<'laptop' | 'phone', Device>,
): Promise<void> {
  const alice = { name: 'alice', password: PASSWORD }
  await submit(phone.page, 'log-in', alice)
  const sessions = phone.page.locator('#sessions li')
  await until(async () => (await sessions.count()) === 2)
  t.match(await sessions.allInnerTexts(), [/^A phone, .*this one/, /^A computer, /])

  const tab = await laptop.context.newPage()
  await tab.goto(app.url)
  await isShown(tab, 'member')
  await laptop.page.locator('#log-out').click()
  await isShown(tab, 'guest')
  t.same(await notesOf(tab), [], 'nothing of a user stays')
  t.equal(await keptIn(tab), 0, 'and no token')
  await phone.page.reload()
  await isShown(phone.page, 'member')
  await until(async () => (await sessions.count()) === 1)
  t.pass('the phone goes on')

  await submit(tab, 'log-in', alice)
  await isShown(laptop.page, 'member')
  t.equal(await keptIn(laptop.page), 1)
  t.pass('who logs in in one tab is in in the other')
  const token = phone.tokensFor(app.url).at(-1)
  await tab.locator('#log-out-everywhere').click()
  await says(tab, 'You are logged out everywhere')
  await isShown(laptop.page, 'guest')
  await says(phone.page, 'You are logged out')
  await isShown(phone.page, 'guest')
  t.same(await notesOf(phone.page), [])
  const headers = { authorization: `Bearer ${token}` }
  t.equal((await fetch(`${app.url}/notes`, { headers })).status, 401)
  await tab.close()
}

/** Ends all of it, and starts it again: people stay logged in, and notes stay. */
async function restart(t: Test, world: World, { page }: Device): Promise<void> {
  await submit(page, 'add', { text: 'before the restart' })
  await page.locator('#notes small', { hasText: '3 words' }).waitFor()
  await world.app.stop()
  for (const url of [world.app.url, world.issuer]) {
    await t.rejects(fetch(url), 'nothing is left of it')
  }
  await says(page, 'Not done')
  const again = await world.start()
  await page.locator('#notice:empty').waitFor({ state: 'attached' })
  t.same(await notesOf(page), ['before the restart'])
  await again.stop()
}

t.test('only the worker gets its secret', async t => {
  const script = 'test/examples/notes_environments.py'
  const got = await runPython(await python(), script, { DATA: t.testdir() })
  t.same(got, { 'latchkey.js': false, uvicorn: false, 'worker.py': true })
})
