// Users of an app elsewhere log in here, on both stores: who they are, who wins, what is refused, and what
// happens while the app is away.
import t, { type Test } from 'tap'
import { buildTestApp, PASSWORD, UNTHROTTLED } from '../../support/app.ts'
import { STORES } from '../../support/server.ts'
import { appDirectory, startUserApp, type AppUser } from '../../support/user-app.ts'
import { askUntil } from '../../support/until.ts'
import { SECRETS, start, WORDS } from './world.ts'

const TEXT = { list: false, unique: false }
const EMAIL = { type: 'email', list: false, unique: true } as const
const isIn = ({ statusCode }: { statusCode: number }) => statusCode === 200
const RETRY = { statusCode: 503, headers: { 'retry-after': '2' } }

for (const { name, make } of STORES) {
  t.test(`an app's users log in, on ${name}`, async t => {
    const { url, remove } = await make()
    t.teardown(remove)
    const tests = [
      shadowTest,
      refusalTest,
      clashTest,
      renameTest,
      followTest,
      shortLookupTest,
      emptiedTest,
      awayTest,
      graceTest,
      copyTest,
      ownedTest,
      orderTest,
      strangerTest,
      otherCaseTest,
      spellingTest,
    ]
    for (const run of tests) await t.test(run.name, t => run(t, url))
  })
}

async function shadowTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url)
  test.live.attributes = { email: EMAIL, plan: TEXT }
  const more = {
    email: `Ann${n}@example.com`,
    email_verified: true,
    roles: ['support', 'not a role'],
    attributes: { plan: 'gold', undeclared: 1, email: 7 },
  }
  user.users.push({ id: 17, name: `Ann${n}`, password: WORDS, more })
  const answers = await Promise.all([login(`ann${n}`), login(`Ann${n}`)])
  t.same(
    answers.map(({ statusCode }) => statusCode),
    [400, 200],
    'the app compares names its own way',
  )
  t.equal(user.unsigned, 0, 'every question is signed')
  const account = await test.accounts.find(`ANN${n}`)
  t.match(account, {
    name: `Ann${n}`,
    roles: ['support'],
    attributes: { plan: 'gold' },
    emailVerified: false,
    external: { directory: `app-${n}`, id: '17' },
    passwordHash: '!',
  })
  t.match(String(account?.sub), /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-/)
  // Two at once make one: a race that both lose to nobody.
  user.users.push({ id: 18, name: `bob${n}`, password: WORDS })
  const many = await Promise.all(Array.from({ length: 8 }, () => login(`bob${n}`)))
  t.ok(many.every(({ statusCode }) => statusCode === 200))
  t.equal((await test.accounts.find(`bob${n}`))?.external?.id, '18')
}

async function refusalTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url)
  user.users.push({ id: 1, name: `eve${n}`, password: WORDS })
  const asked = async (name: string, password: string) => {
    const before = user.asked
    const { statusCode, body } = await login(name, password)
    return [statusCode, JSON.parse(body).error, user.asked - before]
  }
  t.equal((await login(`eve${n}`)).statusCode, 200)
  t.same(await asked(`eve${n}`, 'wrong'), [400, 'invalid_grant', 1])
  t.same(await asked(`nobody${n}`, 'wrong'), [400, 'invalid_grant', 1])
  t.same(await asked(`eve${n}`, 'wrong'), [400, 'invalid_grant', 0], 'repeated')
  t.same(await asked(`new${n}`, WORDS), [400, 'invalid_grant', 1])
  user.users.push({ id: 2, name: `new${n}`, password: WORDS })
  t.equal((await login(`new${n}`)).statusCode, 200, 'who signs up there is right at once')
  for (const password of ['', 'a\0b']) {
    const before = user.asked
    const attempt = { name: `eve${n}`, password, clientId: 'mobile', address: '::1' }
    t.match(await test.authenticate(attempt), {
      kind: 'refused',
      reason: 'password_wrong',
    })
    t.equal(user.asked, before, 'nothing is sent')
  }
  t.same(await asked(`eve${n}`, 'x'.repeat(1025)), [400, 'invalid_grant', 0])
  t.same(await asked(`eve${n}`, 'x'.repeat(2 ** 20)), [413, 'invalid_request', 0])
  t.same(await asked('two words', WORDS), [400, 'invalid_grant', 0], 'no name at all')
  t.same(await asked(`x${n}'; DROP TABLE users; --`, WORDS), [400, 'invalid_grant', 0])
  const disabled = { disabled: true }
  user.users.push({ id: 2, name: `dis${n}`, password: WORDS, more: disabled })
  t.same(await asked(`dis${n}`, WORDS), [400, 'invalid_grant', 1])
}

