// Accounts from elsewhere and back: every system's own form, what is refused and why, a second run, a dry
// run.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { createProgress } from '../../src/cli/import/progress.ts'
import { createPasswordHasher } from '../../src/users/passwords.ts'
import { createImportUsers } from '../../src/users/import.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { commandLine, SECRET } from '../support/command-line.ts'

const PASSWORD = 'correct horse battery staple'
const BCRYPT = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
const ARGON2 =
  '$argon2id$v=19$m=16,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs'

/** Commands, and files for them. */
function setUp(t: Test) {
  const bench = commandLine(t)
  const put = (name: string, content: string | readonly unknown[]) => {
    const file = join(bench.directory, name)
    writeFileSync(
      file,
      typeof content === 'string'
        ? content
        : content.map(line => JSON.stringify(line)).join('\n'),
    )
    return file
  }
  const stored = (name: string) => bench.withStore(store => store.users.byName(name))
  return { ...bench, put, stored }
}

t.test('accounts come from lines of JSON; what is refused is named', async t => {
  const { latchkey, stored } = setUp(t)
  await latchkey('users add alice', PASSWORD)
  const lines = [
    JSON.stringify({
      name: 'bob',
      passwordHash: ARGON2,
      sub: '42',
      scopes: ['profile'],
      roles: ['staff'],
      disabled: true,
    }),
    '',
    JSON.stringify({ name: 'carol', password: PASSWORD, scopes: null }),
    'not json',
    JSON.stringify({ name: 'dave' }),
    JSON.stringify({ name: 'dave', password: PASSWORD, admin: true }),
    JSON.stringify({ name: 'dave', password: 'short' }),
    JSON.stringify({ name: 'alice', passwordHash: ARGON2 }),
    JSON.stringify({ name: 'dave', passwordHash: ARGON2, sub: '42' }),
    JSON.stringify({ name: 'dave', passwordHash: '$2b$10$abcdefghijklmnopqrstuv' }),
    JSON.stringify({ name: 'dave', passwordHash: BCRYPT.replace('10', '31') }),
    JSON.stringify({ name: 'dave lee', passwordHash: BCRYPT }),
    JSON.stringify({ name: 'dave', passwordHash: BCRYPT, sub: 'a b' }),
    JSON.stringify({ name: 'erin', passwordHash: BCRYPT }),
    JSON.stringify({ name: 'ERIN', passwordHash: ARGON2 }),
  ].join('\n')
  const imported = await latchkey('users import - --json', lines)
  t.equal(imported.code, 1)
  t.strictSame(imported.records, [
    { line: 4, reason: 'line_no_json' },
    { line: 5, reason: 'line_malformed' },
    { line: 6, reason: 'line_malformed' },
    { line: 7, reason: 'password_too_short' },
    { line: 8, reason: 'name_taken' },
    { line: 9, reason: 'sub_taken' },
    { line: 10, reason: 'hash_unsupported' },
    { line: 11, reason: 'hash_too_costly' },
    { line: 12, reason: 'name_invalid' },
    { line: 13, reason: 'sub_invalid' },
    { line: 15, reason: 'name_taken' },
    {
      taken: 3,
      alreadyThere: 0,
      refused: 11,
      dryRun: false,
    },
  ])
  t.match(imported.err, '"error":"import_incomplete"')
  t.match(imported.err, '"users.imported","taken":3,"alreadyThere":0,"refused":11}')
  t.match(await stored('bob'), {
    sub: '42',
    disabled: true,
    scopes: ['profile'],
    roles: ['staff'],
    passwordHash: ARGON2,
  })
  t.match(await stored('carol'), {
    sub: /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    passwordHash: /^\$argon2id\$v=19\$m=8,/,
  })
  t.match(await stored('erin'), { passwordHash: BCRYPT })
})

t.test('a second run takes what is missing, and knows its own from others', async t => {
  const { latchkey, put } = setUp(t)
  const people = Array.from({ length: 250 }, (_, index) => ({
    name: `user-${index}`,
    passwordHash: BCRYPT,
    ...(index % 2 === 0 && { sub: `id-${index}` }),
  }))
  const file = put('users.jsonl', people.slice(0, 120))
  t.match(await latchkey(`users import ${file}`), {
    code: 0,
    out: '120 taken, 0 already there, 0 refused\n',
  })
  put('users.jsonl', people)
  t.match(await latchkey(`users import ${file}`), {
    code: 0,
    out: '130 taken, 120 already there, 0 refused\n',
  })
  const others = put('others.jsonl', [
    { name: 'user-1', passwordHash: ARGON2 },
    { name: 'user-2', passwordHash: BCRYPT, sub: 'other' },
    { name: 'newcomer', passwordHash: BCRYPT, sub: 'id-0' },
  ])
  t.match(await latchkey(`users import ${others} --json`), {
    code: 1,
    records: [
      { line: 1, reason: 'name_taken' },
      { line: 2, reason: 'name_taken' },
      { line: 3, reason: 'sub_taken' },
      { taken: 0, alreadyThere: 0, refused: 3 },
    ],
  })
})

