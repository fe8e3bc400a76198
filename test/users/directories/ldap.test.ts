// Users of an LDAP server log in here, on both stores.
import t, { type Test } from 'tap'
import type { LdapDirectorySettings } from '../../../src/users/directory/ldap/ldap-directory.ts'
import { buildTestApp, UNTHROTTLED } from '../../support/app.ts'
import { ldapSettings, person, startLdap } from '../../support/ldap.ts'
import { STORES } from '../../support/server.ts'
import { askUntil } from '../../support/until.ts'
import { SECRETS } from './world.ts'

const WORDS = 'an entry of many years'
const EMAIL = { type: 'email', list: false, unique: true } as const
const isIn = ({ statusCode }: { statusCode: number }) => statusCode === 200
let worlds = 0

for (const { name, make } of STORES) {
  t.test(`the users of an LDAP server log in, on ${name}`, async t => {
    const { url, remove } = await make()
    t.teardown(remove)
    for (const run of [shadowTest, barredTest, awayTest, goneTest, externalSubTest]) {
      await t.test(run.name, t => run(t, url))
    }
  })
}

async function start(
  t: Test,
  storeUrl: string,
  more: Partial<LdapDirectorySettings> = {},
) {
  worlds += 1
  const server = await startLdap()
  const directory = `staff-${worlds}`
  const test = await buildTestApp({
    storeUrl,
    secrets: SECRETS,
    directories: [
      ldapSettings(server, {
        name: directory,
        attributes: { email: 'mail' },
        groups: {
          attribute: 'memberOf',
          filter: '(member={dn})',
          roles: { 'cn=admins,dc=example,dc=org': 'admin' },
        },
        ...more,
      }),
    ],
  })
  test.live.logins = UNTHROTTLED
  test.live.attributes = { email: EMAIL }
  t.teardown(async () => {
    await test.elsewhere?.close()
    await test.close()
    await server.stop()
  })
  const login = (username: string, password = WORDS) =>
    test.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username,
      password,
    })
  return { server, test, login, directory, n: String(worlds) }
}

async function shadowTest(t: Test, url: string): Promise<void> {
  const { server, test, login, directory, n } = await start(t, url)
  const values = {
    mail: [`Ann${n}@example.org`],
    memberOf: ['CN=admins,DC=example,DC=org', 'cn=others,dc=example,dc=org'],
  }
  server.entries.push(person(`Ann${n}`, `id-${n}`, { values }))
  t.equal((await login(`ann${n}`)).statusCode, 200)
  t.match(await test.accounts.find(`ANN${n}`), {
    name: `Ann${n}`,
    roles: ['admin'],
    attributes: { email: `Ann${n}@example.org` },
    emailVerified: false,
    external: { directory, id: `id-${n}` },
    passwordHash: '!',
  })
  for (const [user, password] of [
    [`ann${n}`, 'wrong'],
    [`nobody${n}`, WORDS],
    ['*', WORDS],
    [`*)(uid=*`, WORDS],
    [`ann${n}`, 'x'.repeat(1_025)],
  ] as const) {
    const { statusCode, body } = await login(user, password)
    t.equal(statusCode, 400, user)
    t.equal(JSON.parse(body).error, 'invalid_grant')
  }
  t.equal((await login(`ann${n}`, 'x'.repeat(1_000_000))).statusCode, 413)
  const binds = server.binds
  for (const password of ['', '\0', `${WORDS}\0`]) {
    const attempt = { name: `ann${n}`, password, clientId: 'mobile', address: '::1' }
    t.match(await test.authenticate(attempt), { reason: 'password_wrong' })
  }
  t.equal(server.binds, binds, 'nothing was sent')
  t.notMatch(test.lines.join(''), new RegExp(`${WORDS}|${server.service.password}`))
}

