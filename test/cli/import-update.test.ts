// `users import --update`: accounts that are there become what their record says, what it lacks stays, and a
// dry run says the same; `--invite`: accounts without a hash.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createUpdateAccounts } from '../../src/users/import/update-accounts.ts'
import { commandLine } from '../support/command-line.ts'
import { NAME_LOGINS } from '../support/stores.ts'

const PASSWORD = 'correct horse battery staple'
const OLD = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
const NEW = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWe'

function setUp(t: Test, more: readonly string[] = []) {
  const bench = commandLine(t, {
    more: [
      'clients: [{ id: mobile, accessTtl: 20m }]',
      'attributes: { email: { type: email, unique: true }, tenant: { type: string } }',
      ...more,
    ],
  })
  const put = (lines: readonly object[], name = 'users.jsonl') => {
    const file = join(bench.directory, name)
    writeFileSync(file, lines.map(line => JSON.stringify(line)).join('\n'))
    return file
  }
  const stored = (name: string) => bench.withStore(store => store.directory.byName(name))
  return { ...bench, put, stored }
}

const alice = {
  name: 'alice',
  sub: '1',
  passwordHash: OLD,
  roles: ['buyer'],
  scopes: ['profile'],
  attributes: { email: 'alice@example.com', tenant: 'acme' },
}
const bob = { name: 'bob', sub: '2', passwordHash: OLD, disabled: true }
const carl = { name: 'carl', passwordHash: OLD, attributes: { email: 'c@example.com' } }

t.test(
  'a delta changes what it says, adds who is new, and a dry run tells the truth',
  async t => {
    const { latchkey, put, stored, directory } = setUp(t)
    await latchkey(`users import ${put([alice, bob, carl])}`)
    const before = await stored('alice')
    const delta = put([
      { ...alice, passwordHash: NEW, name: 'alicia' },
      { name: 'bob', sub: '2', passwordHash: OLD, disabled: false, roles: ['admin'] },
      { name: 'carl', attributes: { tenant: 'globex' } },
      { name: 'dora', sub: '4', passwordHash: NEW },
      { name: 'eve', sub: '5' },
    ])
    const sums = { imported: 1, alreadyThere: 0, refused: 1, disabled: 0, disabledBy: {} }
    const changes = { renamed: 1, password: 1, enabled: 1, access: 1, attributes: 1 }
    const run = async (more: string, dryRun: boolean) => {
      const report = join(directory, 'report.jsonl')
      const ran = await latchkey(
        `users import ${delta} --json --update --report ${report}${more}`,
      )
      t.equal(ran.code, 1, 'eve was refused')
      const [done, total] = ran.records.slice(-2)
      t.same(done, { updated: 3, changes, dryRun })
      t.same(total, { ...sums, dryRun })
      t.match(ran.records[0], { line: 5, reason: 'no_password', field: 'passwordHash' })
      const lines = readFileSync(report, 'utf8').trim().split('\n')
      return { ran, lines: lines.map(line => JSON.parse(line)) }
    }
    const dry = await run(' --dry-run', true)
    t.same(await stored('alice'), before, 'a dry run changes nothing')
    t.equal(await stored('alicia'), undefined)
    t.notMatch(dry.ran.err, 'user.changed')
    const real = await run('', false)
    t.same(real.lines, dry.lines)
    t.match(real.lines[0], {
      line: 1,
      kind: 'updated',
      sub: '1',
      changes: ['renamed', 'password'],
    })
    t.match(real.lines[2], { kind: 'updated', changes: ['attributes'] })
    t.match(real.ran.err, '"change":"password"')
    t.match(
      real.ran.err,
      '"users.imported","imported":1,"alreadyThere":0,"refused":1,"updated":3',
    )
    t.notMatch(real.ran.err + real.ran.out, /\$2b\$/)
    const alicia = await stored('alicia')
    t.match(alicia, {
      sub: '1',
      passwordHash: NEW,
      roles: ['buyer'],
      scopes: ['profile'],
    })
    t.equal(
      alicia?.sessionsEpoch,
      Number(before?.sessionsEpoch) + 1,
      'sessions have ended',
    )
    t.match(await stored('bob'), { disabled: false, roles: ['admin'], passwordHash: OLD })
    t.match(await stored('carl'), {
      attributes: { email: 'c@example.com', tenant: 'globex' },
      passwordHash: OLD,
    })
    t.equal(await stored('alice'), undefined)
    const again = await latchkey(`users import ${delta} --update`)
    t.match(again.out, /^0 imported, 4 already there, 1 refused$/m)
    t.notMatch(again.out, 'updated')
  },
)

