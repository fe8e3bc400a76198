// The rules for new passwords, and the lists of breached ones.
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createFilter, filterSize } from '../../src/users/blocklist/filter.ts'
import { openBlocklist, sha1Of } from '../../src/users/blocklist/open-blocklist.ts'
import { createCheckNewPassword } from '../../src/users/new-password.ts'

/** A list of the operator's alone. */
const openList = (blocklist: string | undefined) =>
  openBlocklist({ blocklist, refuseCommon: false })

const check = createCheckNewPassword({
  minLength: () => 8,
  issuer: 'https://id.example.com/tenant',
  isBreached: async password => password === 'correct horse',
})

const rows = [
  { name: 'a good one', password: 'battery staple', fault: undefined },
  { name: 'the least length', password: '12345678', fault: undefined },
  { name: 'every kind of blank', password: 'tab\tand \u00A0more', fault: undefined },
  { name: 'signs of the form encoding', password: 'a+b%20&c=d', fault: undefined },
  { name: 'emoji', password: '🔑'.repeat(8), fault: undefined },
  { name: 'letters of one kind only', password: 'qqqqqqqqqqqqqqq', fault: undefined },
  { name: 'too few characters', password: '1234567', fault: 'password_too_short' },
  { name: 'too few emoji', password: '🔑'.repeat(7), fault: 'password_too_short' },
  {
    name: 'too few once composed',
    password: 'e\u0301'.repeat(7),
    fault: 'password_too_short',
  },
  { name: 'nothing', password: '', fault: 'password_too_short' },
  { name: '256 bytes', password: 'a'.repeat(256), fault: undefined },
  { name: '257 bytes', password: 'a'.repeat(257), fault: 'password_too_long' },
  {
    name: '257 bytes of UTF-8',
    password: 'é'.repeat(128) + 'a',
    fault: 'password_too_long',
  },
  { name: '256 bytes once composed', password: 'e\u0301'.repeat(128), fault: undefined },
  { name: 'the name', password: 'Annabelle', fault: 'password_is_name' },
  {
    name: 'the name in another case and width',
    password: 'ａNNABELLE',
    fault: 'password_is_name',
  },
  { name: 'the name with a year', password: 'Annabelle2026!', fault: 'password_is_name' },
  { name: 'the name twice', password: 'annabelle annabelle', fault: 'password_is_name' },
  { name: 'a part of the name', password: 'Lee-12345678', fault: 'password_is_name' },
  { name: 'the issuer', password: 'id.example.com', fault: 'password_is_name' },
  {
    name: "the issuer's name and ours",
    password: 'Example#annabelle',
    fault: 'password_is_name',
  },
  { name: 'more than names', password: 'Annabelle likes example', fault: undefined },
  {
    name: 'more blanks than a name may hold',
    password: `${' '.repeat(200)}annabelle`,
    fault: 'password_is_name',
  },
  {
    name: 'more than a name may hold',
    password: `annabelle\u0378${'1'.repeat(200)}`,
    fault: 'password_is_name',
  },
  { name: 'a breached one', password: 'correct horse', fault: 'password_breached' },
  { name: 'a line break', password: 'battery\nstaple', fault: 'password_malformed' },
  {
    name: 'a carriage return',
    password: 'battery staple\r',
    fault: 'password_malformed',
  },
  { name: 'NUL', password: 'battery\0staple', fault: 'password_malformed' },
  { name: 'DEL', password: 'battery\x7Fstaple', fault: 'password_malformed' },
  {
    name: 'a noncharacter',
    password: 'battery\uFFFFstaple',
    fault: 'password_malformed',
  },
  {
    name: 'a lone surrogate',
    password: 'battery\uD800staple',
    fault: 'password_malformed',
  },
]

for (const { name, password, fault } of rows) {
  t.test(`a new password of ${name}: ${fault ?? 'good'}`, async t => {
    t.equal(await check(password, 'Annabelle.Lee@example.com'), fault)
  })
}

t.test('a password is not compared with a name that has no letters', async t => {
  t.equal(await check('123456789', '12345'), undefined)
})

const LISTED = [
  'correct horse',
  'hörse 🐴',
  'password',
  '0',
  ...Array.from({ length: 1500 }, (_, index) => `breached ${index}`),
]
const FREE = [
  'battery staple',
  'hörse',
  ...Array.from({ length: 500 }, (_, index) => `free ${index}`),
]

const line = (password: string, count: number) =>
  `${createHash('sha1').update(password).digest('hex').toUpperCase()}:${count}`
