// Which field becomes which attribute, and what is said of the others.
import t, { type Test } from 'tap'
import { withIdentifiers, withJson } from '../../../src/cli/import/attributes/known.ts'
import { valueFrom } from '../../../src/cli/import/attributes/values.ts'
import { declarationsOf } from '../../../src/users/attributes/declarations.ts'
import { commandLine } from '../../support/command-line.ts'
import { fileOf } from './files.ts'

const BCRYPT = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'

function setUp(t: Test, ...attributes: string[]) {
  const { latchkey, directory } = commandLine(t, {
    more: ['attributes:', ...attributes.map(line => `  ${line}`)],
  })
  return { latchkey, directory }
}

/** What a dry run would make of the first account. */
async function wouldBe(
  { latchkey }: Pick<ReturnType<typeof setUp>, 'latchkey'>,
  line: string,
  stdin = '',
) {
  const { records, err } = await latchkey(`users import ${line} --dry-run --json`, stdin)
  const [found] = records.filter(record => 'wouldBe' in record)
  return Object(found)['wouldBe'] ?? { err }
}

t.test('what is not declared is counted, with what would take it', async t => {
  const { latchkey, directory } = setUp(t, 'email: {}')
  const django = fileOf('django-auth_user.csv', directory)
  const { out } = await latchkey(`users import ${django} --from django --dry-run`)
  for (const line of [
    '  email: "zoe@example.com"',
    'not taken: first_name of 1 (to take it: declare the attribute given_name)',
    'not taken: last_name of 1 (to take it: declare the attribute family_name)',
    'not taken: is_staff of 2 (to take it: --map attributes.NAME=is_staff, for a declared attribute)',
    'not taken: department of 1 (to take it: --map attributes.NAME=department,',
  ]) {
    t.match(out, line)
  }
  t.notMatch(out, /Zoë|Köln/, 'no value')
  t.notMatch(out, /date_joined|last_login/, 'the bookkeeping of the system')
})

t.test('of very many fields the first are counted', async t => {
  const { latchkey } = setUp(t, 'email: {}')
  const columns = Array.from({ length: 130 }, (_, index) => `c${index}`)
  const head = `login,pw,${columns.join(',')}`
  const row = (name: string) => `${name},${BCRYPT},${columns.map(() => 'x').join(',')}`
  const { records } = await latchkey(
    'users import - --map name=login,passwordHash=pw --json',
    [head, row('ann'), row('bob')].join('\n'),
  )
  const counted = records.filter(record => 'notTaken' in record)
  t.equal(counted.length, 101)
  t.strictSame(counted.at(-1), {
    notTaken: '(other fields)',
    accounts: 60,
    attribute: null,
  })
})

t.test(
  'a map has the last word on an attribute, and the flag is about its own address',
  async t => {
    const bench = setUp(t, 'email: {}', 'name: {}', 'nickname: {}')
    const auth0 = fileOf('auth0-joined.jsonl', bench.directory)
    t.match(await wouldBe(bench, `${auth0} --from auth0`), {
      attributes: { email: 'zoe@example.com', name: 'Zoë Müller' },
      emailVerified: true,
    })
    const user = {
      _id: { $oid: '1' },
      email: 'ann@example.com',
      email_verified: true,
      passwordHash: BCRYPT,
      blocked: false,
      name: 'Ann',
      nickname: 'annie',
      user_metadata: { mail: 'other@example.com' },
    }
    t.match(
      await wouldBe(
        bench,
        '- --from auth0 --map attributes.email=user_metadata.mail,attributes.name=nickname',
        JSON.stringify(user),
      ),
      {
        attributes: { email: 'other@example.com', name: 'annie', nickname: 'annie' },
        emailVerified: false,
      },
    )
  },
)

t.test('a field that a map takes is not reported under its own name', async t => {
  const { latchkey } = setUp(t, 'title: { type: string }')
  const line = JSON.stringify({
    _id: { $oid: '1' },
    email: 'ann',
    passwordHash: BCRYPT,
    blocked: false,
    name: 'Ann',
    given_name: 'Ann',
  })
  const { records } = await latchkey(
    'users import - --from auth0 --map attributes.title=name --json',
    line,
  )
  t.strictSame(
    records.filter(record => 'notTaken' in record),
    [{ notTaken: 'given_name', accounts: 1, attribute: 'given_name' }],
  )
})

t.test('our own form: columns by the name of an attribute, members by a map', async t => {
  const bench = setUp(t, 'email: {}', 'name: {}', 'tenant: { type: string }')
  const head = 'name,passwordHash,email,attributes.name,emailVerified'
  t.match(await wouldBe(bench, '-', `${head}\nann,${BCRYPT},ann@example.com,Ann,t`), {
    name: 'ann',
    attributes: { email: 'ann@example.com', name: 'Ann' },
    emailVerified: true,
  })
  const own = {
    name: 'ann',
    passwordHash: BCRYPT,
    attributes: { email: 'a@example.com' },
  }
  t.match(
    await wouldBe(
      bench,
      '- --map attributes.tenant=org.id',
      JSON.stringify({ ...own, org: { id: 'acme' } }),
    ),
    { attributes: { email: 'a@example.com', tenant: 'acme' } },
  )
  for (const [flags, text, says] of [
    [
      '',
      JSON.stringify({ ...own, email: 'a@example.com' }),
      'line 1: email: no such field',
    ],
    [
      ' --map attributes.tenant=org',
      JSON.stringify({ ...own, attributes: 'x', org: 'acme' }),
      'line 1: attributes: not an object',
    ],
    ['', `name,passwordHash,mail\nann,${BCRYPT},x`, 'known are name, sub, '],
    [
      '',
      `name,passwordHash,attributes.mail\nann,${BCRYPT},x`,
      'emailVerified, email, name',
    ],
    [
      ' --map attributes.mail=org',
      JSON.stringify(own),
      '--map attributes.mail: the configuration',
    ],
    [' --map attributes.tenant=org', JSON.stringify(own), 'has no org; it has name,'],
    [
      ' --from django --map attributes.tenant=org',
      `username,password,is_active\nann,${BCRYPT},t`,
      'has no org; it has username, password, is_active',
    ],
  ] as const) {
    const { code, out, err } = await bench.latchkey(`users import -${flags}`, text)
    t.equal(code, 1, says)
    t.match(out + err, says)
  }
})

