// What is wrong with a whole file is said once, before its first record: its format, its columns, its bytes.
import { writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { delimiterOf, formatOfName, formatOfStart } from '../../src/cli/import/format.ts'
import { createToItem } from '../../src/cli/import/items.ts'
import { readRecords } from '../../src/cli/import/records.ts'
import { OURS } from '../../src/cli/import/systems.ts'
import { commandLine } from '../support/command-line.ts'

const BCRYPT = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'

function setUp(t: Test) {
  const bench = commandLine(t)
  const put = (name: string, content: string | Buffer) => {
    const file = join(bench.directory, name)
    writeFileSync(file, content)
    return file
  }
  const stored = (name: string) => bench.withStore(store => store.directory.byName(name))
  return { ...bench, put, stored }
}

const lines = (...records: unknown[]) =>
  records.map(record => JSON.stringify(record)).join('\n')
const ann = { name: 'ann', passwordHash: BCRYPT }
const bob = { name: 'bob', passwordHash: BCRYPT }
const rows = (sign: string, ...more: string[]) =>
  [['name', 'passwordHash'], ['ann', BCRYPT], ['bob', BCRYPT], more]
    .filter(row => row.length > 0)
    .map(row => row.join(sign))
    .join('\r\n')

const starts = [
  { name: 'lines of JSON', text: lines(ann, bob), format: 'jsonl' },
  { name: 'one line of JSON', text: lines(ann), format: 'jsonl' },
  { name: 'a line that is no JSON, and others', text: '{"name":}\n{}', format: 'jsonl' },
  { name: 'lines that are lists', text: '[]\n{"name":"ann"}\n', format: 'jsonl' },
  { name: 'a list', text: JSON.stringify([ann]), format: 'json' },
  {
    name: 'a list over lines',
    text: JSON.stringify([ann], undefined, 2),
    format: 'json',
  },
  { name: 'users', text: JSON.stringify({ users: [ann] }), format: 'json' },
  { name: 'a document over lines', text: '{\n  "realm": "x"', format: 'json' },
  {
    name: 'a document without a line break',
    text: '{"realm":"x","roles":[',
    format: 'json',
  },
  { name: 'a table', text: rows(','), format: 'csv' },
  { name: 'a table with quotes', text: '"name","passwordHash"\n', format: 'csv' },
  { name: 'nothing', text: ' \n', format: 'jsonl' },
] as const

t.test('the first bytes say how a file holds its records', async t => {
  for (const { name, text, format } of starts) {
    t.equal(formatOfStart(text, 'jsonl'), format, name)
  }
  t.equal(formatOfStart('{"realm":"x"}', 'json'), 'json')
  t.equal(formatOfStart(lines(ann, bob), 'csv'), 'jsonl')
  t.equal(formatOfName('a.CSV'), 'csv')
  t.equal(formatOfName('a.ndjson'), 'jsonl')
  t.equal(formatOfName('a.json'), undefined)
  t.equal(delimiterOf('"a;b;c",d\n;;;;'), ',')
  t.equal(delimiterOf('a\tb\tc,d'), '\t')
  t.equal(delimiterOf('a'), ',')
})

const realm = (name: string, users: unknown[] | undefined) => ({
  realm: name,
  roles: { realm: [{ name: 'users' }] },
  ...(users !== undefined && { users }),
  clients: [{ users: ['not', 'these'] }],
})

const forms = [
  { name: 'lines of JSON', text: lines(ann, bob) },
  { name: 'a list', text: JSON.stringify([ann, bob]) },
  {
    name: 'an object with users',
    text: JSON.stringify({ version: 1, users: [ann, bob] }),
  },
  { name: 'a realm', text: JSON.stringify(realm('x', [ann, bob]), undefined, 2) },
  {
    name: 'a list of realms',
    text: JSON.stringify([realm('x', [ann]), realm('y', []), realm('z', [bob])]),
  },
  { name: 'a table with commas', text: rows(',') },
  { name: 'a table with semicolons', text: rows(';') },
  { name: 'a table with tabs', text: rows('\t') },
  { name: 'a byte order mark before JSON', text: `\uFEFF${lines(ann, bob)}` },
  { name: 'a byte order mark before a table', text: `\uFEFF${rows(',')}` },
]

for (const { name, text } of forms) {
  t.test(`users are found in ${name}, in a file and on standard input`, async t => {
    const { latchkey, put, stored } = setUp(t)
    t.match(await latchkey('users import -', text), {
      code: 0,
      out: '2 imported, 0 already there, 0 refused\n',
    })
    t.match(await latchkey(`users import ${put('users.json', text)}`), {
      code: 0,
      out: '0 imported, 2 already there, 0 refused\n',
    })
    t.match(await stored('ann'), { name: 'ann', passwordHash: BCRYPT })
  })
}

t.test('whoever says the format is believed', async t => {
  const { latchkey, put } = setUp(t)
  t.match(await latchkey('users import - --format csv', rows(',')), { code: 0 })
  t.match(await latchkey(`users import ${put('users.csv', lines(ann))} --format jsonl`), {
    code: 0,
    out: '0 imported, 1 already there, 0 refused\n',
  })
  t.match(await latchkey('users import - --format xml', rows(',')), {
    code: 2,
    err: /Allowed choices are csv, jsonl, json/,
  })
  t.match(
    await latchkey(
      'users import - --format json --json',
      '[1, {"name":"c","password":null}]',
    ),
    {
      records: [
        { line: 1, field: 'the record' },
        { line: 2, reason: 'no_password' },
        { refused: 2 },
      ],
    },
  )
  t.match(await latchkey('users import -', '[1, {"name":"c","password":null}]'), {
    out: /^user 1: /,
  })
})

const MAP = '--map name=email,sub=uuid,passwordHash=pw,roles=groups,enabled=is_activ'

const refused = [
  {
    name: 'no columns of the map',
    flags: MAP,
    text: `name,pw,is_active\nann,${BCRYPT},f`,
    error: 'columns_missing',
    says: 'has no email, uuid, groups, is_activ; it has name, pw, is_active',
  },
  {
    name: 'no members of the map',
    flags: MAP,
    text: lines({ email: 'ann', pw: BCRYPT, is_active: false }),
    error: 'columns_missing',
    says: 'has no uuid, groups, is_activ; it has email, pw, is_active',
  },
  {
    name: 'no column by which another system keeps people out',
    flags: '--from django',
    text: `username,password\nann,${BCRYPT}`,
    error: 'columns_missing',
    says: 'has no is_active; it has username, password; export it as well, or name what is there with --map',
  },
  {
    name: 'neither a password nor a hash',
    flags: '',
    text: 'name,sub\nann,1',
    error: 'columns_missing',
    says: 'has no password or passwordHash; it has name, sub',
  },
  {
    name: 'columns that mean nothing',
    flags: '',
    text: `name,passwordHash,admin\nann,${BCRYPT},1`,
    error: 'columns_unknown',
    says: 'has columns that mean nothing here: admin; known are name, sub,',
  },
  {
    name: 'records that are no objects',
    flags: '--from django',
    text: '7\n8',
    error: 'columns_missing',
    says: 'has no username, password, is_active; it has 7',
  },
  {
    name: 'numbers alone',
    flags: '--format jsonl',
    text: '7',
    error: 'columns_missing',
    says: 'has no name, password or passwordHash; it has no fields',
  },
  {
    name: 'no line of JSON',
    flags: '--format jsonl',
    text: 'a\nb',
    error: 'file_malformed',
    says: 'is JSON (--format csv or --format json says what it is)',
  },
  {
    name: 'a realm without users',
    flags: '--from keycloak',
    text: '{"realm":"x"}',
    error: 'no_users_found',
    says: 'read as one JSON document (--format says otherwise)',
  },
  {
    name: 'a document that is a number',
    flags: '--format json',
    text: '7',
    error: 'no_users_found',
    says: 'read as one JSON document',
  },
  {
    name: 'nothing',
    flags: '',
    text: '',
    error: 'no_users_found',
    says: 'read as lines of JSON',
  },
  {
    name: 'a head and no rows',
    flags: '',
    text: 'name,passwordHash\n',
    error: 'no_users_found',
    says: 'read as a CSV table',
  },
  {
    name: 'a column that stands twice',
    flags: '',
    text: 'name,passwordHash,name\na,b,c',
    error: 'file_malformed',
    says: 'the column name stands twice in the head',
  },
  {
    name: 'a row with more cells',
    flags: '',
    text: rows(',', 'carol', 'secret', 'more'),
    error: 'file_malformed',
    says: 'line 4: the row has not as many cells as the head',
  },
  {
    name: 'a quotation mark that is not closed',
    flags: '',
    text: rows(',', 'carol', '"secret'),
    error: 'file_malformed',
    says: 'line 4: a quotation mark stands within a cell, or is not closed',
  },
  {
    name: 'JSON that breaks off',
    flags: '',
    text: '{"users":[{"name":"ann","password":"secret"},{"na',
    error: 'file_malformed',
    says: 'not valid JSON: ',
  },
  {
    name: 'JSON with an error',
    flags: '',
    text: '{"users":[{"name":"ann","password":"secret"} secret]}',
    error: 'file_malformed',
    says: 'not valid JSON: ',
  },
]

for (const { name, flags, text, error, says } of refused) {
  t.test(`refused as a whole, and once: ${name}`, async t => {
    const { latchkey, put, stored } = setUp(t)
    const file = put('users', text)
    for (const [from, stdin] of [
      [file, ''],
      ['-', text],
    ] as const) {
      const ran = await latchkey(
        `users import ${from} ${flags} --json`.replace('  ', ' '),
        stdin,
      )
      t.equal(ran.code, 1)
      t.equal(ran.out, '', 'nothing is said of single records')
      const failure = JSON.parse(ran.err.trim())
      t.equal(failure.error, error)
      t.ok(failure.message.includes(says), failure.message)
      t.notMatch(failure.message, /secret/, 'without a value')
    }
    t.equal(await stored('ann'), undefined)
  })
}

t.test('a fault far behind refuses a file, and ends what a pipe brings', async t => {
  const { latchkey, put, stored } = setUp(t)
  const people = Array.from({ length: 150 }, (_, index) => `user-${index},${BCRYPT}`)
  const head = `name,passwordHash\n${people.join('\n')}\n`
  const cases = [
    {
      name: 'latin1',
      bytes: Buffer.from(`${head}Jos\u00E9,${BCRYPT}\n`, 'latin1'),
      error: 'not_utf8',
      line: 152,
    },
    {
      name: 'ragged',
      bytes: Buffer.from(`${head}ann\n`),
      error: 'file_malformed',
      line: 152,
    },
  ]
  for (const { name, bytes, error, line } of cases) {
    const ran = await latchkey(`users import ${put(`${name}.csv`, bytes)} --json`)
    t.match(ran, {
      code: 1,
      out: '',
      err: new RegExp(`"error":"${error}","message":"line ${line}: `),
    })
    t.equal(await stored('user-0'), undefined, 'nothing was imported')
  }
  const piped = await latchkey('users import - --json', cases[1]?.bytes)
  t.match(piped, {
    code: 1,
    err: /"users.imported","imported":100,[^]*"message":"line 152: /,
  })
  t.ok(await stored('user-0'))
  t.notOk(await stored('jos\uFFFD'))
})

t.test('a field that few records have is found in a file', async t => {
  const { latchkey, put, stored } = setUp(t)
  const people = Array.from({ length: 300 }, (_, index) => ({
    login: `user-${index}`,
    pw: BCRYPT,
    ...(index === 250 && { locked: true }),
  }))
  const file = put('people.jsonl', lines(...people))
  const map = '--map name=login,passwordHash=pw,disabled=locked'
  t.match(await latchkey(`users import ${file} ${map}`), {
    code: 0,
    out: 'disabled: 1 of 300 (locked: 1)\n300 imported, 0 already there, 0 refused\n',
  })
  t.match(await stored('user-250'), { disabled: true })
})

t.test('a named pipe is read once', async t => {
  const { latchkey, directory } = setUp(t)
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  const [ran] = await Promise.all([
    latchkey(`users import ${pipe}`),
    // Waits for the reader.
    import('node:fs/promises').then(({ writeFile }) => writeFile(pipe, lines(ann, bob))),
  ])
  t.match(ran, { code: 0, out: '2 imported, 0 already there, 0 refused\n' })
})

t.test('a fault of the disk is none of the file', async t => {
  for (const format of ['csv', 'json', 'jsonl'] as const) {
    async function* failing() {
      yield Buffer.from(' '.repeat(70_000))
      throw new Error('EIO')
    }
    const read = async () => {
      const records = await readRecords(Readable.from(failing()), {
        format,
        habit: format,
      })
      for await (const { line } of records) t.fail(`record ${line}`)
    }
    await t.rejects(read(), { message: 'EIO' }, format)
  }
})

t.test("a fault of the programmer's is none of a record", async t => {
  const toItem = createToItem({
    from: {
      ...OURS,
      more() {
        throw new TypeError('a fault')
      },
    },
    map: undefined,
    attributeMap: {},
    declarations: new Map(),
    format: 'jsonl',
    bcryptPrehash: undefined,
    firebase: undefined,
    now: 0,
  })
  t.throws(() => toItem({ line: 1, value: {} }), TypeError)
})

t.test('usage of the import', async t => {
  const { latchkey, put } = setUp(t)
  const file = put('users.csv', rows(','))
  const usage = [
    { flags: '--map name', says: /Pairs such as/ },
    { flags: '--map name=a=b,password=c', says: /Pairs such as/ },
    { flags: '--map name=,password=c', says: /Pairs such as/ },
    { flags: '--map constructor=a', says: /Pairs such as/ },
    { flags: '--map name=a,name=b,password=c', says: /twice/ },
    { flags: '--map name=a,sub=b', says: /It needs name, and password or passwordHash/ },
    { flags: '--map password=a', says: /It needs name/ },
    ...['nowhere', 'constructor', 'toString', '__proto__'].map(name => ({
      flags: `--from ${name}`,
      says: /One of latchkey, django, supabase, auth0, keycloak, firebase/,
    })),
  ]
  for (const { flags, says } of usage) {
    t.match(
      await latchkey(`users import ${file} ${flags}`),
      { code: 2, err: says },
      flags,
    )
  }
})

t.test('members that every object has are none of a record', async t => {
  const { latchkey } = setUp(t)
  for (const path of ['constructor', 'constructor.name', '__proto__', 'toString']) {
    const map = `--map name=${path},passwordHash=pw`
    t.match(await latchkey(`users import - ${map} --json`, lines({ pw: BCRYPT })), {
      code: 1,
      err: `"columns_missing","message":"standard input has no ${path}; it has pw"`,
    })
  }
})