async function barredTest(t: Test, url: string): Promise<void> {
  const { server, test, login, n } = await start(t, url)
  const ann = person(`ann${n}`, `id-${n}`)
  server.entries.push(ann)
  t.equal((await login(`ann${n}`)).statusCode, 200)
  const wrong = await login(`ann${n}`, 'wrong')
  for (const [code, message, reason] of [
    [49, 'data 533, v4563', 'user_disabled'],
    [49, 'data 701, v4563', 'user_expired'],
    [49, 'data 775, v4563', 'user_locked'],
    [49, 'data 531, v4563', 'user_barred_now'],
    [49, 'data 532, v4563', 'password_expired'],
    [49, 'data 773, v4563', 'password_must_change'],
    [49, 'data 52e, v4563', 'password_wrong'],
  ] as const) {
    ann.result = { code, message }
    const { statusCode, body } = await login(`ann${n}`, `${WORDS} ${reason}`)
    t.equal(statusCode, 400)
    t.equal(JSON.parse(body).error, 'invalid_grant')
    t.equal(body, wrong.body, 'nobody who guesses is told')
    t.match(test.lines.join(''), reason)
  }
}

async function awayTest(t: Test, url: string): Promise<void> {
  const { server, test, login, n } = await start(t, url, { timeout: 1_500 })
  server.entries.push(person(`ann${n}`, `id-${n}`))
  const { body } = await askUntil(() => login(`ann${n}`), isIn)
  const session = JSON.parse(body)
  const before = await test.accounts.find(`ann${n}`)
  for (const mode of ['cut', 'silent', 'garbage'] as const) {
    server.mode = mode
    for (const name of [`ann${n}`, `nobody${n}`]) {
      const answer = await login(name)
      t.match(answer, { statusCode: 503, headers: { 'retry-after': '2' } }, mode)
    }
  }
  const refreshed = await test.post('/token', {
    grant_type: 'refresh_token',
    client_id: 'mobile',
    refresh_token: session.refresh_token,
  })
  t.equal(refreshed.statusCode, 200, 'sessions go on')
  server.mode = 'up'
  const again = () => {
    test.clock.advance(1_000)
    return login(`ann${n}`)
  }
  t.ok(isIn(await askUntil(again, isIn)), 'once a second it is asked again')
  t.same(await test.accounts.find(`ann${n}`), before, 'nothing was changed')
}

async function goneTest(t: Test, url: string): Promise<void> {
  const { server, test, login, n } = await start(t, url)
  server.entries.push(person(`ann${n}`, `id-${n}`), person(`bob${n}`, `bob-${n}`))
  let { refresh_token: token } = (await login(`ann${n}`)).json()
  const refresh = async () => {
    test.clock.advance(test.live.recheck.recheck)
    const answer = await test.refresh(token)
    token = answer.json().refresh_token
    await test.elsewhere?.settled()
    return answer.statusCode
  }
  t.equal(await refresh(), 200)
  // Who may read nothing any more sees nobody: that is no reason to end anything.
  const all = server.entries.splice(0)
  t.equal(await refresh(), 200)
  t.equal(await refresh(), 200)
  server.entries.push(...all.slice(1))
  t.equal(await refresh(), 200, 'the refresh that brings the look')
  t.equal(await refresh(), 400, 'who has gone has no session')
}

async function externalSubTest(t: Test, url: string): Promise<void> {
  const { server, test, login, n } = await start(t, url, { sub: 'external' })
  server.entries.push(person(`ann${n}`, `stable-${n}`))
  t.equal((await login(`ann${n}`)).statusCode, 200)
  t.equal((await test.accounts.find(`ann${n}`))?.sub, `stable-${n}`)
  // A rename there: the same user.
  server.entries.splice(0, 1, person(`anna${n}`, `stable-${n}`))
  t.equal((await login(`anna${n}`)).statusCode, 200)
  t.equal((await test.accounts.find(`anna${n}`))?.sub, `stable-${n}`)
  t.equal(await test.accounts.find(`ann${n}`), undefined)
}
