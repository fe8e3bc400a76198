// The command line on attributes, each command on a store of its own.
import t from 'tap'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createNameInLogs } from '../../src/users/names/name-in-logs.ts'
import { commandLine, SECRET } from '../support/command-line.ts'

const PASSWORD = 'correct horse battery staple'
const CONFIG = [
  'attributes:',
  '  email: { unique: true }',
  '  seats: { type: integer }',
  '  groups: { type: string, list: true }',
  'login: [name, email]',
]

t.test('set, show and remove', async t => {
  const { latchkey } = commandLine(t, { more: CONFIG })
  const add =
    'users add ann --attribute email=Ann@Example.com --attribute seats=0 --attribute groups=a ' +
    '--attribute groups=b --email-verified --json'
  const added = await latchkey(add, PASSWORD)
  t.equal(added.code, 0, added.err)
  t.notMatch(added.out + added.err, 'Ann@Example', 'no value in the audit log')
  const [{ sub } = {}] = added.records
  const attributes = { email: 'Ann@Example.com', seats: 0, groups: ['a', 'b'] }
  const hash = (name: string) =>
    createNameInLogs({ secrets: [SECRET], plain: () => false })(name)
  for (const text of [
    'ann',
    'ANN',
    String(sub),
    'ann@example.COM',
    hash('ann'),
    hash('ann@example.com'),
  ]) {
    t.match(
      (await latchkey(`users show ${text} --json`)).records,
      [{ name: 'ann', sub, attributes, emailVerified: true }],
      text,
    )
  }
  for (const text of ['bob', `h:${'x'.repeat(22)}`, 'ü', 'bob@example.com']) {
    t.match(await latchkey(`users show ${text}`), { code: 1, err: /user unknown/ }, text)
  }
  const shown = await latchkey('users show ann')
  t.match(
    shown.out,
    '  email: "Ann@Example.com"  verified\n  seats: 0\n  groups: ["a","b"]',
  )

  const set = await latchkey(
    'users set ann --attribute email=ann@example.org --attribute groups=c --remove seats',
  )
  t.match(set, { code: 0, out: 'ann is changed; sessions live on\n' })
  t.match(set.err, '"attributes":["seats","email","groups","email_verified"]')
  t.notMatch(set.err, 'ann@example.org')
  const [after = {}] = (await latchkey('users show ann --json')).records
  t.strictSame(after['attributes'], { email: 'ann@example.org', groups: ['c'] })
  t.equal(after['emailVerified'], false, 'another address')
  t.equal((await latchkey('users set ann --email-verified')).code, 0)
  t.match((await latchkey('users show ann')).out, 'verified')
  t.equal((await latchkey('users set ann --no-email-verified')).code, 0)
  t.notMatch((await latchkey('users show ann')).out, 'verified')
})

t.test('what tokens could not carry is refused before it is written', async t => {
  const { latchkey } = commandLine(t, {
    more: [
      ...CONFIG,
      'tokens: { claimsMaxBytes: 40 }',
      'claims: { groups: { from: groups } }',
      'audiences: { "https://orders.example.com": { claims: { email: { from: email } } } }',
    ],
  })
  // {"groups":["…"]} has 15 bytes beside the text, and "email":"…" another 11 with its comma.
  const set = (name: string, value: string) =>
    latchkey(`users set ann --attribute ${name}=${value} --json`)
  await latchkey('users add ann', PASSWORD)
  t.equal((await set('groups', 'g'.repeat(5))).code, 0)
  const { code, err } = await set('email', 'longer@example.com')
  t.equal(code, 1)
  t.match(JSON.parse(err), {
    error: 'claims_too_large',
    message:
      'email: expected claims of at most 40 bytes (tokens.claimsMaxBytes) in tokens for ' +
      'https://orders.example.com; with this value they have 49',
  })
  t.match(
    await latchkey(`users add bob --attribute groups=${'é'.repeat(13)} --json`, PASSWORD),
    {
      code: 1,
      err: /groups: expected claims of at most 40 bytes.* in every token; .*have 41/,
    },
  )
  const [ann = {}] = (await latchkey('users show ann --json')).records
  t.strictSame(ann['attributes'], { groups: ['ggggg'] })
  t.match(await latchkey('users show bob'), { code: 1, err: /user unknown/ })
})

