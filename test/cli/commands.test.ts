/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
// Every command through run(), on a SQLite file of its own.
import t from 'tap'
import { createHash } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { userTag } from '../../src/base/ids.ts'
import { createKeyRing } from '../../src/keys/ring.ts'
import type { Device } from '../../src/stores/ports/families.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { readHash } from '../../src/users/hashing/formats/read.ts'
import { createNameInLogs } from '../../src/users/names/name-in-logs.ts'
import { openBlocklist } from '../../src/users/blocklist/open-blocklist.ts'
import type { AccessTokenClaims } from '../../src/tokens/access-token.ts'
import { createJwtSigner } from '../../src/tokens/sign-jwt.ts'
import { operator } from '../../src/cli/terminal/operator.ts'
import { accountWords } from '../../src/cli/terminal/words.ts'
import { commandLine as bench, SECRET } from '../support/command-line.ts'

const PASSWORD = 'correct horse battery staple'

t.test('help and usage', async t => {
  const { latchkey } = bench(t)
  for (const line of [
    '--help',
    'users --help',
    'users add --help',
    'sessions --help',
    'clients secret --help',
    'clients token --help',
    'passwords blocklist build --help',
    'passwords calibrate --help',
    'keys retire --help',
    'token --help',
    'config check --help',
    'serve --help',
    'users import --help',
  ]) {
    const { code, out } = await latchkey(line)
    t.equal(code, 0, line)
    t.match(out, /Example/, `${line} shows an example`)
    if (line !== '--help') t.match(out, '--json', `${line} names the global options`)
  }
  t.match(await latchkey('--version'), { code: 0, out: /^\d+\.\d+\.\d+/ })
  for (const line of [
    '',
    'users',
    'users add',
    'nonsense',
    'users list extra',
    'users add a --password x',
    'keys retire',
    'keys retire kid --switch-after soon',
    'passwords calibrate --target soon',
    'users add a --scopes "',
    'users add a --roles \u009B',
    'users access a --roles \u202Ea',
  ]) {
    t.equal((await latchkey(line)).code, 2, `usage: ${line}`)
  }
})

t.test('wrong usage is JSON for scripts', async t => {
  const { latchkey } = bench(t)
  const rows: [line: string, message: RegExp | string][] = [
    ['--json users', 'the command is not complete: --help shows how it goes on'],
    ['users add --json', "missing required argument 'name'"],
    ['users lsit --json', /^unknown command 'lsit'/],
    ['--nope --json', "unknown option '--nope'"],
  ]
  for (const [line, message] of rows) {
    const { code, out, err } = await latchkey(line)
    t.match(
      { code, out, ...JSON.parse(err) },
      { code: 2, out: '', error: 'usage', message },
    )
  }
})

t.test("a verb's help shows its own examples, a noun's all", async t => {
  const { latchkey } = bench(t)
  const examplesOf = async (line: string) =>
    (await latchkey(line)).out.match(/latchkey (users|keys) .*/g)?.slice(1)
  t.same(await examplesOf('users access --help'), [
    'latchkey users access alice --scopes "profile,orders:read"',
  ])
  t.same(await examplesOf('users show --help'), [])
  t.equal((await examplesOf('users --help'))?.length, 15)
  t.same(await examplesOf('keys status --help'), ['latchkey keys status'])
})

t.test('what is empty is said to people, and is no record', async t => {
  const { latchkey } = bench(t)
  t.match(
    (await latchkey('users list')).out,
    'no account yet: latchkey users add NAME makes one\n',
  )
  t.equal((await latchkey('users list --json')).out, '')
  await latchkey('users add alice', PASSWORD)
  t.equal((await latchkey('sessions list alice')).out, 'alice has no living session\n')
  t.equal((await latchkey('sessions list alice --json')).out, '')
})

t.test('access that names nothing changes nothing and is shown', async t => {
  const { latchkey } = bench(t)
  await latchkey('users add alice --roles support', PASSWORD)
  t.strictSame(await latchkey('users access alice'), {
    code: 0,
    out: 'alice may hold scopes: any; roles: support\n',
    err: '',
    records: [],
  })
})