async function clashTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url)
  const ours = { name: `own${n}`, password: PASSWORD, scopes: null, roles: [] }
  await test.accounts.add(ours)
  user.users.push({ id: 5, name: `own${n}`, password: WORDS })
  const before = user.asked
  t.equal((await login(`own${n}`, PASSWORD)).statusCode, 200, 'ours wins')
  t.equal((await login(`own${n}`)).statusCode, 400)
  t.equal(user.asked, before, 'and the app is not asked')
  // The app answers another name than the one that was typed.
  user.users.push({ id: 6, name: `mail${n}`, password: WORDS, more: { name: `own${n}` } })
  t.equal((await login(`mail${n}`)).statusCode, 400)
  t.match(test.lines.join(''), /directory_name_taken/)
  t.equal((await test.accounts.find(`own${n}`))?.external, undefined, 'untouched')
  user.users.push({
    id: 7,
    name: `odd${n}`,
    password: WORDS,
    more: { name: 'two words' },
  })
  t.equal((await login(`odd${n}`)).statusCode, 400, 'no name of ours')
}

async function renameTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url)
  const first = { id: 1, name: `old${n}`, password: WORDS }
  user.users.push(first)
  t.equal((await login(`old${n}`)).statusCode, 200)
  const before = await test.accounts.find(`old${n}`)
  first.name = `new${n}`
  t.equal((await login(`new${n}`)).statusCode, 200)
  t.equal((await test.accounts.find(`new${n}`))?.sub, before?.sub, 'sub stays')
  t.equal(await test.accounts.find(`old${n}`), undefined)
  // Another one takes the name of somebody who has another one now, but hasn't logged in since.
  first.name = `newer${n}`
  user.users.push({ id: 2, name: `new${n}`, password: WORDS })
  t.equal((await login(`new${n}`)).statusCode, 200)
  t.equal((await test.accounts.find(`new${n}`))?.external?.id, '2')
  t.equal((await test.accounts.find(`newer${n}`))?.sub, before?.sub)
  // And the name of somebody who has gone.
  user.users.splice(0, 2)
  user.users.push({ id: 3, name: `new${n}`, password: WORDS })
  t.equal((await login(`new${n}`)).statusCode, 200)
  t.equal((await test.accounts.find(`new${n}`))?.external?.id, '3')
  // The same name twice at the same time: the app is wrong, and nobody is let in for somebody else.
  user.users.unshift({ id: 4, name: `new${n}`, password: WORDS })
  t.equal((await login(`new${n}`)).statusCode, 400)
}

