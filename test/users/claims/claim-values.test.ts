// Values that accounts have had since before their attribute was unique: they are claimed all at once, or
// none of them while two accounts have the same.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Attributes } from '../../../src/stores/ports/subjects.ts'
import { createValueClaims } from '../../../src/users/claims/claim-values.ts'
import { serverOn, STORES } from '../../conformance/helpers.ts'
import { commandLine } from '../../support/command-line.ts'
import { startInProcess, configOf } from '../../support/in-process.ts'
import { startRedis } from '../../support/redis.ts'
import { someAccount } from '../../support/stores.ts'
import { until } from '../../support/until.ts'

const PLAIN = {
  email: { list: false, unique: false },
  badge: { list: false, unique: false },
}
const UNIQUE = {
  email: { list: false, unique: true },
  badge: { list: false, unique: true },
}
const NEVER = new AbortController().signal
const wait = async () => {}

const email = (value: string) => ({ attribute: 'email', value })

/** A server whose accounts were written while nothing was unique. */
async function worldOn(t: Test, store: (typeof STORES)[number]) {
  const server = await serverOn(t, store)
  const { live, store: kept, core } = server
  live.attributes = PLAIN
  const add = async (sub: string, attributes: Attributes) => {
    t.equal(await kept.directory.add(someAccount(sub, { attributes })), 'added')
  }
  return { ...server, add, claims: core.valueClaims, directory: kept.directory }
}