t.test('a dry run checks everything and adds nothing', async t => {
  const { latchkey, put, stored, directory } = setUp(t)
  const file = put('users.jsonl', [
    { name: 'ann', password: PASSWORD },
    { name: 'bob', passwordHash: BCRYPT },
    { name: 'cid', passwordHash: 'x' },
  ])
  const report = join(directory, 'report.jsonl')
  const ran = await latchkey(`users import ${file} --dry-run --report ${report}`)
  t.match(ran, {
    code: 1,
    out: 'line 3: hash unsupported\n2 would be taken, 0 already there, 1 refused\n',
  })
  t.notMatch(ran.err, 'users.imported')
  t.equal(await stored('ann'), undefined)
  t.match(
    readFileSync(report, 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line)),
    [
      {
        line: 1,
        name: 'ann',
        kind: 'taken',
        sub: String,
      },
      {
        line: 2,
        name: 'bob',
        kind: 'taken',
        sub: String,
      },
      {
        line: 3,
        name: 'cid',
        kind: 'refused',
        reason: 'hash_unsupported',
      },
    ],
  )
})

t.test('what is exported can be imported again', async t => {
  const { latchkey, put } = setUp(t)
  await latchkey(
    'users import -',
    [
      {
        name: 'Ann',
        passwordHash: BCRYPT,
        sub: 'a',
        scopes: ['x'],
        roles: ['y'],
        disabled: true,
      },
      {
        name: 'bob',
        passwordHash: ARGON2,
        sub: 'b',
        scopes: [],
      },
    ]
      .map(line => JSON.stringify(line))
      .join('\n'),
  )
  const exported = await latchkey('users export')
  t.equal(exported.code, 0)
  t.same(
    exported.out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    [
      {
        name: 'Ann',
        sub: 'a',
        passwordHash: BCRYPT,
        scopes: ['x'],
        roles: ['y'],
        disabled: true,
      },
      {
        name: 'bob',
        sub: 'b',
        passwordHash: ARGON2,
        scopes: [],
        roles: [],
        disabled: false,
      },
    ],
  )
  t.same((await latchkey('users export --json')).out, exported.out)
  const file = put('exported.jsonl', exported.out)
  t.match(await latchkey(`users import ${file}`), {
    code: 0,
    out: '0 taken, 2 already there, 0 refused\n',
  })
  await latchkey('users remove ann')
  t.match(await latchkey(`users import ${file}`), {
    code: 0,
    out: '1 taken, 1 already there, 0 refused\n',
  })
})