t.test('what a record does not say stays; a banned one is disabled', async t => {
  const { latchkey, put, stored } = setUp(t)
  await latchkey(`users import ${put([alice, bob])}`)
  const bare = put([
    { name: 'alice', sub: '1', passwordHash: OLD },
    { name: 'bob', sub: '2', passwordHash: OLD },
  ])
  t.match((await latchkey(`users import ${bare} --update`)).out, /2 already there/)
  t.match(await stored('alice'), {
    roles: ['buyer'],
    scopes: ['profile'],
    disabled: false,
  })
  t.match(await stored('bob'), { disabled: true })
  const shut = put([{ name: 'alice', sub: '1', enabled: false }])
  const { out } = await latchkey(`users import ${shut} --update`)
  t.match(out, /^1 updated \(disabled: 1\)$/m)
  t.match(await stored('alice'), { disabled: true, sessionsEpoch: 2 })
})

t.test(
  'what can not be is refused by name, dry or not, and nothing of it is changed',
  async t => {
    const { latchkey, put, stored } = setUp(t)
    await latchkey(`users import ${put([alice, bob, carl])}`)
    const rows = [
      [{ ...alice, name: 'bob' }, 'name_taken'],
      [{ ...alice, attributes: { email: 'C@example.com' } }, 'attribute_taken'],
      [{ ...alice, attributes: { shoe: '44' } }, 'attribute_undeclared'],
      [{ ...alice, attributes: { tenant: 7 } }, 'attribute_invalid'],
      [{ ...bob, emailVerified: true }, 'attribute_invalid'],
      [{ ...alice, passwordHash: 'md5$x' }, 'hash_unsupported'],
      [{ name: 'alice', sub: '1', password: 'short' }, 'password_too_short'],
      [{ ...alice, name: 'a\tb' }, 'name_invalid'],
      [{ name: 'a\tb', passwordHash: OLD }, 'name_invalid'],
      [{ ...alice, sub: '9' }, 'name_taken'],
      [{ ...alice, roles: 7 }, 'line_malformed'],
    ] as const
    for (const [row, reason] of rows) {
      for (const more of [' --dry-run', '']) {
        const { records } = await latchkey(
          `users import ${put([row])} --json --update${more}`,
        )
        t.match(records[0], { line: 1, reason }, `${reason}${more}`)
      }
    }
    t.match(await stored('alice'), { version: 0, passwordHash: OLD })
  },
)

t.test(
  'a password in the clear is hashed, and of two records the later one counts',
  async t => {
    const { latchkey, put, stored } = setUp(t)
    await latchkey(`users import ${put([alice])}`)
    const twice = put([
      { name: 'alice', sub: '1', password: PASSWORD, roles: ['one'] },
      { name: 'Alice', sub: '1', roles: ['two'] },
    ])
    const { out } = await latchkey(`users import ${twice} --update`)
    t.match(out, /^2 updated \(password: 1, access: 2, renamed: 1\)$/m)
    t.match(await stored('alice'), {
      name: 'Alice',
      passwordHash: /^\$argon2id\$/,
      roles: ['two'],
    })
  },
)

t.test('an account that goes meanwhile is not made anew by a change', async t => {
  const account = { sub: '1', tag: 'x', name: 'alice', attributes: {}, roles: [] }
  let asked = 0
  const update = createUpdateAccounts({
    findLogin: async () => undefined,
    nameLogins: NAME_LOGINS,
    directory: {
      byTag: async () => (asked++ === 0 ? (account as never) : undefined),
      byName: async () => undefined,
      byValue: async () => undefined,
      uniqueValuesOf: async () => [],
      change: async () => ({ kind: 'changed' }),
    },
    hasher: { hash: async () => '', checkForeign: () => undefined },
    emit() {},
    checkNewPassword: async () => undefined,
    declarations: () => new Map(),
    checkClaims: () => undefined,
    dryRun: false,
  })
  const user = {
    ...alice,
    attributes: {},
    disabled: false,
    secret: { passwordHash: OLD },
  }
  t.match(await update({ line: 1, user }), {
    kind: 'refused',
    reason: 'changed_meanwhile',
  })
})