async function followTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url)
  test.live.attributes = { plan: TEXT, team: TEXT, email: EMAIL }
  const more: Record<string, unknown> = { roles: ['a'], attributes: { plan: 'x' } }
  user.users.push({ id: 1, name: `fay${n}`, password: WORDS, more })
  let { refresh_token: token } = (await login(`fay${n}`)).json()
  const refresh = async () => {
    const answer = await test.refresh(token)
    if (answer.statusCode === 200) token = answer.json().refresh_token
    await test.elsewhere?.settled()
    return answer.statusCode
  }
  const before = user.asked
  t.equal(await refresh(), 200)
  t.equal(user.asked, before + 1, 'looked up beside the first refresh')
  t.equal(await refresh(), 200)
  t.equal(user.asked, before + 1, 'and not again within directory.recheck')
  Object.assign(more, { roles: ['b'], attributes: { team: 'y' }, email: `f${n}@x.test` })
  test.clock.advance(test.live.recheck.recheck)
  t.equal(await refresh(), 200)
  const account = await test.accounts.find(`fay${n}`)
  t.match(account, { roles: ['b'], attributes: { team: 'y' } })
  t.notMatch(account?.attributes, { plan: 'x' })
  // What an account of ours has is left to it: its name, and the value of a unique attribute.
  const email = `taken${n}@x.test`
  const ours = { name: `own${n}`, password: PASSWORD, scopes: null, roles: [] }
  await test.accounts.add({ ...ours, attributes: { email } })
  Object.assign(more, { name: `own${n}`, email })
  test.clock.advance(test.live.recheck.recheck)
  t.equal(await refresh(), 200)
  const after = await test.accounts.find(`fay${n}`)
  t.equal(after?.sub, account?.sub)
  t.notOk(after?.attributes['email'])
  delete more['name']
  more['disabled'] = true
  test.clock.advance(test.live.recheck.recheck)
  t.equal(await refresh(), 200, 'the refresh that brings the look')
  t.equal(await refresh(), 400, 'disabled there: sessions are over')
  delete more['disabled']
  token = (await login(`fay${n}`)).json().refresh_token
  user.users.pop()
  test.clock.advance(test.live.recheck.recheck)
  t.equal(await refresh(), 200)
  t.equal(await refresh(), 400, 'gone there: sessions are over')
  t.match(test.lines.join(''), /"change":"sessions_ended"/)
}

/** What a lookup doesn't say of somebody stays as the login said it. */
async function shortLookupTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url)
  test.live.attributes = { plan: TEXT, team: TEXT, email: EMAIL }
  const email = `pat${n}@x.test`
  const attributes = { plan: 'gold', team: 'red' }
  const more = { email, email_verified: true, attributes, roles: ['a'] }
  const pat: AppUser = { id: 1, name: `pat${n}`, password: WORDS, more, known: {} }
  user.users.push(pat)
  let { refresh_token: token } = (await login(`pat${n}`)).json()
  const known = async (says: Record<string, unknown>) => {
    pat.known = says
    test.clock.advance(test.live.recheck.recheck)
    const before = user.asked
    token = (await test.refresh(token)).json().refresh_token
    await test.elsewhere?.settled()
    t.equal(user.asked, before + 1)
    const account = await test.accounts.find(`pat${n}`)
    return { attributes: account?.attributes, emailVerified: account?.emailVerified }
  }
  const whole = { attributes: { email, ...attributes }, emailVerified: true }
  t.same(await known({}), whole, 'it names nothing')
  t.same(await known({ attributes: { plan: 'iron' } }), {
    attributes: { email, plan: 'iron' },
    emailVerified: true,
  })
  const other = `pat${n}@y.test`
  t.same(
    await known({ email: other }),
    { attributes: { email: other, plan: 'iron' }, emailVerified: false },
    'another address is another mailbox',
  )
  t.same(await known({ email: null, attributes: {} }), {
    attributes: {},
    emailVerified: false,
  })
  t.equal((await login(`pat${n}`)).statusCode, 200)
  t.same(await known({ email_verified: false }), { ...whole, emailVerified: false })
}