for (const store of STORES) {
  t.test(`on ${store}: what accounts have is claimed`, async t => {
    const { add, live, claims, directory, accounts } = await worldOn(t, store)
    for (let index = 0; index < 230; index++) {
      await add(
        `user-${index}`,
        index % 2 === 0 ? { email: `U${index}@Example.com` } : {},
      )
    }
    t.strictSame(await claims.unclaimed({ signal: NEVER, wait }), [], 'not asked for')
    live.attributes = UNIQUE
    t.equal(await directory.byValue(email('u4@example.com')), undefined)
    t.strictSame(await claims.unclaimed({ signal: NEVER, wait }), ['email'])
    t.strictSame(await claims.claim(), { accounts: 115, twins: [] })
    t.strictSame(await claims.claim(), { accounts: 0, twins: [] }, 'nothing is left')
    t.strictSame(await claims.unclaimed({ signal: NEVER, wait }), [])
    t.match(await directory.byValue(email('u4@example.com')), { sub: 'user-4' })
    t.match(
      await directory.search({ attribute: 'email', prefix: 'u22', limit: 9 }),
      [220, 222, 224, 226, 228, 22].map(index => ({ account: { sub: `user-${index}` } })),
    )
    t.match(
      await accounts.setAttributes(someAccount('user-1').name, {
        attributes: { email: 'u4@EXAMPLE.com' },
      }),
      { kind: 'refused', reason: 'user_unknown' },
      'a name with blanks is none',
    )
    const user1 = await accounts.bySub('user-1')
    t.match(
      await accounts.change(String(user1?.sub), () => ({
        attributes: { email: 'u4@EXAMPLE.com' },
      })),
      { kind: 'refused', reason: 'attribute_taken', path: 'email' },
    )
  })

  t.test(`on ${store}: twins are named, and nothing is claimed`, async t => {
    const { add, live, claims, directory, accounts } = await worldOn(t, store)
    await add('ann', { email: 'ann@example.com', badge: '1' })
    await add('bob', { email: 'Ann@EXAMPLE.com' })
    await add('cem', { email: 'cem@example.com', badge: '1' })
    await add('dan', { email: 'ANN@example.com' })
    live.attributes = UNIQUE
    const who = (...subs: string[]) => subs.map(sub => ({ sub, name: `Name of ${sub}` }))
    t.strictSame(await claims.claim(), {
      accounts: 0,
      twins: [
        { attribute: 'email', accounts: who('ann', 'bob', 'dan') },
        { attribute: 'badge', accounts: who('ann', 'cem') },
      ],
    })
    t.equal(await directory.byValue(email('cem@example.com')), undefined)
    for (const sub of ['bob', 'dan']) await accounts.removeBySub(sub)
    await accounts.change('ann', () => ({ attributes: { badge: null } }))
    t.match(await claims.unclaimed({ signal: NEVER, wait }), ['email', 'badge'])
    t.strictSame(await claims.claim(), { accounts: 2, twins: [] })
    t.match(await directory.byValue({ attribute: 'badge', value: '1' }), { sub: 'cem' })
  })

  t.test(`on ${store}: a name and a value that log in by one text are twins`, async t => {
    const { add, live, claims, directory, accounts } = await worldOn(t, store)
    const named = async (name: string) => {
      const account = someAccount(name, { name, foldedName: name })
      t.equal(await directory.add(account), 'added')
    }
    await named('ann@example.com')
    await add('bob', { email: 'Ann@Example.com' })
    await named('cem@example.com')
    await accounts.change('cem@example.com', () => ({ rewrites: 'values' }))
    live.attributes = UNIQUE
    live.loginBy = ['name', 'email']
    await accounts.change('cem@example.com', () => ({
      attributes: { email: 'cem@example.com' },
    }))
    t.strictSame(await claims.claim(), {
      accounts: 0,
      twins: [
        {
          attribute: 'email',
          accounts: [
            { name: 'ann@example.com', sub: 'ann@example.com' },
            { name: 'Name of bob', sub: 'bob' },
          ],
        },
      ],
    })
    live.loginBy = ['name']
    t.match(await claims.claim(), { accounts: 1, twins: [] }, 'nobody logs in by both')
    live.loginBy = ['name', 'email']
    t.match(await claims.claim(), { accounts: 0, twins: [] }, 'they have been so before')
  })

  t.test(`on ${store}: who takes a name meanwhile is named, too`, async t => {
    const { add, live, accounts, directory, core } = await worldOn(t, store)
    await add('old', { email: 'the@example.com' })
    live.attributes = UNIQUE
    live.loginBy = ['name', 'email']
    const claims = createValueClaims({
      declarations: core.settings.attributes,
      nameLogins: core.nameLogins,
      directory: { ...directory, find: accounts.find },
      async change(sub, decide) {
        const name = 'the@example.com'
        await directory.add(someAccount('new', { name, foldedName: name }))
        return accounts.change(sub, decide)
      },
    })
    t.match(await claims.claim(), {
      accounts: 0,
      twins: [{ attribute: 'email', accounts: [{ sub: 'old' }, { sub: 'new' }] }],
    })
  })

  t.test(`on ${store}: who takes a value meanwhile keeps it, and is named`, async t => {
    const { add, live, accounts, directory, core } = await worldOn(t, store)
    await add('old', { email: 'the@example.com' })
    await add('other', { email: 'other@example.com' })
    live.attributes = UNIQUE
    let pages = 0
    const claims = createValueClaims({
      declarations: core.settings.attributes,
      nameLogins: core.nameLogins,
      change: accounts.change,
      directory: {
        byValue: directory.byValue,
        find: accounts.find,
        async page(wanted) {
          pages += 1
          const found = await directory.page(wanted)
          // After the look for twins, before the first account is written.
          if (pages === 3) {
            const uniqueValues = [email('the@example.com')]
            await directory.add(someAccount('new', { uniqueValues }))
          }
          return found
        },
      },
    })
    t.match(await claims.claim(), {
      accounts: 1,
      twins: [{ attribute: 'email', accounts: [{ sub: 'old' }, { sub: 'new' }] }],
    })
    t.match(await directory.byValue(email('the@example.com')), { sub: 'new' })
    t.match(await directory.byValue(email('other@example.com')), { sub: 'other' })
  })

  t.test(
    `on ${store}: beside servers that write, each value has one account`,
    async t => {
      const { add, live, accounts, claims, directory } = await worldOn(t, store)
      for (let index = 0; index < 60; index++) {
        await add(`old-${index}`, { email: `${index}@example.com` })
      }
      live.attributes = UNIQUE
      const rivals = Promise.all(
        Array.from({ length: 60 }, async (_, index) =>
          accounts.add({
            name: `rival-${index}`,
            scopes: null,
            roles: [],
            attributes: { email: `${index}@example.com` },
          }),
        ),
      )
      const [outcome, added] = await Promise.all([claims.claim(), rivals])
      const won = added.filter(({ kind }) => kind === 'added').length
      t.match(outcome.twins.length <= won, true)
      for (let index = 0; index < 60; index++) {
        const owner = await directory.byValue(email(`${index}@example.com`))
        const isRival = added[index]?.kind === 'added'
        t.equal(owner?.name, isRival ? `rival-${index}` : `Name of old-${index}`)
      }
    },
  )

  t.test(`on ${store}: an account that goes meanwhile is nobody's fault`, async t => {
    const { add, live, accounts, directory, core } = await worldOn(t, store)
    await add('gone', { email: 'gone@example.com' })
    live.attributes = UNIQUE
    const claims = createValueClaims({
      declarations: core.settings.attributes,
      nameLogins: core.nameLogins,
      directory: { ...directory, find: accounts.find },
      async change(sub, decide) {
        await accounts.removeBySub(sub)
        return accounts.change(sub, decide)
      },
    })
    t.strictSame(await claims.claim(), { accounts: 0, twins: [] })
    await add('left', { email: 'left@example.com' })
    const afterAll = createValueClaims({
      declarations: core.settings.attributes,
      nameLogins: core.nameLogins,
      directory: { ...directory, find: accounts.find },
      // And who had taken the value has gone when it is asked for.
      change: async () => ({ kind: 'refused', reason: 'attribute_taken', path: 'email' }),
    })
    t.match(await afterAll.claim(), {
      twins: [{ attribute: 'email', accounts: [{ sub: 'left' }] }],
    })
  })

  t.test(`on ${store}: the command and the server's start say what is to do`, async t => {
    const redis = store === 'Redis' ? await startRedis() : undefined
    t.teardown(() => redis?.stop())
    const { latchkey, ...given } = commandLine(t, {
      more: ['attributes: { email: { unique: false } }'],
    })
    const uniqueFile = join(given.directory, 'unique.yaml')
    const text = readFileSync(given.file, 'utf8')
    writeFileSync(uniqueFile, text.replace('unique: false', 'unique: true'))
    const storeUrl = redis?.url ?? given.storeUrl
    const before = { env: { LATCHKEY_CONFIG: given.file, STORE: storeUrl } }
    const after = { env: { LATCHKEY_CONFIG: uniqueFile, STORE: storeUrl } }
    for (const name of ['ann', 'bob']) {
      const line = `users add ${name} --attribute email=ann@example.com`
      t.equal((await latchkey(line, 'a long enough password', before)).code, 0)
    }
    t.match(await latchkey('users claim', '', before), {
      code: 0,
      out: 'every unique value is claimed: 0 accounts had some that were not\n',
    })
    const refused = await latchkey('users claim --json', '', after)
    t.match(refused, {
      code: 1,
      records: [
        {
          outcome: 'twins',
          attribute: 'email',
          accounts: [{ name: 'ann' }, { name: 'bob' }],
        },
      ],
      err: /values taken: 1 value at several accounts, 0 accounts claimed/,
    })
    t.notMatch(refused.out, 'ann@example.com', 'no value')
    t.match((await latchkey('users claim', '', after)).out, /^email: ann \(/)

    const config = (unique: boolean) =>
      configOf(storeUrl, { attributes: { email: { unique } } })
    const server = await startInProcess(t, { config: config(true) })
    const told = () =>
      server.lines.filter(line => line.includes('`latchkey users claim`'))
    await until(() => told().length === 1)
    t.match(told()[0], /attributes\.email is unique/)
    server.apply(config(false))
    server.apply(config(true))
    await until(() => told().length === 2)

    await latchkey('users remove bob --yes', '', after)
    t.match(await latchkey('users claim', '', after), {
      code: 0,
      out: 'every unique value is claimed: 1 account had some that were not\n',
    })
    t.match(
      (await latchkey('users list --search ann@ --by email --json', '', after)).records,
      [{ name: 'ann' }],
    )
  })
}

t.test('a look that is ended finds nothing more, and reports no fault', async t => {
  const { add, live, claims } = await worldOn(t, 'SQLite')
  for (let index = 0; index < 101; index++) {
    await add(`user-${100 + index}`, index === 100 ? { email: 'last@example.com' } : {})
  }
  live.attributes = UNIQUE
  const ended = AbortSignal.abort()
  t.strictSame(await claims.unclaimed({ signal: ended, wait }), [])
  t.strictSame(await claims.unclaimed({ signal: NEVER, wait }), ['email'])
})
