// A password that moves in by `migrate: copy` and could not be set here: its user logs in as before, and is
// asked for another one until there is one. On both stores.
import t, { type Test } from 'tap'
import {
  buildTestApp,
  client,
  CLIENTS,
  ISSUER,
  NO_SELF_SERVICE,
} from '../../support/app.ts'
import { STORES } from '../../support/server.ts'
import { appDirectory, startUserApp } from '../../support/user-app.ts'
import { SECRETS } from './world.ts'

const WEAK = 'summer'
const BREACHED = 'summer of sixty-nine'
const STRONG = 'a horse without a battery'
const CHANGE = '"change":"password_change_required"'

for (const { name, make } of STORES) {
  t.test(`copied passwords on ${name}`, async t => {
    const { url, remove } = await make()
    t.teardown(remove)
    const tests = [
      markedTest,
      endTest,
      adoptedTest,
      costlierTest,
      deletedTest,
      rulesTest,
      faultTest,
      endedTest,
      ownTest,
      slotTest,
    ]
    for (const run of tests) await t.test(run.name, t => run(t, url))
  })
}

let worlds = 0

/** An app with one user, and what starts servers that ask it. */
async function worldOn(t: Test, storeUrl: string, password = WEAK) {
  worlds += 1
  const n = String(worlds)
  const ann = { id: 1, name: `ann${n}`, password }
  const user = await startUserApp([ann])
  t.teardown(() => user.stop())
  const rules = {
    least: 8,
    isBreached: async (asked: string) => asked === BREACHED,
    isCostlier: false,
    beforeTurn: async () => {},
  }
  let inTurn = 0

  async function start(migrate: 'copy' | 'none' = 'copy') {
    const test = await buildTestApp({
      storeUrl,
      secrets: SECRETS,
      clients: [...CLIENTS, client('self', { scopes: ['account'], audience: [ISSUER] })],
      selfService: { ...NO_SELF_SERVICE, account: true, deletion: { grace: 60_000 } },
      compat: { json: false, paths: {}, keycloak: 'main' },
      directories: [appDirectory(user, { name: `copied-${n}`, migrate })],
      passwordRules: {
        minLength: () => rules.least,
        isBreached: asked => rules.isBreached(asked),
      },
      overHasher: hasher => ({
        ...hasher,
        needsUpgrade: hash => rules.isCostlier || hasher.needsUpgrade(hash),
        enqueue: (request, job) =>
          hasher.enqueue(request, async hashing => {
            await rules.beforeTurn()
            inTurn += 1
            return job(hashing).finally(() => {
              inTurn -= 1
            })
          }),
      }),
    })
    t.teardown(async () => {
      await test.elsewhere?.close()
      await test.close()
    })
    const login = (given: string, path = '/token') =>
      test.post(path, {
        grant_type: 'password',
        client_id: 'self',
        username: ann.name,
        password: given,
      })
    /** What the answer to a right login says. */
    const says = async (given = ann.password) => {
      const answer = await login(given)
      t.equal(answer.statusCode, 200, answer.body)
      return answer.json().password_change_required
    }
    const own = async (given: string) => {
      const { access_token: token } = (await login(given)).json()
      const headers = { authorization: `Bearer ${token}` }
      return (method: 'GET' | 'PUT' | 'DELETE', path: string, payload?: object) =>
        test.app.inject({ method, url: path, headers, ...(payload && { payload }) })
    }
    const log = () => test.lines.join('')
    return { test, login, says, own, log, account: () => test.accounts.find(ann.name) }
  }
  return { ann, user, rules, start, turns: () => inTurn }
}

async function markedTest(t: Test, url: string): Promise<void> {
  const { user, start } = await worldOn(t, url)
  const { test, login, says, own, log, account } = await start()
  const answer = await login(WEAK)
  t.match(answer.json(), {
    access_token: String,
    token_type: 'Bearer',
    refresh_token: String,
    password_change_required: true,
  })
  t.match((await account())?.passwordHash, /^\$argon2id\$/, 'copied all the same')
  t.equal(await says(), true, 'as long as it is so')
  t.equal(log().split(CHANGE).length, 2, 'the audit log has it once')
  t.notMatch(log(), WEAK)
  const refreshed = await test.refresh(answer.json().refresh_token, { client_id: 'self' })
  t.equal(refreshed.statusCode, 200)
  t.notHas(refreshed.json(), { password_change_required: true })
  const wrong = await login('winter')
  t.equal(wrong.statusCode, 400)
  t.notMatch(wrong.body, /password_change_required/)
  const call = await own(WEAK)
  t.match((await call('GET', '/account')).json(), { password_change_required: true })
  const keycloak = await login(WEAK, '/realms/main/protocol/openid-connect/token')
  t.match(keycloak.json(), { access_token: String, password_change_required: true })
  user.mode = 'cut'
  t.equal(await says(), true, 'by its copy, too')
}

async function endTest(t: Test, url: string): Promise<void> {
  const { ann, start } = await worldOn(t, url, BREACHED)
  const { says, own, account, log } = await start()
  t.equal(await says(), true)
  ann.password = STRONG
  t.equal(await says(), undefined, 'another one is set in the app')
  t.notHas((await (await own(STRONG))('GET', '/account')).json(), {
    password_change_required: true,
  })
  ann.password = `${ann.name}-${ann.name}`
  t.equal(await says(), true, 'made of the name')
  t.equal(log().split(CHANGE).length, 3)
  t.match((await account())?.pending, { passwordChange: /^[\w-]{22}$/ })
}