const KEYCLOAK = {
  realm: 'shop',
  roles: { realm: [{ name: 'users' }] },
  users: [
    {
      id: '8a7f',
      username: 'ann',
      enabled: true,
      realmRoles: ['buyer', 'offline_access'],
      credentials: [
        { type: 'otp', secretData: '{}', credentialData: '{}' },
        {
          type: 'password',
          secretData: JSON.stringify({
            value: Buffer.alloc(64, 1).toString('base64'),
            salt: Buffer.alloc(16, 2).toString('base64'),
            additionalParameters: {},
          }),
          credentialData: JSON.stringify({
            hashIterations: 210000,
            algorithm: 'pbkdf2-sha512',
            additionalParameters: {},
          }),
        },
      ],
    },
    {
      id: '9b',
      username: 'bob',
      enabled: false,
      credentials: [
        {
          type: 'password',
          secretData: JSON.stringify({
            value: Buffer.alloc(32, 1).toString('base64'),
            salt: Buffer.alloc(16, 2).toString('base64'),
          }),
          credentialData: JSON.stringify({
            hashIterations: 5,
            algorithm: 'argon2',
            additionalParameters: {
              hashLength: ['32'],
              memory: ['7168'],
              type: ['id'],
              version: ['1.3'],
              parallelism: ['1'],
            },
          }),
        },
      ],
    },
    {
      id: 'c',
      username: 'no-password',
      enabled: true,
      credentials: [],
    },
    { id: 'd', username: 'service', enabled: true },
    {
      id: 'e',
      username: 'broken',
      enabled: true,
      credentials: [{ type: 'password', secretData: '{', credentialData: '{}' }],
    },
    {
      id: 'f',
      username: 'old',
      enabled: true,
      credentials: [
        {
          type: 'password',
          secretData: JSON.stringify({
            value: Buffer.alloc(20, 1).toString('base64'),
            salt: 'c2FsdA==',
          }),
          credentialData: JSON.stringify({ hashIterations: 20000, algorithm: 'pbkdf2' }),
        },
      ],
    },
    {
      id: 'g',
      username: 'older',
      enabled: true,
      credentials: [
        {
          type: 'password',
          secretData: JSON.stringify({
            value: Buffer.alloc(32, 1).toString('base64'),
            salt: Buffer.alloc(16, 2).toString('base64'),
          }),
          credentialData: JSON.stringify({
            hashIterations: 5,
            algorithm: 'argon2',
            additionalParameters: {
              memory: '7168',
              type: 'i',
              version: '1.0',
              parallelism: '1',
            },
          }),
        },
      ],
    },
  ],
}

t.test('a realm of Keycloak', async t => {
  const { latchkey, put, stored } = setUp(t)
  const { code, records } = await latchkey(
    `users import ${put('realm.json', JSON.stringify(KEYCLOAK, undefined, 2))} --from keycloak --json`,
  )
  t.equal(code, 1)
  t.same(records, [
    { line: 3, reason: 'hash_unsupported' },
    { line: 4, reason: 'line_malformed' },
    { line: 5, reason: 'hash_unsupported' },
    {
      taken: 4,
      alreadyThere: 0,
      refused: 3,
      dryRun: false,
    },
  ])
  t.match(await stored('ann'), {
    sub: '8a7f',
    roles: ['buyer', 'offline_access'],
    disabled: false,
    passwordHash: /^\$pbkdf2-sha512\$210000\$AgICAgICAgICAgICAgICAg\$AQEB/,
  })
  t.match(await stored('bob'), {
    disabled: true,
    passwordHash: /^\$argon2id\$v=19\$m=7168,t=5,p=1\$AgICAgICAgICAgICAgICAg\$AQEB/,
  })
  t.match(await stored('old'), { passwordHash: /^\$pbkdf2\$20000\$c2FsdA\$AQEB/ })
  t.match(await stored('older'), { passwordHash: /^\$argon2i\$v=16\$/ })
})

const SIGNER_KEY =
  'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=='
const FIREBASE_HASH =
  'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=='

t.test('users of Firebase', async t => {
  const { latchkey, put, stored } = setUp(t)
  const file = put(
    'users.json',
    JSON.stringify({
      users: [
        {
          localId: 'abc',
          email: 'ann@example.com',
          disabled: true,
          passwordHash: FIREBASE_HASH,
          salt: '42xEC+ixf3L2lw==',
        },
        {
          localId: 'def',
          email: 'bob@example.com',
          providerUserInfo: [{ providerId: 'google.com' }],
        },
      ],
    }),
  )
  const parameters = put(
    'parameters.json',
    JSON.stringify({
      algorithm: 'SCRYPT',
      signerKey: SIGNER_KEY,
      saltSeparator: 'Bw==',
      rounds: 8,
      memCost: 14,
    }),
  )
  t.match(await latchkey(`users import ${file} --from firebase`), {
    code: 1,
    err: /firebase parameters missing/,
  })
  t.match(
    await latchkey(
      `users import ${file} --from firebase --firebase-parameters ${put('bad.json', '{}')}`,
    ),
    { code: 1, err: /firebase parameters malformed/ },
  )
  const { records } = await latchkey(
    `users import ${file} --from firebase --firebase-parameters ${parameters} --json`,
  )
  t.same(records, [
    { line: 2, reason: 'line_malformed' },
    {
      taken: 1,
      alreadyThere: 0,
      refused: 1,
      dryRun: false,
    },
  ])
  t.match(await stored('ann@example.com'), {
    sub: 'abc',
    disabled: true,
    passwordHash: `$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=${SIGNER_KEY}$42xEC+ixf3L2lw==$${FIREBASE_HASH}`,
  })
})