/** A table that is empty for a while, as one that is written anew, logs out a few and not all. */
async function emptiedTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url, { migrate: 'copy' })
  const names = Array.from({ length: 13 }, (_, index) => `emp${n}-${index}`)
  user.users.push(...names.map((name, id) => ({ id, name, password: WORDS })))
  const tokens: string[] = []
  for (const name of names) tokens.push((await login(name)).json().refresh_token)
  const refreshAll = async () => {
    const statuses: number[] = []
    for (const [index, token] of tokens.entries()) {
      const answer = await test.refresh(token)
      statuses.push(answer.statusCode)
      if (answer.statusCode === 200) tokens[index] = answer.json().refresh_token
      await test.elsewhere?.settled()
    }
    return statuses
  }
  const all = user.users.splice(0)
  t.same(await refreshAll(), Array(13).fill(200), 'the refreshes that bring the looks')
  const over = [...Array<number>(10).fill(400), 200, 200, 200]
  t.same(await refreshAll(), over)
  t.match((await test.accounts.find(String(names[12])))?.passwordHash, /^\$argon2id/)
  user.users.push(...all)
  t.equal((await login(String(names[0]))).statusCode, 200, 'and nobody for long')
}

async function awayTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url, { timeout: 1_500 })
  user.users.push({ id: 1, name: `gil${n}`, password: WORDS })
  const first = await askUntil(() => login(`gil${n}`), isIn)
  const { refresh_token: token, access_token: access } = first.json()
  const before = await test.accounts.find(`gil${n}`)
  for (const mode of ['cut', 'silent', 'garbage', 500, 302] as const) {
    user.mode = mode
    t.match(await login(`gil${n}`), RETRY, `${mode}: ours is no verdict`)
    t.match(await login(`nobody${n}`), RETRY)
  }
  const asked = user.asked
  t.match(await login(`gil${n}`), RETRY)
  t.equal(user.asked, asked, 'after five failures it is left alone')
  t.match(await test.introspect(access), { active: true })
  t.equal((await test.refresh(token)).statusCode, 200, 'sessions live on')
  t.equal((await test.login()).token_type, 'Bearer', 'ours log in')
  t.same(await test.accounts.find(`gil${n}`), before, 'nothing has changed')
  user.mode = 'up'
  const again = () => {
    test.clock.advance(1_000)
    return login(`gil${n}`)
  }
  t.ok(isIn(await askUntil(again, isIn)), 'a second later it is asked again')
  const lines = test.lines.join('')
  t.match(lines, /the directory does not answer/)
  t.match(lines, /the directory answers again/)
  t.notMatch(lines, new RegExp(WORDS))
  const rendered = await test.metrics.render()
  t.match(rendered, /latchkey_directory_up\{directory="app-\d+"\} 1/)
  t.match(rendered, /latchkey_directory_answers_total\{.*outcome="refused"\} [1-9]/)
}

async function graceTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url)
  user.users.push({ id: 1, name: `hal${n}`, password: WORDS })
  let { refresh_token: token } = (await login(`hal${n}`)).json()
  const ours = await test.login()
  user.mode = 500
  const { grace } = test.live.recheck
  const statuses: number[] = []
  const step = async () => {
    const answer = await test.refresh(token)
    statuses.push(answer.statusCode)
    if (answer.statusCode === 200) token = answer.json().refresh_token
    await test.elsewhere?.settled()
    test.clock.advance(grace / 2)
  }
  for (let steps = 0; steps < 5; steps++) await step()
  t.same(statuses, [200, 200, 200, 200, 503], 'for directory.grace, then 503')
  t.equal((await test.refresh(ours.refresh_token)).statusCode, 200, 'ours are never held')
  user.mode = 'up'
  await step()
  t.equal(statuses.at(-1), 503, 'the look that finds it back is begun by this one')
  await step()
  t.equal(statuses.at(-1), 200, 'the token was not spent')
}