t.test('what is refused names the attribute and changes nothing', async t => {
  const { latchkey } = commandLine(t, { more: CONFIG })
  await latchkey('users add ann --attribute email=ann@example.com', PASSWORD)
  await latchkey('users add bob --attribute seats=1', PASSWORD)
  for (const [options, error, message] of [
    ['email=ANN@example.com', 'attribute_taken', 'email: another account has this value'],
    ['tenant=a', 'attribute_undeclared', 'tenant: expected one of email, seats, groups'],
    ['seats=many', 'attribute_invalid', /^seats: expected a whole number/],
    ['email=', 'attribute_invalid', /^email: expected an e-mail address/],
    ['__proto__=a', 'attribute_undeclared', /^__proto__: expected one of/],
  ] as const) {
    for (const command of ['set bob', 'add carol']) {
      const line = `users ${command} --attribute ${options} --json`
      const { code, err } = await latchkey(line, PASSWORD)
      t.equal(code, 1, line)
      t.match(JSON.parse(err), { error, message }, line)
    }
  }
  const users = (await latchkey('users list --json')).records
  t.strictSame(users.map(({ name, attributes }) => ({ name, attributes })).sort(byName), [
    { name: 'ann', attributes: { email: 'ann@example.com' } },
    { name: 'bob', attributes: { seats: 1 } },
  ])
  t.match(await latchkey('users set nobody --email-verified'), {
    code: 1,
    err: 'latchkey: user unknown: nobody\n',
  })
  t.match(
    await latchkey('users add ann@example.com --json', PASSWORD),
    { code: 1, err: /name_taken/ },
    'a name by which another account logs in',
  )
  for (const pair of ['email', '=a', '']) {
    t.equal((await latchkey(`users set ann --attribute ${pair}`)).code, 2, pair)
  }
})

t.test('what export writes, import reads', async t => {
  const from = commandLine(t, { more: CONFIG })
  await from.latchkey(
    'users add ann --attribute email=ann@example.com --attribute seats=0 --email-verified',
    PASSWORD,
  )
  await from.latchkey('users add bob', PASSWORD)
  const exported = await from.latchkey('users export')
  const into = commandLine(t, { more: CONFIG })
  const file = join(into.directory, 'users.jsonl')
  writeFileSync(file, exported.out)
  t.match(await into.latchkey(`users import ${file}`), { code: 0, out: /2 imported/ })
  t.match((await into.latchkey('users show ann@example.com --json')).records, [
    {
      name: 'ann',
      attributes: { email: 'ann@example.com', seats: 0 },
      emailVerified: true,
    },
  ])
  t.match((await into.latchkey('users show bob --json')).records, [{ attributes: {} }])
  t.equal((await into.latchkey('users export')).out.length, exported.out.length)
})

t.test('an import refuses attributes as every other way in', async t => {
  const { latchkey, directory } = commandLine(t, { more: CONFIG })
  await latchkey('users add ann --attribute email=ann@example.com', PASSWORD)
  const file = join(directory, 'users.jsonl')
  const line = (name: string, more: object) =>
    JSON.stringify({ name, password: PASSWORD, ...more })
  const lines = [
    line('b', { attributes: { email: 'ANN@example.com' } }),
    line('c', { attributes: { tenant: 'x' } }),
    line('d', { attributes: { seats: '1' } }),
    line('e', { attributes: ['x'] }),
    line('f', { attributes: { email: 'f@example.com' } }),
    line('g', { attributes: { email: 'F@example.com', groups: [] } }),
    line('h', {
      attributes: { groups: Array.from({ length: 90 }, () => 'x'.repeat(100)) },
    }),
    line('i', { emailVerified: 'maybe' }),
    line('j', { emailVerified: true }),
  ]
  writeFileSync(file, lines.join('\n'))
  for (const dryRun of [' --dry-run', '']) {
    const { code, err, out } = await latchkey(`users import ${file}${dryRun}`)
    t.equal(code, 1)
    for (const words of [
      'line 1: attributes.email: another account has this value',
      'line 2: attributes.tenant: expected one of email, seats, groups',
      'line 3: attributes.seats: expected a whole number',
      'line 4: attributes: not an object',
      'line 6: attributes.email taken: line 5 of this file has it as well',
      'line 7: attributes.groups: expected at most 8192 bytes',
      'line 8: emailVerified: neither true nor false',
      'line 9: attributes.email_verified: expected an attribute email',
    ]) {
      t.match(err + out, words)
    }
    t.match(out, dryRun === '' ? '1 imported' : '1 would be imported')
  }
})

function byName(one: { name: unknown }, other: { name: unknown }): number {
  return String(one.name).localeCompare(String(other.name))
}

t.test("an import refuses a name that is another account's address", async t => {
  const { latchkey, directory } = commandLine(t, { more: CONFIG })
  const added = await latchkey(
    'users add ann --attribute email=ann@example.com',
    PASSWORD,
  )
  t.equal(added.code, 0, added.err)
  const file = join(directory, 'users.jsonl')
  writeFileSync(
    file,
    `${JSON.stringify({ name: 'ANN@example.COM', password: PASSWORD })}\n`,
  )
  const run = await latchkey(`users import ${file}`)
  t.equal(run.code, 1)
  t.match(run.out + run.err, /line 1.*name/)
  const users = (await latchkey('users list --json')).records
  t.match(users, [{ name: 'ann' }])
  t.equal(users.length, 1, 'nothing has changed')
  t.equal((await latchkey('users add dave', PASSWORD)).code, 0)
  const dave = (await latchkey('users show dave --json')).records[0]?.['sub']
  writeFileSync(file, `${JSON.stringify({ sub: dave, name: 'ann@example.com' })}\n`)
  for (const dry of ['', ' --dry-run']) {
    const delta = await latchkey(`users import ${file} --update${dry}`)
    t.equal(delta.code, 1)
    t.match(delta.out + delta.err, /name taken/)
  }
  t.equal((await latchkey('users show dave')).code, 0, 'he is called as before')
})
