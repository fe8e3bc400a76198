/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
// Lazy migration from a small Flask app with 1,000 users, by `migrate: copy` as docs/users-elsewhere.md has
// it: after each has logged in once, the app is switched off, and everybody logs in as before.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { blocksOf } from '../../support/blocks.ts'
import { python, ROOT } from '../../support/python.ts'
import { startExample } from '../../support/resource-server.ts'
import {
  CHEAP_HASHING,
  postForm,
  startLatchkey,
  storeUrlFor,
  STORES,
} from '../../support/server.ts'

const USERS = 1_000
const AT_ONCE = 8
const WORDS = 'a password of the app'
const SERVER_SECRET = 's'.repeat(43)

/** The page's directory, at the app's own address. */
function directoryAt(url: string, secret: string): object {
  const [yaml = ''] = blocksOf('docs/users-elsewhere.md', 'An HTTP endpoint', 'yaml')
  const [directory] = parse(
    yaml
      .replaceAll('https://app.example.com', url)
      .replace('${APP_DIRECTORY_SECRET}', secret),
  ).directories
  return { ...directory, mayBePrivate: true, timeout: '20s' }
}

for (const store of STORES) {
  t.test(`1,000 users of a Flask app, on ${store.name}`, async t => {
    const storeUrl = await storeUrlFor(t, store)
    const secret = `whsec_${randomBytes(32).toString('base64')}`
    const app = await startExample(
      {
        name: 'users',
        folder: join(ROOT, 'test/users/python'),
        command: await python(),
        args: () => ['lazy_app.py'],
        env: { SECRET: secret, PASSWORD: WORDS, USERS: String(USERS) },
      },
      'http://127.0.0.1',
    )
    t.teardown(() => app.stop())
    const start = (directories: readonly object[]) =>
      startLatchkey({
        storeUrl,
        secret: SERVER_SECRET,
        addUser: false,
        config: {
          log: { level: 'warn' },
          attributes: { email: {} },
          // Longer than those of the app: all are to be changed one day, and let in until then.
          passwords: { ...CHEAP_HASHING, maxWait: '20s', minLength: 40 },
          directories,
        },
      })
    const before = await start([directoryAt(app.url, secret)])
    t.teardown(() => before.stop())
    t.same(await loginAll(before.url), { 200: USERS })
    t.equal((await login(before.url, 3, 'wrong')).status, 400)
    const subs = await subsOf(t, before.url)

    await app.stop()
    t.same(await loginAll(before.url), { 200: USERS }, 'the app is away')
    t.equal((await login(before.url, 4, 'wrong')).status, 503, 'nobody can say')
    await before.stop()

    const after = await start([])
    t.teardown(() => after.stop())
    t.same(await loginAll(after.url), { 200: USERS }, 'the app is switched off')
    t.equal((await login(after.url, 5, 'wrong')).status, 400)
    t.same(await subsOf(t, after.url), subs, 'the same people')
  })
}

function login(url: string, n: number, password = `${WORDS} ${n}`) {
  return postForm(`${url}/token`, {
    grant_type: 'password',
    client_id: 'mobile',
    username: `user${n}`,
    password,
  })
}

/** Logs everybody in; gives how often each status was answered. */
async function loginAll(url: string): Promise<Record<number, number>> {
  const counts: Record<number, number> = {}
  const left = Array.from({ length: USERS }, (_, index) => index + 1)
  const work = async () => {
    for (let n = left.pop(); n !== undefined; n = left.pop()) {
      const { status } = await login(url, n)
      counts[status] = (counts[status] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return counts
}

/** Who some of them are. */
async function subsOf(t: Test, url: string): Promise<string[]> {
  const subs: string[] = []
  for (const n of [1, 500, 1_000]) {
    const { body } = await login(url, n)
    t.equal(body.password_change_required, true)
    const [, claims = ''] = String(body.access_token).split('.')
    subs.push(JSON.parse(Buffer.from(claims, 'base64url').toString()).sub)
  }
  t.equal(new Set(subs).size, 3)
  return subs
}