async function copyTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url, { migrate: 'copy' })
  const ida = { id: 'i-1', name: `ida${n}`, password: WORDS }
  user.users.push(ida)
  const { refresh_token: token } = (await login(`ida${n}`)).json()
  t.match((await test.accounts.find(`ida${n}`))?.passwordHash, /^\$argon2id\$/)
  t.equal((await login(`ida${n}`)).statusCode, 200)
  t.equal((await test.refresh(token)).statusCode, 200)
  user.mode = 'cut'
  t.equal((await login(`ida${n}`)).statusCode, 200, 'the copy lets in while it is away')
  t.match(await login(`ida${n}`, 'wrong'), RETRY, 'and says nothing of who exists')
  t.match(await login(`nobody${n}`), RETRY)
  user.mode = 'up'
  ida.password = 'another one since'
  const second = await login(`ida${n}`, ida.password)
  t.equal(second.statusCode, 200)
  t.equal((await test.refresh(second.json().refresh_token)).statusCode, 200)
  t.equal((await login(`ida${n}`)).statusCode, 400, 'the old one is wrong')
  t.match(await test.accounts.adopt(`ida${n}`), { kind: 'done' })
  user.mode = 'cut'
  t.equal((await login(`ida${n}`, ida.password)).statusCode, 200, 'adopted: it is ours')
  t.equal((await login(`ida${n}`, 'wrong')).statusCode, 400)
  // Here it has another name by now: nobody gets a second account by the same id.
  user.mode = 'up'
  t.match(await test.accounts.rename(`ida${n}`, `idaho${n}`), { kind: 'done' })
  t.equal((await login(`ida${n}`, ida.password)).statusCode, 400)
}

async function ownedTest(t: Test, url: string): Promise<void> {
  const { user, test, login, n } = await start(t, url, {
    sub: 'external',
    scopes: ['profile'],
  })
  test.live.attributes = { plan: TEXT }
  user.users.push({ id: `u-${n}`, name: `joe${n}`, password: WORDS })
  user.users.push({ id: `ü ${n}`, name: `jim${n}`, password: WORDS })
  const joe = `joe${n}`
  const { refresh_token: token, scope } = (await login(joe)).json()
  t.equal(scope, 'profile')
  const { accounts } = test
  t.equal((await accounts.find(joe))?.sub, `u-${n}`, 'sub: external')
  t.equal((await login(`jim${n}`)).statusCode, 200)
  t.match((await accounts.find(`jim${n}`))?.sub, /-8/, 'where it is safe as one')
  user.users.push({ id: 'mobile', name: `mob${n}`, password: WORDS })
  t.equal((await login(`mob${n}`)).statusCode, 200)
  t.match(
    (await accounts.find(`mob${n}`))?.sub,
    /-8/,
    "no client's id: its own tokens have it",
  )
  const owned = { kind: 'refused', reason: 'directory_owns' }
  t.match(await accounts.setPassword(joe, PASSWORD), owned)
  t.match(await accounts.rename(joe, 'other'), owned)
  t.match(await accounts.setAttributes(joe, { attributes: { plan: 'x' } }), owned)
  t.match(await accounts.setAccess(joe, { scopes: null, roles: ['admin'] }), owned)
  t.match(await accounts.setAccess(joe, { scopes: null, roles: [] }), { kind: 'done' })
  t.match(await accounts.disable(joe), { kind: 'done' }, 'an operator may lock out')
  const attempt = { name: joe, password: WORDS, clientId: 'mobile', address: '::1' }
  const locked = { kind: 'refused', reason: 'user_disabled' }
  t.match(await test.authenticate(attempt), locked, 'whatever the app says')
  t.equal((await login(joe)).statusCode, 400)
  t.equal((await test.refresh(token)).statusCode, 400)
}