t.test('a map of attributes where none is declared', async t => {
  const { latchkey } = commandLine(t)
  t.match(await latchkey('users import - --map attributes.a=b', '{}'), {
    code: 1,
    err: /declares no such attribute \(attributes has none\)/,
  })
  for (const [map, says] of [
    ['attributes.=b', /Pairs such as/],
    ['attributes.a=b --map attributes.a=c', /A field stands twice/],
    ['name=a --map sub=b', /It needs name, and password or passwordHash/],
  ] as const) {
    t.match(await latchkey(`users import - --map ${map}`, '{}'), { code: 2, err: says })
  }
})

t.test('where a path of a map leads into a text, the text is reported', async t => {
  const { latchkey } = setUp(t, 'tenant: { type: string }')
  const line = (name: string, org: unknown) =>
    JSON.stringify({ login: name, pw: BCRYPT, org })
  const { records } = await latchkey(
    'users import - --map name=login,passwordHash=pw,attributes.tenant=org.id --json',
    [line('ann', { id: 'acme', size: 3 }), line('bob', 'acme')].join('\n'),
  )
  t.strictSame(
    records.filter(record => 'notTaken' in record).map(one => one['notTaken']),
    ['org.size', 'org'],
  )
})

t.test('a record that is no object has no attributes', async t => {
  const { latchkey } = setUp(t, 'email: {}')
  for (const from of [
    'django',
    'auth0',
    'supabase',
    'firebase --firebase-parameters P',
  ]) {
    t.match(await latchkey(`users import - --from ${from} --format jsonl`, '7'), {
      code: 1,
    })
  }
  const django = JSON.stringify({ username: 'ann', password: BCRYPT, is_active: true })
  t.match(await latchkey('users import - --from django', `${django}\n7`), {
    code: 1,
    out: /^line 2: username: missing\n1 imported/,
  })
  t.equal(withIdentifiers(7), 7)
  t.equal(withJson(['a'])(7), 7)
  t.strictSame(withJson(['a', 'b', 'c'])({ a: '{"x":1}', b: '{', c: 1, d: '{}' }), {
    a: { x: 1 },
    b: '{',
    c: 1,
    d: '{}',
  })
  const [phone, mail] = [
    { type: 'phone', value: '1' },
    { type: 'email', value: 'a', verified: true },
  ]
  for (const record of [
    { identifiers: [phone] },
    { identifiers: [mail], email: 'b' },
    { identifiers: 'x' },
  ]) {
    t.equal(withIdentifiers(record), record)
  }
  t.match(withIdentifiers({ identifiers: [phone, mail] }), {
    email: 'a',
    email_verified: true,
  })
})

t.test('a number of a phone that is none stays as it is', async t => {
  const bench = setUp(t, 'phone_number: {}')
  const user = {
    id: '1',
    email: 'ann',
    encrypted_password: BCRYPT,
    banned_until: null,
    deleted_at: null,
    email_confirmed_at: '2026-01-01 00:00:00+00',
  }
  const phone = (value: unknown) =>
    wouldBe(bench, '- --from supabase', JSON.stringify({ ...user, phone: value }))
  t.match(await phone('+49301'), { attributes: { phone_number: '+49301' } })
  const { records } = await bench.latchkey(
    'users import - --from supabase --json',
    JSON.stringify({ ...user, phone: 49301 }),
  )
  t.match(records, [{ line: 1, reason: 'attribute_invalid', field: 'phone' }, {}])
})

t.test('values by the declared type', t => {
  const declarations = declarationsOf({
    flag: { type: 'boolean', list: false, unique: false },
    flags: { type: 'boolean', list: true, unique: false },
    count: { type: 'integer', list: false, unique: false },
    text: { type: 'string', list: false, unique: false },
    texts: { type: 'string', list: true, unique: false },
  })
  for (const [name, value, isCell, expected] of [
    ['flag', 'T', true, true],
    ['flag', 0, false, false],
    ['flag', 'x', true, 'x'],
    ['flags', 't;no', true, [true, false]],
    ['flags', [1, '0'], false, [true, false]],
    ['count', '-7', true, -7],
    ['count', '7.0', true, '7.0'],
    ['count', ['7'], false, 7],
    ['text', '7', true, '7'],
    ['text', 7, false, 7],
    ['text', ['a', 'b'], false, ['a', 'b']],
    ['texts', 'a;b', false, ['a;b']],
    ['texts', ' a; ;b;', true, ['a', 'b']],
    ['texts', '["a;b","c"]', true, ['a;b', 'c']],
    ['texts', '["a"', true, [null]],
    ['texts', 7, false, [7]],
  ] as const) {
    const declaration = declarations.get(name)
    if (declaration === undefined) throw new Error(name)
    t.strictSame(valueFrom(value, declaration, isCell), expected, `${name}: ${value}`)
  }
  t.end()
})