const sortedLines = LISTED.map((password, index) =>
  line(password, 10 ** (index % 9)),
).sort()

function file(t: Test, content: string | Buffer): string {
  const name = join(t.testdir({}), 'list')
  writeFileSync(name, content)
  return name
}

function filterOf(passwords: readonly string[], falsePositives = 1e-6): Buffer {
  const filter = createFilter(filterSize(passwords.length, falsePositives))
  for (const password of passwords) filter.add(sha1Of(password))
  return Buffer.concat(filter.parts())
}

const lists = [
  { name: 'a sorted list', content: () => `${sortedLines.join('\r\n')}\r\n` },
  {
    name: 'a sorted list without counts, in small letters, without a last line break',
    content: () => sortedLines.map(text => text.slice(0, 40).toLowerCase()).join('\n'),
  },
  { name: 'a filter', content: () => filterOf(LISTED) },
]

for (const { name, content } of lists) {
  t.test(`${name} tells what is breached`, async t => {
    const { isBreached, close } = await openList(file(t, content()))
    t.teardown(close)
    for (const password of LISTED) if (!(await isBreached(password))) t.fail(password)
    for (const password of FREE) if (await isBreached(password)) t.fail(password)
    t.ok(await isBreached('ho\u0308rse 🐴'), 'whatever the keyboard')
  })
}

t.test('a short list is a list', async t => {
  for (const passwords of [['a'], ['a', 'b', 'c']]) {
    const lines = passwords.map(password => line(password, 1)).sort()
    const { isBreached, close } = await openList(file(t, lines.join('\n') + '\n'))
    t.teardown(close)
    for (const password of passwords) t.ok(await isBreached(password))
    t.notOk(await isBreached('d'))
  }
})

t.test('no list, nothing listed', async t => {
  const { isBreached, close } = await openList(undefined)
  t.notOk(await isBreached('password'))
  await close()
})

t.test('the most common passwords come along', async t => {
  const own = file(t, filterOf(['a list of our own']))
  const { isBreached, close } = await openBlocklist({
    blocklist: own,
    refuseCommon: true,
  })
  t.teardown(close)
  const common = ['password1', 'PassWord1', 'qwertyuiop', '12345678', 'iloveyou1']
  for (const password of [...common, '1q2w3e4r5t6y7u8i9o0p', 'a list of our own']) {
    t.ok(await isBreached(password), password)
  }
  for (const password of [...FREE, 'A list of our own', 'correct horse battery staple']) {
    if (await isBreached(password)) t.fail(password)
  }
})

t.test('a filter is as wrong as was agreed, and as large', async t => {
  const entries = 10_000
  const passwords = Array.from({ length: entries }, (_, index) => `entry ${index}`)
  const { isBreached, close } = await openList(file(t, filterOf(passwords, 0.01)))
  t.teardown(close)
  let wrong = 0
  for (let i = 0; i < 3_000; i++) wrong += Number(await isBreached(`no entry ${i}`))
  // The same passwords in every run. Fewer than the 30 that were agreed: a filter is whole blocks, here four
  // where three would nearly do.
  t.ok(wrong > 0 && wrong <= 30, `${wrong} of 3,000`)
  t.ok(filterOf(passwords, 0.01).length < (entries * 10.5) / 8 + 8192)
  t.same(filterSize(0, 1e-6), { blocks: 1, marks: 20 }, 'also an empty one')
  t.same(filterSize(10, 1e-30).marks, 32, 'as many marks as the hash gives')
})

const useless = [
  {
    name: 'is plain text',
    content: 'password\nletmein\n',
    message: /neither a sorted list of SHA-1 lines nor a filter.*blocklist build/,
  },
  { name: 'is empty', content: '', message: /neither/ },
  {
    name: 'is in the order of counts',
    content: [...sortedLines].reverse().join('\n'),
    message: /not in the order of its hashes.*blocklist build/,
  },
  {
    name: 'holds other lines, too',
    content: [
      ...sortedLines.slice(0, 700),
      ...Array.from({ length: 700 }, () => 'Z'.repeat(50)),
      ...sortedLines.slice(700),
    ].join('\n'),
    message: /no SHA-1/,
  },
  {
    name: 'is a filter cut short',
    content: filterOf(LISTED).subarray(0, -1),
    message: /not whole/,
  },
]

for (const { name, content, message } of useless) {
  t.test(`a list that ${name} is refused`, async t => {
    await t.rejects(openList(file(t, content)), { message })
  })
}

t.test("a list that isn't there is refused", async t => {
  await t.rejects(openList('/nowhere/at/all'), { code: 'ENOENT' })
})