async function orderTest(t: Test, url: string): Promise<void> {
  const [one, two] = [await startUserApp(), await startUserApp()]
  const test = await buildTestApp({
    storeUrl: url,
    secrets: SECRETS,
    directories: [
      appDirectory(one, { name: 'one', lookupUrl: undefined }),
      appDirectory(two, { name: 'two' }),
    ],
  })
  t.teardown(async () => {
    await test.elsewhere?.close()
    await test.close()
    await one.stop()
    await two.stop()
  })
  const login = (username: string, password: string) =>
    test.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username,
      password,
    })
  const both = `both${url.length}`
  one.users.push({ id: 1, name: both, password: 'first' })
  two.users.push({ id: 1, name: both, password: 'second' })
  two.users.push({ id: 2, name: `late${url.length}`, password: 'second' })
  t.equal((await login(both, 'second')).statusCode, 400, 'the first that knows decides')
  const { refresh_token: token } = (await login(both, 'first')).json()
  t.equal((await test.refresh(token)).statusCode, 200)
  await test.elsewhere?.settled()
  t.equal((await login(`late${url.length}`, 'second')).statusCode, 200)
  // The first has forgotten the name, and can't be asked by id: it may be somebody else's.
  one.users.pop()
  t.equal((await login(both, 'second')).statusCode, 400)
  // The shadow's own directory is away while somebody else wants its name.
  two.users.push({
    id: 3,
    name: 'mover',
    password: 'third',
    more: { name: `late${url.length}` },
  })
  two.users.splice(1, 1)
  one.mode = 500
  t.equal((await login(`late${url.length}`, 'second')).statusCode, 503, 'it may know it')
}

async function strangerTest(t: Test, url: string): Promise<void> {
  const first = await start(t, url)
  const name = `zoe${first.n}`
  first.user.users.push({ id: 1, name, password: WORDS })
  const login = await first.login(name)
  t.equal(login.statusCode, 200)
  const second = await start(t, url)
  second.user.users.push({ id: 2, name, password: WORDS })
  const answer = await second.login(name)
  t.equal(answer.statusCode, 400, 'the name is kept, and its directory is not asked')
  const refreshed = await second.test.refresh(login.json().refresh_token)
  t.equal(refreshed.statusCode, 200, 'and its sessions go on')
  await second.test.elsewhere?.settled()
  const again = await second.test.refresh(refreshed.json().refresh_token)
  t.equal(again.statusCode, 200, 'after a look, too: who cannot be asked for is not gone')
}

async function otherCaseTest(t: Test, url: string): Promise<void> {
  const { user, login, test, n } = await start(t, url)
  user.users.push({ id: 1, name: `mia${n}`, password: WORDS })
  const off = { disabled: true }
  user.users.push({ id: 2, name: `Mia${n}`, password: 'of another', more: off })
  const answer = await login(`mia${n}`)
  t.equal(answer.statusCode, 200)
  t.equal((await login(`Mia${n}`, 'of another')).statusCode, 400, 'who is disabled')
  const { refresh_token: token } = answer.json()
  t.equal((await test.refresh(token)).statusCode, 200, 'ends nobody else')
}

async function spellingTest(t: Test, url: string): Promise<void> {
  const { user, login, test, n } = await start(t, url)
  user.users.push({ id: 1, name: `Nia${n}`, password: WORDS })
  t.equal((await login(`nia${n}`)).statusCode, 400, 'the app has nobody of that spelling')
  t.equal((await login(`Nia${n}`)).statusCode, 200, 'but somebody else')
  t.equal((await login(`nia${n}`)).statusCode, 400, 'who is not let in by it')
  const { asked } = user
  t.equal((await login(`nia${n}`)).statusCode, 400)
  t.equal(user.asked, asked, 'which is not asked for twice')
  t.equal((await login(`Nia${n}`)).statusCode, 200, 'nor held against her')
  test.live.logins = { ...UNTHROTTLED, perName: 2 }
  const guesses = ['nIa', 'niA', 'NIa', 'NIA'].map(name => `${name}${n}`)
  const reasons: unknown[] = []
  for (const [index, name] of guesses.entries()) {
    reasons.push((await login(name, `guess ${index}`)).json().error_description)
  }
  t.equal(new Set(reasons.slice(0, 2)).size, 1)
  t.not(reasons[3], reasons[0], 'whoever spells a name in many ways is counted once')
}