t.test('a user is renamed, and the old name is free', async t => {
  const { latchkey } = bench(t)
  await latchkey('users add alice', PASSWORD)
  await latchkey('users add bob', PASSWORD)
  const sub = (await latchkey('users show alice --json')).records[0]?.['sub']
  t.match(await latchkey('users rename alice Alice.Smith --json'), {
    code: 0,
    records: [{ name: 'Alice.Smith', sub, change: 'rename' }],
    err: /"user\.changed".*"change":"renamed"/,
  })
  t.match(await latchkey('users rename alice.smith alice.smith'), {
    code: 0,
    out: 'alice.smith is called alice.smith now\n',
  })
  for (const [line, said] of [
    ['users rename alice carol', 'user unknown: alice'],
    ['users rename alice.smith BOB', 'name taken: another account has it'],
    ['users rename bob dot.', 'name invalid: the name '],
  ] as const) {
    t.match(await latchkey(line), { code: 1, err: said }, line)
  }
  t.match(await latchkey('users add alice', PASSWORD), { code: 0 })
})

t.test('a person is asked before an account goes', async t => {
  const { latchkey } = bench(t)
  await latchkey('users add alice', PASSWORD)
  const refused = await latchkey('users remove alice', 'no\n', { isTTY: true })
  t.match(refused, {
    code: 1,
    err: new RegExp(
      '^alice \\(\\S+\\) and every session will be removed\\.\n' +
        'Type yes to go on: latchkey: not confirmed: nothing was changed\n$',
    ),
  })
  t.match(await latchkey('users remove bob', '', { isTTY: true }), {
    code: 1,
    err: 'latchkey: user unknown: bob\n',
  })
  t.match(await latchkey('users remove alice', 'yes\n', { isTTY: true }), {
    code: 0,
    out: 'alice is removed\n',
  })
  await latchkey('users add alice', PASSWORD)
  t.match(await latchkey('users remove alice --yes', '', { isTTY: true }), { code: 0 })
})

