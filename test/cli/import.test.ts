// Accounts from elsewhere and back: every system's own form, what is refused and why, a second run, a dry
// run.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { blockOf } from '../docs/support/blocks.ts'
import { createProgress } from '../../src/cli/import/progress.ts'
import { operator } from '../../src/cli/terminal/operator.ts'
import { createPasswordHasher } from '../../src/users/hashing/hasher.ts'
import { createImportUsers } from '../../src/users/import/import-accounts.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { commandLine, SECRET } from '../support/command-line.ts'
import { NAME_LOGINS } from '../support/stores.ts'

const PASSWORD = 'correct horse battery staple'
const BCRYPT = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
const NO_CLIENTS = { find: () => undefined }
const ARGON2 =
  '$argon2id$v=19$m=16,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs'

/** What a command printed, without the words, which may change. */
const codes = (records: readonly Record<string, unknown>[]) =>
  records.map(({ message: _, field: __, twin: ___, ...rest }) => rest)

/** The sums of an import. */
const sums = (
  imported: number,
  alreadyThere: number,
  refused: number,
  disabledBy = {},
) => ({
  imported,
  alreadyThere,
  refused,
  disabled: Object.values<number>(disabledBy).reduce((sum, some) => sum + some, 0),
  disabledBy,
  dryRun: false,
})

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
  const stored = (name: string) => bench.withStore(store => store.directory.byName(name))
  return { ...bench, put, stored }
}