t.test(
  '--invite adds who has no hash; nobody logs in there until there is a password',
  async t => {
    const { latchkey, put, stored } = setUp(t)
    const file = put([
      { name: 'fay', sub: '6' },
      { name: 'gil', passwordHash: '!unusable' },
      alice,
    ])
    const dry = await latchkey(`users import ${file} --invite --dry-run`)
    t.match(dry.out, /^would be: fay .*no password yet$/m)
    t.match(dry.out, /^2 without a password.*latchkey users passwd NAME/m)
    t.equal(await stored('fay'), undefined)
    const { code, records } = await latchkey(`users import ${file} --invite --json`)
    t.equal(code, 0)
    t.same(records.at(-2), { withoutPassword: 2, dryRun: false })
    t.match(await stored('fay'), { sub: '6', passwordHash: '!', disabled: false })
    t.match((await latchkey(`users import ${file} --invite`)).out, /3 already there/)
    await latchkey('users passwd fay', PASSWORD)
    t.match(await stored('fay'), { passwordHash: /^\$argon2id\$/ })
    const again = await latchkey(
      `users import ${put([{ name: 'fay', sub: '6' }])} --invite --update`,
    )
    t.match(
      again.out,
      /1 already there/,
      'a record without a hash takes no password away',
    )
    t.match(await stored('fay'), { passwordHash: /^\$argon2id\$/ })
  },
)

t.test('a name and an address of two people are never one text', async t => {
  const { latchkey, put, stored } = setUp(t, ['login: [name, email]'])
  const ann = { name: 'ann@example.com', passwordHash: OLD }
  const cem = { name: 'cem', passwordHash: OLD, attributes: { email: 'cem@example.com' } }
  const withEmail = (name: string, email: string) => ({
    name,
    passwordHash: OLD,
    attributes: { email },
  })
  const file = put([
    ann,
    withEmail('bob', 'ANN@example.com'),
    cem,
    { ...ann, name: 'Cem@Example.COM' },
  ])
  const twins = [
    { line: 2, reason: 'attribute_taken', field: 'attributes.email', twin: 1 },
    { line: 4, reason: 'name_taken', twin: 3 },
  ]
  for (const how of [' --dry-run', '']) {
    const { records } = await latchkey(`users import ${file} --json${how}`)
    t.match(
      records.filter(({ reason }) => reason !== undefined),
      twins,
      `in one file${how}`,
    )
  }
  t.equal(await stored('bob'), undefined)
  const later = put([
    withEmail('dan', 'ann@example.com'),
    cem,
    { ...ann, name: 'CEM@example.com' },
  ])
  const change = put([withEmail('cem', 'ann@example.com')], 'change.jsonl')
  for (const how of [' --dry-run', '']) {
    const { records } = await latchkey(`users import ${later} --json${how}`)
    t.match(
      records.filter(({ reason }) => reason !== undefined),
      [
        { line: 1, reason: 'attribute_taken' },
        { line: 3, reason: 'name_taken' },
      ],
      `in the store${how}`,
    )
    const changed = await latchkey(`users import ${change} --update --json${how}`)
    t.match(changed.records[0], { line: 1, reason: 'attribute_taken' }, `changed${how}`)
    const kept = put([{ ...cem, roles: ['buyer'] }], 'kept.jsonl')
    const { code } = await latchkey(`users import ${kept} --update${how}`)
    t.equal(code, 0, `what somebody has stays${how}`)
  }
  t.match(await stored('cem'), { attributes: cem.attributes, roles: ['buyer'] })
})

t.test('an import tells nobody, however much it changes; a command tells', async t => {
  const secrets = `[whsec_${Buffer.alloc(32, 1).toString('base64')}]`
  const types = '[notice.password_changed, account.created, account.updated]'
  const bench = commandLine(t, {
    more: [
      `notify: { webhook: { url: "https://a.example/", secrets: ${secrets}, types: ${types} } }`,
    ],
  })
  const file = join(bench.directory, 'users.jsonl')
  const run = async (record: object) => {
    writeFileSync(file, JSON.stringify(record))
    t.match(await bench.latchkey(`users import ${file} --update`), { code: 0 })
  }
  const waiting = () => bench.withStore(store => store.outbox.backlog('webhook'))
  await run({ name: 'alice', passwordHash: OLD })
  await run({ name: 'alice', passwordHash: NEW, roles: ['admin'] })
  t.match(await waiting(), { length: 0 })
  t.match(await bench.latchkey('users passwd alice', PASSWORD), { code: 0 })
  t.match(await waiting(), { length: 1 }, 'it waits until that is noted')
})