t.test('completion knows every command, for three shells', async t => {
  const { latchkey } = bench(t)
  for (const [shell, line] of [
    ['bash', /complete -o default -F _latchkey latchkey\n$/],
    ['zsh', /^#compdef latchkey\n/],
    [
      'fish',
      /complete -c latchkey -n "__latchkey_at ' keys retire'" -a '--switch-after --yes /,
    ],
  ] as const) {
    const { code, out } = await latchkey(`completion ${shell}`)
    t.equal(code, 0)
    t.match(out, line)
    t.match(out, / users remove/)
  }
  t.match(await latchkey('completion tcsh'), { code: 2, err: /bash, zsh, fish/ })
})

t.test('how the audit log names a user', async t => {
  const { latchkey } = bench(t)
  const { code, out, records } = await latchkey('--json users name-hash Alice')
  t.equal(code, 0)
  const nameInLogs = createNameInLogs({ secrets: [SECRET], plain: () => false })
  t.same(records, [{ name: 'Alice', username: nameInLogs('alice') }], out)
  t.equal((await latchkey('users name-hash ALICE')).out, `${nameInLogs('alice')}\n`)
  t.match(
    await latchkey('users name-hash nobody-has-it'),
    { code: 0, out: /^h:[\w-]{22}\n$/ },
    'no account is needed',
  )
})

t.test('the life of an account', async t => {
  const { latchkey } = bench(t)
  const added = await latchkey(
    '--json users add Alice --roles support,staff',
    `${PASSWORD}\n`,
  )
  t.match(added, { code: 0, records: [{ name: 'Alice', sub: String }] })
  t.match(JSON.parse(added.err), {
    audit: {
      type: 'user.changed',
      change: 'added',
      sub: added.records[0]?.['sub'],
      actor: operator(),
    },
  })
  t.notMatch(added.err, /alice/i, 'audit lines hold no names')

  t.match(await latchkey('users show alice --json'), {
    code: 0,
    records: [
      {
        name: 'Alice',
        disabled: false,
        scopes: null,
        roles: ['support', 'staff'],
      },
    ],
  })
  t.match(await latchkey('users access alice --scopes profile,orders:read --json'), {
    records: [{ scopes: ['profile', 'orders:read'], roles: ['support', 'staff'] }],
  })
  const access = ['users', 'access', 'alice', '--roles', '']
  t.match(await latchkey('users list'), {
    code: 0,
    out: /^Alice {2}\S+ {2}enabled .* scopes: profile orders:read; roles: support staff\n$/,
  })
  t.match(
    (await latchkey(`${access.join(' ')} --any-scope`)).out,
    'scopes: any; roles: none',
  )
  t.match((await latchkey('users access alice --scopes ')).out, 'scopes: none')

  t.match(await latchkey('users passwd alice', `${PASSWORD}!\nnot this\n`), {
    code: 0,
    out: 'alice has a new password',
  })
  t.match(await latchkey('users disable alice'), { code: 0, err: /"disabled"/ })
  t.match((await latchkey('users list')).out, '  disabled  ')
  t.match(await latchkey('users enable alice --json'), {
    code: 0,
    records: [{ change: 'enable' }],
  })
  t.match(await latchkey('users remove alice'), { code: 0, out: 'alice is removed\n' })
  t.match(await latchkey('users list'), { code: 0, out: /^no account yet/ })
})

t.test("a command writes no file of the servers' audit log", async t => {
  const { latchkey, directory } = bench(t, { more: ['audit: { to: "${AUDIT}" }'] })
  const AUDIT = join(directory, 'audit.log')
  const env = { LATCHKEY_CONFIG: join(directory, 'latchkey.yaml'), AUDIT }
  t.match(await latchkey('users add alice', PASSWORD, { env }), { code: 0, err: '' })
  t.notOk(existsSync(AUDIT))
})

t.test('what is refused ends with 1 and says why', async t => {
  const { latchkey, file } = bench(t)
  await latchkey('users add alice', PASSWORD)
  const rows: [line: string, stdin: string, reason: string][] = [
    ['users add ALICE', PASSWORD, 'name_taken'],
    ['users add bob', 'short', 'password_too_short'],
    ['users add bob', '', 'password_missing'],
    ['users add bob', '\nsecond line\n', 'password_missing'],
    ['users show bob', '', 'user_unknown'],
    ['users passwd bob', PASSWORD, 'user_unknown'],
    ['users passwd alice', 'short', 'password_too_short'],
    ['users disable bob', '', 'user_unknown'],
    ['users access bob --any-scope', '', 'user_unknown'],
    ['sessions list bob', '', 'user_unknown'],
    ['sessions revoke nosuchsession', '', 'session_unknown'],
    ['sessions revoke nosuchsession --user alice', '', 'session_unknown'],
    ['sessions revoke nosuchsession --user bob', '', 'user_unknown'],
    ['sessions revoke-all bob', '', 'user_unknown'],
    ['keys retire nosuchkey --yes', '', 'key_unknown'],
    ['token inspect nonsense', '', 'token_malformed'],
    ['token verify -', '', 'token_missing'],
    ['users import /nowhere/at/all', '', 'failed'],
    ['config check --config /nowhere.yaml', '', 'config_refused'],
    ['serve --config /nowhere.yaml', '', 'config_refused'],
  ]
  for (const [line, stdin, reason] of rows) {
    const { code, err, out } = await latchkey(`${line} --json`, stdin)
    t.match(
      { code, ...JSON.parse(err.trim().split('\n').at(-1) ?? '') },
      { code: 1, error: reason },
      `${line}: ${reason}`,
    )
    t.equal(out, '', 'nothing on standard output')
  }
  const words: [line: string, stdin: string, words: string][] = [
    [
      'users add bob',
      'short',
      'password too short: at least 15 characters (passwords.minLength)',
    ],
    ['users passwd alice', 'x'.repeat(300), 'password too long: at most 256 bytes'],
    ['users add ALICE', PASSWORD, 'name taken: another account has it'],
    ['users add bob.', PASSWORD, 'name invalid: the name ends in a dot'],
    ['users show bob', '', 'user unknown: bob'],
    ['users disable bob', '', 'user unknown: bob'],
    ['sessions list bob', '', 'user unknown: bob'],
    ['sessions revoke-all bob', '', 'user unknown: bob'],
    [
      'sessions revoke nosuch',
      '',
      'session unknown: no session that is kept has the sid nosuch',
    ],
    [
      'keys retire nosuch',
      '',
      'key unknown: the ring has no key nosuch (latchkey keys list)',
    ],
  ]
  for (const [line, stdin, message] of words) {
    t.match(await latchkey(line, stdin), { code: 1, err: `latchkey: ${message}\n` })
  }
  t.match(await latchkey('users show bob'), {
    code: 1,
    err: 'latchkey: user unknown: bob\n',
  })
  t.match(
    await latchkey('config check', '', {
      env: { LATCHKEY_CONFIG: file, STORE: `sqlite:${file}/below/a/file.db` },
    }),
    {
      code: 1,
      err: new RegExp(
        "^latchkey: the store is unavailable: the SQLite file .*/below/a/file\\.db can't be used: " +
          '.*latchkey\\.yaml is no folder$',
        'm',
      ),
    },
  )
  t.match(
    await latchkey('config check', '', {
      env: { LATCHKEY_CONFIG: file, STORE: 'canary' },
    }),
    {
      code: 1,
      err: /^latchkey: the configuration is refused\nstore.url: expected sqlite:FILE/,
    },
  )
})

t.test('every refusal of a password has words, and other codes say enough', async t => {
  const limits = { minLength: 12, name: 'ann' }
  for (const [reason, words] of [
    ['password_too_short', /at least 12 characters/],
    ['password_too_long', /at most 256 bytes/],
    ['password_malformed', /control character/],
    ['password_is_name', /the user's/],
    ['password_breached', /passwords.blocklist/],
    ['name_taken', /another account/],
  ] as const) {
    t.match(accountWords(reason, limits), words)
  }
  t.match(accountWords('name_invalid', { ...limits, name: '' }), /the name is empty/)
  t.equal(accountWords('user_unknown', limits), undefined)
})

t.test('a password whose bytes are not UTF-8 is refused', async t => {
  const { latchkey, withStore } = bench(t)
  const password = Buffer.from('pässwörd correct horse\n', 'latin1')
  t.match(await latchkey('users add alice --json', password), {
    code: 1,
    err: /"error":"not_utf8","message":"line 1: bytes that are not UTF-8: convert the text/,
  })
  t.match(await latchkey('users show alice'), { code: 1 })
  const typed = Buffer.from('pässwörd correct horse\r', 'latin1')
  t.match(await latchkey('users add alice', typed, { isTTY: true }), {
    code: 1,
    err: /the terminal does not send UTF-8/,
  })
  const marked = `\uFEFF${PASSWORD}\r\n`
  t.match(await latchkey('users add alice', marked), { code: 0 }, 'a mark is skipped')
  const stored = await withStore(store => store.directory.byName('alice'))
  const hash = readHash(stored?.passwordHash ?? '', {
    memoryKiB: 8,
    passes: 1,
    parallelism: 1,
  })
  t.equal(await hash?.verify(PASSWORD), true)
})

t.test('a person types the password twice, and sees nothing of it', async t => {
  const { latchkey } = bench(t)
  const typed = await latchkey('users add alice', `${PASSWORD}\r|${PASSWORD}\r`, {
    isTTY: true,
  })
  t.match(typed, { code: 0, err: /^Password: \nOnce more: \n/ })
  t.notMatch(typed.out + typed.err, 'horse')
  t.match(
    await latchkey('users add bob', `${PASSWORD}\r|${PASSWORD}!\r`, { isTTY: true }),
    { code: 1, err: /passwords differ/ },
  )
  t.match(
    await latchkey('users add bob', '\u0003', { isTTY: true }),
    { code: 1, err: /password missing/ },
    'Ctrl-C',
  )
})

/** Logs alice in, as the server does. */
async function login(store: Store, sid: string, device?: Device): Promise<string> {
  const account = await store.directory.byName('alice')
  if (account === undefined) throw new Error('no alice')
  await store.families.open({
    userTag: account.tag,
    sid,
    clientId: 'mobile',
    scope: 'profile',
    audience: ['a'],
    sessionsEpoch: account.sessionsEpoch,
    idleMs: 3_600_000,
    absoluteMs: 7_200_000,
    device,
  })
  return account.sub
}

t.test('sessions are listed and ended', async t => {
  const { latchkey, withStore } = bench(t)
  for (const name of ['zoe', 'alice']) await latchkey(`users add ${name}`, PASSWORD)
  const sids = ['a', 'b', 'c', 'd'].map(letter => letter.repeat(22))
  await withStore(async store => {
    for (const sid of sids) await login(store, sid)
  })
  t.match(await latchkey('sessions list alice --json'), {
    code: 0,
    records: [
      {
        sid: String,
        clientId: 'mobile',
        scope: 'profile',
        generation: 1,
        startedAt: /Z$/,
      },
      {},
      {},
      {},
    ],
  })
  const phone = 'p'.repeat(22)
  const device = { name: 'Phone "1"', userAgent: 'okhttp', network: '192.0.2.0/24' }
  await withStore(store => login(store, phone, device))
  const shown = (await latchkey('sessions list alice --json')).records
  t.match(
    shown.find(({ sid }) => sid === phone),
    {
      device: device.name,
      userAgent: 'okhttp',
      network: '192.0.2.0/24',
      lastUsedAt: /Z$/,
    },
  )
  t.match(
    shown.find(({ sid }) => sid === sids[0]),
    { device: null, userAgent: null, network: null },
  )
  t.match(
    (await latchkey('sessions list alice')).out,
    `${phone}  mobile  "Phone \\"1\\"", okhttp, from 192.0.2.0/24, since `,
  )
  await latchkey(`sessions revoke ${phone}`)
  t.match(await latchkey(`sessions revoke ${sids[0]}`), {
    code: 0,
    out: `${sids[0]}: ended\n`,
    err: new RegExp(`"session.ended".*"sid":"${sids[0]}","actor":"${operator()}"`),
  })
  t.match(await latchkey(`sessions revoke ${sids[1]} --user alice --json`), {
    code: 0,
    records: [{ sid: sids[1], outcome: 'ended' }],
  })
  t.match(await latchkey(`sessions revoke ${sids[1]} --user alice`), {
    code: 0,
    out: /: already ended/,
    err: '',
  })
  t.equal((await latchkey('sessions list alice')).out.trim().split('\n').length, 2)
  t.match(await latchkey('sessions revoke-all alice'), {
    code: 0,
    out: 'every session of alice is ended\n',
    err: /"sessions_ended","actor":"cli:/,
  })
  t.match(await latchkey('sessions list alice'), {
    code: 0,
    out: 'alice has no living session\n',
  })
})

t.test('a filter is made of a list of breached passwords', async t => {
  const { latchkey, directory } = bench(t)
  const [list, filter] = [
    join(directory, 'breached.txt'),
    join(directory, 'breached.filter'),
  ]
  const sha1 = createHash('sha1').update('correct horse battery').digest('hex')
  writeFileSync(
    list,
    Buffer.concat([
      Buffer.from(`\uFEFFletmein letmein\n\n${sha1}:12\n${sha1.toUpperCase()}\n`),
      Buffer.from('hörse\n', 'latin1'),
      Buffer.from('hörse hörse hörse\r\n'),
    ]),
  )
  t.match(
    await latchkey(`passwords blocklist build ${list} ${filter} --json`, '', { env: {} }),
    { code: 0, records: [{ entries: 4, notUtf8: 1, filter }] },
  )
  const ascii = join(directory, 'ascii.txt')
  writeFileSync(ascii, 'letmein\n')
  t.match(await latchkey(`passwords blocklist build ${ascii} ${filter}.1`), {
    code: 0,
    out: /: 1 entry in \d+ bytes\n$/,
  })
  const { isBreached, close } = await openBlocklist({
    blocklist: filter,
    refuseCommon: false,
  })
  for (const password of [
    'letmein letmein',
    'correct horse battery',
    'hörse hörse hörse',
  ]) {
    t.equal(await isBreached(password), true, password)
  }
  t.equal(await isBreached('nobody has this one'), false)
  await close()
  t.match(
    await latchkey(`passwords blocklist build ${list} ${filter}.2`, '', { env: {} }),
    {
      code: 0,
      out: /: 4 entries in \d+ bytes\nleft out, as nobody can type it: 1 line of another encoding/,
    },
  )
  t.match(
    await latchkey(`passwords blocklist build ${list} ${filter}`, '', { env: {} }),
    { code: 1, err: /exist/ },
    'a filter that is there stays',
  )
  t.match(
    await latchkey(`passwords blocklist build ${list}.none ${filter}.new`, '', {
      env: {},
    }),
    { code: 1, err: /ENOENT/ },
  )
})

t.test(
  'the cost of a hash is measured here, and never below what a password deserves',
  async t => {
    const { latchkey } = bench(t)
    const [record] = (
      await latchkey('passwords calibrate --target 1ms --json', '', { env: {} })
    ).records
    t.match(record, {
      memoryKiB: 19_456,
      passes: 2,
      parallelism: 1,
      concurrency: Number,
      inTime: false,
      tookMs: Number,
      perSecond: Number,
      build: /^(portable|avx2)$/,
    })
    t.match(await latchkey('passwords calibrate --target 1ms', '', { env: {} }), {
      code: 0,
      out: /\npasswords: \{ memoryKiB: 19456, passes: 2, parallelism: 1, concurrency: auto \}\n$/,
    })
  },
)

t.test('a client secret and its line belong together', async t => {
  const { latchkey } = bench(t)
  const [record] = (await latchkey('clients secret --json', '', { env: {} })).records
  t.match(record, { secret: /^[\w-]{43}$/ })
  t.equal(
    record?.['hash'],
    `sha256:${createHash('sha256').update(String(record?.['secret'])).digest('base64url')}`,
  )
  t.match((await latchkey('clients secret')).out, /^[\w-]{43}\nsha256:[\w-]{43}\n$/)
})

t.test(
  'clients token makes a bearer token and the line that the configuration wants',
  async t => {
    const { latchkey } = bench(t)
    const [record] = (await latchkey('clients token --json', '', { env: {} })).records
    const { token, hash } = Object(record)
    t.match(token, /^lks_[\w-]{43}$/)
    t.equal(
      hash,
      `sha256:${createHash('sha256').update(String(token)).digest('base64url')}`,
    )
    t.match((await latchkey('clients token')).out, /^lks_[\w-]{43}\nsha256:[\w-]{43}\n$/)
  },
)

t.test('tokens are decoded and verified', async t => {
  const { latchkey, withStore } = bench(t, {
    more: ['clients: [{ id: mobile, audience: [a] }]'],
  })
  await latchkey('users add alice', PASSWORD)
  const now = Math.floor(Date.now() / 1000)
  const { sign, claims } = await withStore(async store => {
    const ring = createKeyRing({
      keys: store.keys,
      secrets: [SECRET],
      now: () => store.now(),
      policy: () => ({
        algorithm: 'ES256',
        rotateEveryMs: 9e9,
        publishAheadMs: 9e8,
        accessTtlMs: 600_000,
      }),
      emit: () => {},
    })
    await ring.load()
    const sub = await login(store, 'a'.repeat(22))
    const claims: AccessTokenClaims = {
      iss: 'https://id.example.com',
      sub,
      aud: 'a',
      client_id: 'mobile',
      iat: now,
      exp: now + 600,
      jti: 'j1',
      sid: 'a'.repeat(22),
      scope: 'profile',
      auth_time: now,
    }
    const key = ring.signingKey()
    return {
      claims,
      sign: (
        changed: object = {},
        signing: object = {},
        typ: 'at+jwt' | 'JWT' = 'at+jwt',
      ) =>
        String(
          createJwtSigner(() => ({ ...key, ...signing }))({ ...claims, ...changed }, typ),
        ),
    }
  })
  t.match(await latchkey(`token verify ${sign()} --json`), {
    code: 0,
    records: [{ active: true, claims }],
  })
  t.match(await latchkey('token verify -', `${sign({}, {}, 'JWT')}\n`), {
    code: 0,
    out: /^active: sub .*, client mobile, until .*Z\n$/,
  })
  t.match(await latchkey(`token inspect ${sign()} --json`), {
    code: 0,
    records: [{ header: { typ: 'at+jwt' }, payload: claims }],
  })
  t.match(await latchkey('token inspect -', sign(), { env: {} }), {
    code: 0,
    out: /"client_id": "mobile"/,
  })

  await withStore(store =>
    store.accessTokens.revoke({
      userTag: userTag(claims.sub),
      sid: claims.sid,
      jti: claims.jti,
      expiresAt: claims.exp * 1000,
    }),
  )
  t.match(await latchkey(`token verify ${sign()}`), {
    code: 1,
    err: 'latchkey: token revoked\n',
  })
})