const tables = [
  {
    name: 'rows of Django',
    file: 'auth_user.csv',
    flags: '--from django',
    content:
      '\uFEFFid,username,password,is_active\r\n1,Ann,"argon2$argon2id$v=19$m=16,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs",True\r\n\r\n2,Bob,' +
      BCRYPT +
      ',f\r\n3,Cid,,t\r\n',
    refused: [{ line: 5, reason: 'line_malformed' }],
    ann: { name: 'Ann', disabled: false, passwordHash: `argon2${ARGON2}` },
    bob: { disabled: true, passwordHash: BCRYPT },
  },
  {
    name: 'rows of Supabase',
    file: 'users.csv',
    flags: '--from supabase',
    content: `id,email,encrypted_password,created_at\n6f,ann,${BCRYPT},2026\n7a,bob,${BCRYPT},2026\n`,
    refused: [],
    ann: { sub: '6f', passwordHash: BCRYPT },
    bob: { sub: '7a' },
  },
  {
    name: 'lines of Auth0',
    file: 'hashes.json',
    flags: '--from auth0',
    content: [
      {
        _id: { $oid: '60' },
        email: 'ann',
        passwordHash: BCRYPT,
        tenant: 'x',
      },
      { _id: { $oid: '61' }, email: 'bob', passwordHash: BCRYPT },
      { email: 'cid', passwordHash: BCRYPT },
      7,
    ],
    refused: [
      { line: 3, reason: 'line_malformed' },
      { line: 4, reason: 'line_malformed' },
    ],
    ann: { sub: 'auth0|60', passwordHash: BCRYPT },
    bob: { sub: 'auth0|61' },
  },
  {
    name: 'our own rows',
    file: 'users.CSV',
    flags: '',
    content:
      `name,passwordHash,sub,scopes,roles,enabled\nann,${BCRYPT},1,"profile, orders:read",staff ` +
      `clerk,yes\nbob,${BCRYPT},2,,,0\n`,
    refused: [],
    ann: {
      sub: '1',
      scopes: ['profile', 'orders:read'],
      roles: ['staff', 'clerk'],
      disabled: false,
    },
    bob: { scopes: null, roles: [], disabled: true },
  },
  {
    name: 'any lines by a map',
    file: 'people.ndjson',
    flags: '--from django --map name=login.name,sub=id,passwordHash=pw,disabled=locked',
    content: [
      {
        id: 1,
        login: { name: 'ann' },
        pw: BCRYPT,
        locked: 1,
        other: true,
      },
      {
        id: 2,
        login: { name: 'bob' },
        pw: BCRYPT,
        locked: 'no',
      },
      { id: 1.5, login: { name: 'cid' }, pw: BCRYPT },
      { login: 'dan', pw: BCRYPT },
    ],
    refused: [
      { line: 3, reason: 'line_malformed' },
      { line: 4, reason: 'line_malformed' },
    ],
    ann: { sub: '1', disabled: true },
    bob: { sub: '2', disabled: false },
  },
]

for (const { name, file, flags, content, refused, ann, bob } of tables) {
  t.test(`accounts come from ${name}`, async t => {
    const { latchkey, put, stored } = setUp(t)
    const { records, code } = await latchkey(
      `users import ${put(file, content)} ${flags} --json`.replace('  ', ' '),
    )
    t.same(records, [
      ...refused,
      {
        taken: 2,
        alreadyThere: 0,
        refused: refused.length,
        dryRun: false,
      },
    ])
    t.equal(code, refused.length > 0 ? 1 : 0)
    t.match(await stored('ann'), ann)
    t.match(await stored('bob'), bob)
  })
}