async function adoptedTest(t: Test, url: string): Promise<void> {
  const { ann, start } = await worldOn(t, url)
  const { test, says, own } = await start()
  t.equal(await says(), true)
  const elsewhere = await own(WEAK)
  const change = { password: STRONG, current_password: WEAK }
  const refused = await elsewhere('PUT', '/account/password', change)
  t.equal(refused.statusCode, 400, 'it is set in the app')
  t.match(refused.body, /a directory elsewhere has this account/)
  t.match(await test.accounts.adopt(ann.name), { kind: 'done' })
  t.equal(await says(), true, 'ours by now')
  const call = await own(WEAK)
  t.equal((await call('PUT', '/account/password', change)).statusCode, 204)
  t.notHas((await call('GET', '/account')).json(), { password_change_required: true })
  t.equal(await says(STRONG), undefined)
}

async function costlierTest(t: Test, url: string): Promise<void> {
  const { ann, rules, start } = await worldOn(t, url)
  const { test, says, own } = await start()
  t.equal(await says(), true)
  t.match(await test.accounts.adopt(ann.name), { kind: 'done' })
  const call = await own(WEAK)
  rules.isCostlier = true
  const change = { password: STRONG, current_password: WEAK }
  const answer = await call('PUT', '/account/password', change)
  t.equal(answer.statusCode, 204, `the proof made the hash anew: ${answer.body}`)
}

async function deletedTest(t: Test, url: string): Promise<void> {
  const { rules, start } = await worldOn(t, url)
  rules.least = 6
  const { own, account } = await start()
  const call = await own(WEAK)
  rules.least = 8
  const answer = await call('DELETE', '/account', { current_password: WEAK })
  t.equal(answer.statusCode, 204, `the proof made the mark: ${answer.body}`)
  const { pending } = (await account()) ?? {}
  t.match(pending, { deleteAt: Number, passwordChange: String }, 'neither is lost')
}

async function rulesTest(t: Test, url: string): Promise<void> {
  const { rules, start } = await worldOn(t, url)
  const { says, account } = await start()
  t.equal(await says(), true)
  rules.least = 6
  t.equal(await says(), undefined, 'it is long enough by now')
  t.equal((await account())?.pending, undefined)
  rules.least = 15
  t.equal(await says(), true)
  const without = await start('none')
  t.equal(await without.says(), undefined, 'no longer copied: it is the app’s own')
  t.equal((await account())?.pending, undefined)
}

async function faultTest(t: Test, url: string): Promise<void> {
  const { ann, rules, start } = await worldOn(t, url, STRONG)
  const { says, log } = await start()
  const broken = async () => {
    throw new Error('EIO: i/o error, read')
  }
  rules.isBreached = broken
  t.equal(await says(), undefined, 'a fault is no verdict')
  t.match(log(), 'a copied password could not be checked: the blocklist cannot be read')
  t.notMatch(log(), STRONG)
  rules.isBreached = async () => true
  t.equal(await says(), true)
  rules.isBreached = broken
  t.equal(await says(), true, 'and takes none back')
  ann.password = WEAK
  t.equal(await says(), true, 'what is too short needs no list')
}

async function endedTest(t: Test, url: string): Promise<void> {
  const { rules, start } = await worldOn(t, url, STRONG)
  const { test, login, account } = await start()
  const endAll = async () => {
    const tag = (await account())?.tag ?? ''
    t.ok(await test.core.store.subjects.endSessions(tag))
  }
  const isRefused = async (when: string) => {
    const answer = await login(STRONG)
    t.equal(answer.statusCode, 400, when)
    t.match(answer.json(), { error: 'invalid_grant' })
  }
  rules.beforeTurn = endAll
  await isRefused('the sessions ended while the password was copied')
  rules.beforeTurn = async () => {}
  rules.isBreached = async () => {
    await endAll()
    return true
  }
  await isRefused('the sessions ended while the password was checked')
}

async function ownTest(t: Test, url: string): Promise<void> {
  const { ann, rules, start } = await worldOn(t, url)
  const { says, account } = await start('none')
  t.equal(await says(), undefined, 'not copied')
  t.equal((await account())?.pending, undefined)
  // Whoever was here before the rules became stricter.
  const copying = await start()
  const ours = { name: `own-${ann.name}`, password: STRONG, scopes: null, roles: [] }
  t.match(await copying.test.accounts.add(ours), { kind: 'added' })
  rules.least = 100
  const login = { username: ours.name, password: STRONG, client_id: 'mobile' }
  const answer = await copying.test.post('/token', { grant_type: 'password', ...login })
  t.equal(answer.statusCode, 200)
  t.notHas(answer.json(), { password_change_required: true })
}

async function slotTest(t: Test, url: string): Promise<void> {
  const { rules, start, turns } = await worldOn(t, url, STRONG)
  const { says } = await start()
  const held: number[] = []
  rules.isBreached = async () => {
    held.push(turns())
    return true
  }
  t.equal(await says(), true)
  t.same(held, [0], 'the check holds no hashing slot')
}
