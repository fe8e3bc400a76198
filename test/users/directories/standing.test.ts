// Who stands where: a user of a directory elsewhere beside accounts of ours and users of another directory,
// and what the copy of a password is good for.
import t, { type Test } from 'tap'
import { buildTestApp, PASSWORD, UNTHROTTLED } from '../../support/app.ts'
import { STORES } from '../../support/server.ts'
import { someAccount } from '../../support/stores.ts'
import { until } from '../../support/until.ts'
import { appDirectory, startUserApp } from '../../support/user-app.ts'
import { SECRETS, start, WORDS } from './world.ts'

const EMAIL = { type: 'email', list: false, unique: true } as const

for (const { name, make } of STORES) {
  t.test(`standing, on ${name}`, async t => {
    const { url, remove } = await make()
    t.teardown(remove)
    for (const run of [
      addressTest,
      signUpTest,
      busyTest,
      otherAwayTest,
      guessTest,
      oddTest,
    ]) {
      await t.test(run.name, t => run(t, url))
    }
  })
}

/** Nobody gets a name by which an account of ours logs in. */
async function addressTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url)
  test.live.attributes = { email: EMAIL }
  test.live.loginBy = ['name', 'email']
  const address = `victim${n}@example.com`
  await test.accounts.add({
    name: `victim${n}`,
    password: PASSWORD,
    scopes: null,
    roles: [],
    attributes: { email: address },
  })
  const isVictims = async () => (await login(address, PASSWORD)).statusCode === 200
  t.ok(await isVictims())
  user.users.push({ id: 3, name: `bob${n}`, password: WORDS, more: { name: address } })
  t.equal((await login(`bob${n}`)).statusCode, 400, 'at the first login')
  t.ok(await isVictims())
  const carl: { id: number; name: string; password: string; more?: object } = {
    id: 4,
    name: `carl${n}`,
    password: WORDS,
  }
  user.users.push(carl as (typeof user.users)[number])
  t.equal((await login(`carl${n}`)).statusCode, 200)
  carl.more = { name: address }
  t.equal((await login(`carl${n}`)).statusCode, 200, 'later the old name stays')
  t.match(await test.accounts.find(`carl${n}`), { external: { id: '4' } })
  t.ok(await isVictims())
}

/** Whoever signed up here, and proved nothing, gives way. */
async function signUpTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url)
  const name = `gina${n}`
  await test.store.directory.add(
    someAccount(`squatter-${n}`, { name, foldedName: name, pending: { signUp: true } }),
  )
  user.users.push({ id: 1, name, password: WORDS })
  t.equal((await login(name)).statusCode, 200)
  t.match(await test.accounts.find(name), { external: { id: '1' } })
}

/** A copy lets in while its own directory is away, and not because that has much to do. */
async function busyTest(t: Test, url: string): Promise<void> {
  const more = { migrate: 'copy', maxInFlight: 1, timeout: 60_000 } as const
  const { user, test, login, n } = await start(t, url, more)
  const eve = { id: 1, name: `eve${n}`, password: WORDS, more: { disabled: false } }
  user.users.push(eve)
  const first = await login(eve.name)
  t.equal(first.statusCode, 200)
  eve.more.disabled = true
  const held = Promise.withResolvers<void>()
  user.hold = held.promise
  const asked = user.asked
  const slow = login(`slow${n}`)
  await until(() => user.asked > asked)
  t.equal((await login(eve.name)).statusCode, 503)
  t.equal((await test.refresh(first.json().refresh_token)).statusCode, 200, 'at once')
  held.resolve()
  t.equal((await slow).statusCode, 400)
}

/** A directory that is away says nothing of the users of another. */
async function otherAwayTest(t: Test, url: string): Promise<void> {
  const { user: own, login: first, n } = await start(t, url, { migrate: 'copy' })
  const name = `fay${n}`
  own.users.push({ id: 1, name, password: WORDS })
  t.equal((await first(name)).statusCode, 200)
  const other = await startUserApp()
  other.mode = 'cut'
  const test = await buildTestApp({
    storeUrl: url,
    secrets: SECRETS,
    directories: [
      appDirectory(other, { name: `other-${n}` }),
      appDirectory(own, { name: `app-${n}`, migrate: 'copy' }),
    ],
  })
  t.teardown(async () => {
    await test.elsewhere?.close()
    await test.close()
    await other.stop()
  })
  const login = () =>
    test.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username: name,
      password: WORDS,
    })
  t.equal((await login()).statusCode, 503, 'the other one may know the name')
  other.mode = 404
  own.mode = 'cut'
  t.equal((await login()).statusCode, 200, 'by the copy, while its own is away')
}

/** Guesses at a copy count while its directory is away, and each has the answer that all others have. */
async function guessTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url, { migrate: 'copy' })
  const name = `hal${n}`
  user.users.push({ id: 1, name, password: WORDS })
  t.equal((await login(name)).statusCode, 200)
  user.mode = 'cut'
  test.live.logins = { ...UNTHROTTLED, perName: 4 }
  for (const who of [name, `nobody${n}`]) {
    for (const guess of ['first', 'second', 'second', 'third']) {
      const said = await login(who, `${guess} guess`)
      t.equal(said.statusCode, 503, `${guess} guess at ${who}`)
      t.equal(said.json().error, 'temporarily_unavailable')
    }
    t.equal((await login(who, 'a fifth guess')).statusCode, 429, `${who} is held off`)
  }
  t.equal((await login(name)).statusCode, 429, 'and so is the right one')
}

/** Names that the app refuses by 422 say nothing of the app. */
async function oddTest(t: Test, url: string): Promise<void> {
  const { user, login, n } = await start(t, url)
  user.users.push({ id: 1, name: `ann${n}`, password: WORDS })
  user.mode = 422
  for (let odd = 0; odd < 6; odd++) {
    t.equal((await login(`odd${odd}${n}`)).statusCode, 503)
  }
  user.mode = 'up'
  t.equal((await login(`ann${n}`)).statusCode, 200, 'it is asked, and answers')
}