const malformed = [
  { name: 'no object', line: [] },
  { name: "another object's fields", line: { user: 'ann', passwordHash: BCRYPT } },
  { name: 'no name', line: { passwordHash: BCRYPT } },
  { name: 'a name that is no text', line: { name: 1, passwordHash: BCRYPT } },
  {
    name: 'both a password and a hash',
    line: { name: 'ann', passwordHash: BCRYPT, password: PASSWORD },
  },
  { name: 'a hash that is no text', line: { name: 'ann', passwordHash: 1 } },
  {
    name: 'an id that is neither text nor number',
    line: { name: 'ann', passwordHash: BCRYPT, sub: {} },
  },
  {
    name: 'a flag that means nothing',
    line: { name: 'ann', passwordHash: BCRYPT, disabled: 'perhaps' },
  },
  {
    name: 'both flags',
    line: {
      name: 'ann',
      passwordHash: BCRYPT,
      disabled: true,
      enabled: true,
    },
  },
  {
    name: 'an enabled that means nothing',
    line: { name: 'ann', passwordHash: BCRYPT, enabled: 'perhaps' },
  },
  {
    name: 'a scope that is none',
    line: { name: 'ann', passwordHash: BCRYPT, scopes: ['"'] },
  },
  {
    name: 'scopes that are no list',
    line: { name: 'ann', passwordHash: BCRYPT, scopes: 7 },
  },
  {
    name: 'roles that are no texts',
    line: { name: 'ann', passwordHash: BCRYPT, roles: [1] },
  },
  ...['', ' ', 'a\u0000b', '\u001B]0;title\u0007', 'a\nb', 'sales team', 'a,b'].map(
    role => ({
      name: `a role that the command line couldn't set: ${JSON.stringify(role)}`,
      line: { name: 'ann', passwordHash: BCRYPT, roles: ['good', role] },
    }),
  ),
]

t.test("a line that can't be meant is refused", async t => {
  const { latchkey, stored } = setUp(t)
  const { records } = await latchkey(
    'users import - --json',
    malformed.map(({ line }) => JSON.stringify(line)).join('\n'),
  )
  for (const [index, { name }] of malformed.entries()) {
    t.same(records[index], { line: index + 1, reason: 'line_malformed' }, name)
  }
  t.equal(await stored('ann'), undefined)
})

t.test('a broken file ends the import, with what was taken so far', async t => {
  const { latchkey, put, stored } = setUp(t)
  const rows = Array.from({ length: 120 }, (_, index) => `user-${index},${BCRYPT}`)
  const file = put(
    'broken.csv',
    ['name,passwordHash', ...rows, 'ann,"unclosed'].join('\n'),
  )
  const ran = await latchkey(`users import ${file}`)
  t.equal(ran.code, 1)
  t.match(ran.err, /"users.imported","taken":100,/)
  t.ok(await stored('user-0'))
  const usage = await latchkey(`users import ${file} --map name`)
  t.match(usage, { code: 2, err: /Pairs such as/ })
  t.match(await latchkey(`users import ${file} --from nowhere`), {
    code: 2,
    err: /One of latchkey, django,/,
  })
  t.match(await latchkey(`users import ${put('odd.jsonl', [7])} --from django --json`), {
    records: [{ line: 1, reason: 'line_malformed' }, {}],
  })
})

t.test('whoever waits at the terminal sees a bar', async t => {
  let now = 0
  const stderr = new PassThrough()
  const io = {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr,
    env: {},
    isTTY: true,
    showsProgress: true,
  }
  const progress = createProgress(io, () => now)
  const count = { taken: 5, alreadyThere: 1, refused: 2 }
  progress.show(0.5, count)
  progress.show(0.6, count)
  now += 1000
  progress.show(undefined, count)
  progress.clear()
  const quiet = createProgress({ ...io, showsProgress: false })
  quiet.show(0.5, count)
  quiet.clear()
  createProgress({ ...io, stderr: new PassThrough() }).show(0, count)
  t.equal(
    String(stderr.read()),
    `\r\x1B[K[${'#'.repeat(15)}${'.'.repeat(15)}] 50 %  5 taken, 1 already there, 2 ` +
      `refused\r\x1B[K5 taken, 1 already there, 2 refused\r\x1B[K`,
  )
})

t.test('ids of records that bring none are keyed', async t => {
  const store = createSqliteStore({ file: ':memory:', clock: Date.now })
  t.teardown(() => store.close())
  const hasher = createPasswordHasher({
    memoryKiB: 8,
    passes: 1,
    parallelism: 1,
    concurrency: 1,
    memoryShare: 50,
    queue: 1,
    maxWait: 1000,
  })
  const options = {
    users: store.users,
    hasher,
    checkNewPassword: async () => undefined,
    dryRun: true,
  }
  const subWith = async (secret: string) => {
    const [done] = await createImportUsers({ ...options, secrets: [secret] })([
      {
        user: {
          name: 'ann',
          secret: { password: PASSWORD },
          scopes: null,
          roles: [],
          disabled: false,
        },
      },
    ])
    return done?.outcome
  }
  t.same(await subWith(SECRET), await subWith(SECRET))
  t.notSame(await subWith(SECRET), await subWith('t'.repeat(43)))
  t.throws(() => createImportUsers({ ...options, secrets: [] }), TypeError)
})