t.test('the lines of the documentation are our own form', async t => {
  const { latchkey, stored } = setUp(t)
  const lines = blockOf('docs/cli.md', '{"name":"alice","passwordHash"')
  const { code, records } = await latchkey(
    'users import - --json',
    lines.replace(/\$argon2id[^"]*/, () => ARGON2),
  )
  t.equal(code, 0)
  t.strictSame(codes(records), [sums(2, 0, 0, { disabled: 1 })])
  t.match(await stored('alice'), { sub: '42', roles: ['support'], scopes: null })
  t.match(await stored('bob'), { disabled: true })
})

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
  t.strictSame(codes(imported.records), [
    { line: 4, reason: 'line_no_json' },
    { line: 5, reason: 'no_password' },
    { line: 6, reason: 'line_malformed' },
    { line: 7, reason: 'password_too_short' },
    { line: 8, reason: 'name_taken' },
    { line: 9, reason: 'sub_taken' },
    { line: 10, reason: 'hash_unsupported' },
    { line: 11, reason: 'hash_too_costly' },
    { line: 12, reason: 'name_invalid' },
    { line: 13, reason: 'sub_invalid' },
    { line: 15, reason: 'name_taken' },
    sums(3, 0, 11, { disabled: 1 }),
  ])
  t.match(imported.err, '"error":"import_incomplete"')
  t.match(
    imported.err,
    '"users.imported","imported":3,"alreadyThere":0,"refused":11,' +
      `"actor":"${operator()}"}`,
  )
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

t.test('a second run imports what is missing, and knows its own from others', async t => {
  const { latchkey, put } = setUp(t)
  const people = Array.from({ length: 250 }, (_, index) => ({
    name: `user-${index}`,
    passwordHash: BCRYPT,
    ...(index % 2 === 0 && { sub: `id-${index}` }),
  }))
  const file = put('users.jsonl', people.slice(0, 120))
  t.match(await latchkey(`users import ${file}`), {
    code: 0,
    out: '120 imported, 0 already there, 0 refused\n',
  })
  put('users.jsonl', people)
  t.match(await latchkey(`users import ${file}`), {
    code: 0,
    out: '130 imported, 120 already there, 0 refused\n',
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
      { imported: 0, alreadyThere: 0, refused: 3 },
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
    out: new RegExp(
      '^line 3: the hash is of no known scheme\n' +
        'would be: ann {2}[0-9a-f-]{36} {2}enabled {2}scopes: any; roles: none {2}' +
        'argon2id, made of the password\n' +
        'would be: bob {2}[0-9a-f-]{36} {2}enabled {2}scopes: any; roles: none {2}bcrypt\n' +
        '2 would be imported, 0 already there, 1 refused\n$',
    ),
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
        kind: 'imported',
        sub: String,
      },
      {
        line: 2,
        name: 'bob',
        kind: 'imported',
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
    out: '0 imported, 2 already there, 0 refused\n',
  })
  await latchkey('users remove ann')
  t.match(await latchkey(`users import ${file}`), {
    code: 0,
    out: 'disabled: 1 of 1 (disabled: 1)\n1 imported, 1 already there, 0 refused\n',
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
  t.same(codes(records), [
    { line: 3, reason: 'no_password' },
    { line: 4, reason: 'no_password' },
    { line: 5, reason: 'line_malformed' },
    sums(4, 0, 3, { enabled: 1 }),
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
  for (const bad of ['{}', '{', '7']) {
    const parameters = put('bad.json', bad)
    t.match(
      await latchkey(
        `users import ${file} --from firebase --firebase-parameters ${parameters}`,
      ),
      {
        code: 1,
        err: /firebase parameters malformed: .*bad.json is no JSON with signerKey/,
      },
    )
  }
  const latin1 = Buffer.from('{"signerKey":"ä"}', 'latin1').toString('latin1')
  const foreign = put('latin1.json', '')
  writeFileSync(foreign, latin1, 'latin1')
  t.match(
    await latchkey(
      `users import ${file} --from firebase --firebase-parameters ${foreign} --json`,
    ),
    { code: 1, err: /"not_utf8"/ },
  )
  const { records } = await latchkey(
    `users import ${file} --from firebase --firebase-parameters ${parameters} --json`,
  )
  t.same(codes(records), [
    { line: 2, reason: 'no_password' },
    sums(1, 0, 1, { disabled: 1 }),
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
      '\uFEFFid,username,password,is_active\r\n1,Ann,"argon2$argon2id$v=19$m=16,t=1,p=1$' +
      'c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs",True\r\n\r\n2,Bob,' +
      BCRYPT +
      ',f\r\n3,Cid,,t\r\n',
    refused: [{ line: 5, reason: 'no_password' }],
    disabledBy: { is_active: 1 },
    ann: { name: 'Ann', disabled: false, passwordHash: `argon2${ARGON2}` },
    bob: { disabled: true, passwordHash: BCRYPT },
  },
  {
    name: 'rows of Supabase',
    file: 'users.csv',
    flags: '--from supabase',
    content: [
      'id,email,encrypted_password,banned_until,deleted_at,email_confirmed_at',
      `6f,ann,${BCRYPT},2020-01-01 00:00:00+00,,2026-01-01 00:00:00.123+00`,
      `7a,bob,${BCRYPT},,,2026-01-01 00:00:00+00`,
      `8b,cid,${BCRYPT},,2026-02-01 00:00:00+00,2026-01-01 00:00:00+00`,
    ].join('\n'),
    refused: [{ line: 4, reason: 'user_deleted' }],
    disabledBy: {},
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
        blocked: false,
      },
      { _id: { $oid: '61' }, email: 'bob', passwordHash: BCRYPT },
      { email: 'cid', passwordHash: BCRYPT },
      7,
    ],
    refused: [
      { line: 3, reason: 'line_malformed' },
      { line: 4, reason: 'line_malformed' },
    ],
    disabledBy: {},
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
    disabledBy: { enabled: 1 },
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
    disabledBy: { locked: 1 },
    ann: { sub: '1', disabled: true },
    bob: { sub: '2', disabled: false },
  },
]

for (const { name, file, flags, content, refused, disabledBy, ann, bob } of tables) {
  t.test(`accounts come from ${name}`, async t => {
    const { latchkey, put, stored } = setUp(t)
    const { records, code } = await latchkey(
      `users import ${put(file, content)} ${flags} --json`.replace('  ', ' '),
    )
    const outcomes = codes(records).filter(record => !('notTaken' in record))
    t.same(outcomes, [...refused, sums(2, 0, refused.length, disabledBy)])
    t.equal(code, refused.length > 0 ? 1 : 0)
    t.match(await stored('ann'), ann)
    t.match(await stored('bob'), bob)
  })
}

const malformed = [
  { name: 'no object', field: 'the record', line: [] },
  {
    name: "another object's fields",
    field: 'user',
    line: { user: 'ann', passwordHash: BCRYPT },
  },
  { name: 'no name', field: 'name', line: { passwordHash: BCRYPT } },
  {
    name: 'a name that is no text',
    field: 'name',
    line: { name: 1, passwordHash: BCRYPT },
  },
  {
    name: 'both a password and a hash',
    field: 'password',
    line: { name: 'ann', passwordHash: BCRYPT, password: PASSWORD },
  },
  {
    name: 'a hash that is no text',
    field: 'passwordHash',
    line: { name: 'ann', passwordHash: 1 },
  },
  {
    name: 'an id that is neither text nor number',
    field: 'sub',
    line: { name: 'ann', passwordHash: BCRYPT, sub: {} },
  },
  ...[
    {
      name: 'a flag that means nothing',
      field: 'disabled',
      flags: { disabled: 'perhaps' },
    },
    { name: 'both flags', field: 'enabled', flags: { disabled: true, enabled: true } },
    {
      name: 'an enabled that means nothing',
      field: 'enabled',
      flags: { enabled: 'perhaps' },
    },
    {
      name: 'nothing where a flag should be',
      field: 'enabled',
      flags: { enabled: null },
    },
    { name: 'a scope that is none', field: 'scopes', flags: { scopes: ['"'] } },
    { name: 'scopes that are no list', field: 'scopes', flags: { scopes: 7 } },
    { name: 'roles that are no texts', field: 'roles', flags: { roles: [1] } },
    ...['', ' ', 'a\u0000b', '\u001B]0;title\u0007', 'a\nb', 'sales team', 'a,b'].map(
      role => ({
        name: `a role that the command line couldn't set: ${JSON.stringify(role)}`,
        field: 'roles',
        flags: { roles: ['good', role] },
      }),
    ),
  ].map(({ flags, ...rest }) => ({
    ...rest,
    line: { name: 'ann', passwordHash: BCRYPT, ...flags },
  })),
]

t.test('a record with an invalid field is refused by the name of the field', async t => {
  const { latchkey, stored } = setUp(t)
  const { records } = await latchkey(
    'users import - --json',
    malformed.map(({ line }) => JSON.stringify(line)).join('\n'),
  )
  for (const [index, { name, field }] of malformed.entries()) {
    const { message, ...record } = records[index] ?? {}
    t.same(record, { line: index + 1, reason: 'line_malformed', field }, name)
    t.match(message, new RegExp(`^${field}: .`), name)
    t.notMatch(message, /perhaps|title|sales/, 'without what stands there')
  }
  t.equal(await stored('ann'), undefined)
})

const refusals = [
  {
    line: { name: 'a', password: 'short' },
    words: 'password too short: at least 15 characters (passwords.minLength)',
  },
  {
    line: { name: 'a', password: 'x'.repeat(257) },
    words: 'password too long: at most 256 bytes',
  },
  {
    line: { name: 'annabelle', password: 'annabelle annabelle' },
    words: "password is name: the user's, or that of this server",
  },
  {
    line: { name: 'a', password: 'line\nbreak line\nbreak' },
    words: 'password malformed: it holds a control character, or half a character',
  },
  {
    line: { name: 'a', passwordHash: '$foo$bar' },
    words: 'hash scheme $foo$ is not supported',
  },
  {
    line: { name: 'a', passwordHash: '{noop}secret' },
    words: 'hash scheme {noop} is not supported',
  },
  {
    line: { name: 'a', passwordHash: 'secret' },
    words: 'the hash is of no known scheme',
  },
  {
    line: { name: 'a', passwordHash: BCRYPT.slice(0, -1) },
    words: 'the hash begins with $2b$ but does not go on as such a hash does',
  },
  {
    line: { name: 'a', passwordHash: BCRYPT.replace('10', '31') },
    words: 'hash too costly: bcrypt asks for 31 rounds, at most 14',
  },
  {
    line: {
      name: 'a',
      passwordHash:
        '$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub',
    },
    words:
      'hash too costly: argon2id asks for m=4194304,t=1,p=1, at most m=131072,t=10,p=16',
  },
  { line: { name: 'a b', passwordHash: BCRYPT }, words: 'the name holds a blank' },
  {
    line: { name: 'a', passwordHash: BCRYPT, sub: 'a b' },
    words: 'sub invalid: it has 1 to 255 printable ASCII characters without blanks',
  },
  {
    line: { name: 'a', passwordHash: '' },
    words:
      'passwordHash: there is no password, and no hash of one (' +
      '--invite makes an account that gets one later)',
  },
  {
    line: { name: 'there', passwordHash: ARGON2 },
    words: 'name taken: another account has it',
  },
]

t.test('what is refused is said with the field, the scheme, the number', async t => {
  const { latchkey } = setUp(t)
  await latchkey('users add there', PASSWORD)
  const { out } = await latchkey(
    'users import -',
    refusals.map(({ line }) => JSON.stringify(line)).join('\n'),
  )
  t.same(out.split('\n').slice(0, -2), [
    ...refusals.map(({ words }, index) => `line ${index + 1}: ${words}`),
  ])
})

t.test('whom the file has twice a dry run sees as the import does', async t => {
  const { latchkey, put } = setUp(t)
  const person = (index: number, more = {}) => ({
    name: `user-${index}`,
    sub: `id-${index}`,
    passwordHash: BCRYPT,
    ...more,
  })
  const people = Array.from({ length: 130 }, (_, index) => person(index))
  const twins = [
    person(3, { name: 'USER-3 ' }),
    person(500, { name: 'User-4' }),
    person(500, { name: 'user-500', sub: 'id-5' }),
    person(127),
    person(501, { name: 'user-128' }),
  ]
  const file = put('twins.jsonl', [...people, ...twins])
  const dry = await latchkey(`users import ${file} --dry-run --json`)
  const real = await latchkey(`users import ${file} --json`)
  t.match(dry.records.at(-1), { imported: 130, alreadyThere: 2, refused: 3 })
  t.match(real.records.at(-1), { imported: 130, alreadyThere: 2, refused: 3 })
  const refused = (records: typeof real.records) =>
    records.flatMap(({ line, reason }) =>
      reason === undefined ? [] : [{ line, reason }],
    )
  t.same(refused(dry.records), [
    { line: 132, reason: 'name_taken' },
    { line: 133, reason: 'sub_taken' },
    { line: 135, reason: 'name_taken' },
  ])
  t.same(refused(real.records), refused(dry.records))
  t.match(dry.records[0], {
    twin: 5,
    message: 'name taken: line 5 of this file has it as well',
  })
  t.match(dry.records[1], {
    twin: 6,
    message: 'sub taken: line 6 of this file has it as well',
  })
})

t.test('a dry run says who would be disabled, and shows the first accounts', async t => {
  const { latchkey, put } = setUp(t)
  const rows = Array.from(
    { length: 300 },
    (_, index) => `user-${index},${BCRYPT},${index % 100 === 0 ? 'f' : 't'},staff`,
  )
  const file = put(
    'auth_user.csv',
    ['username,password,is_active,groups', ...rows].join('\n'),
  )
  const map = 'name=username,passwordHash=password,roles=groups'
  const wrong = await latchkey(
    `users import ${file} --map ${map},disabled=is_active --dry-run`,
  )
  t.match(wrong, {
    code: 0,
    out: new RegExp(
      '\nwould be disabled: 297 of 300 \\(is_active: 297\\)\n' +
        '300 would be imported, 0 already there, 0 refused\n$',
    ),
  })
  t.equal(wrong.out.match(/^would be: /gm)?.length, 5)
  t.match(
    wrong.out,
    /^would be: user-1 {2}\S+ {2}disabled \(is_active\) {2}scopes: any; roles: staff {2}bcrypt$/m,
  )
  const right = await latchkey(
    `users import ${file} --map ${map},enabled=is_active --dry-run --json`,
  )
  t.match(right.records, [
    {
      line: 2,
      wouldBe: {
        name: 'user-0',
        sub: String,
        disabled: true,
        scopes: null,
        roles: ['staff'],
        hash: 'bcrypt',
      },
    },
    { line: 3, wouldBe: { name: 'user-1', disabled: false } },
    {},
    {},
    {},
    { imported: 300, disabled: 3, disabledBy: { is_active: 3 }, dryRun: true },
  ])
  t.notMatch(right.out + wrong.out, BCRYPT.slice(8), 'no hash')
  t.match(await latchkey(`users import ${file} --map ${map},enabled=is_active`), {
    out: 'disabled: 3 of 300 (is_active: 3)\n300 imported, 0 already there, 0 refused\n',
  })
})

t.test("Flask-Bcrypt's hashes of long passwords are marked as such", async t => {
  const { latchkey, put, stored } = setUp(t)
  const file = put('users.jsonl', [
    { name: 'ann', passwordHash: BCRYPT },
    { name: 'bob', passwordHash: ARGON2 },
    { name: 'cid', password: PASSWORD },
  ])
  t.match(await latchkey(`users import ${file} --bcrypt-prehash md5`), { code: 2 })
  t.match(await latchkey(`users import ${file} --bcrypt-prehash sha256-hex`), { code: 0 })
  t.match(await stored('ann'), { passwordHash: `bcrypt_sha256$${BCRYPT}` })
  t.match(await stored('bob'), { passwordHash: ARGON2 })
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
  const count = { imported: 5, alreadyThere: 1, refused: 2 }
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
    `\r\x1B[K[${'#'.repeat(15)}${'.'.repeat(15)}] 50 %  5 imported, 1 already there, 2 ` +
      `refused\r\x1B[K5 imported, 1 already there, 2 refused\r\x1B[K`,
  )
})

t.test('who is lost to somebody faster is refused', async t => {
  const store = createSqliteStore({ file: ':memory:', clock: Date.now })
  t.teardown(() => store.close())
  const importUsers = createImportUsers({
    directory: { ...store.directory, addAll: async () => new Set() },
    findLogin: async () => undefined,
    nameLogins: NAME_LOGINS,
    subjects: store.subjects,
    clients: NO_CLIENTS,
    hasher: createPasswordHasher({
      memoryKiB: 8,
      passes: 1,
      parallelism: 1,
      concurrency: 1,
      memoryShare: 50,
      queue: 1,
      maxWait: 1000,
    }),
    checkNewPassword: async () => undefined,
    secrets: [SECRET],
    declarations: new Map(),
    checkClaims: () => undefined,
    dryRun: false,
  })
  const user = { name: 'ann', secret: { passwordHash: BCRYPT }, scopes: null, roles: [] }
  t.match(await importUsers([{ line: 1, user: { ...user, disabled: false } }]), [
    { outcome: { kind: 'refused', reason: 'name_taken' } },
  ])
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
    maxWait: 60_000,
  })
  const options = {
    declarations: new Map(),
    checkClaims: () => undefined,
    directory: store.directory,
    findLogin: async () => undefined,
    nameLogins: NAME_LOGINS,
    subjects: store.subjects,
    clients: NO_CLIENTS,
    hasher,
    checkNewPassword: async () => undefined,
    dryRun: true,
  }
  const subWith = async (secret: string) => {
    const [done] = await createImportUsers({ ...options, secrets: [secret] })([
      {
        line: 1,
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

t.test('nobody is imported under the id of a client', async t => {
  const { latchkey, put, stored } = setUp(t)
  const file = put('people.jsonl', [
    { name: 'ann', passwordHash: ARGON2, sub: 'mobile' },
    { name: 'bob', passwordHash: ARGON2, sub: 'mobile-2' },
  ])
  for (const more of [' --dry-run', '']) {
    const { out, err, code } = await latchkey(`users import ${file}${more}`)
    t.equal(code, 1)
    t.match(out, 'line 1: sub taken: it is the id of a client (clients[].id)', err)
  }
  t.equal(await stored('ann'), undefined)
  t.match(await stored('bob'), { sub: 'mobile-2' })
})
