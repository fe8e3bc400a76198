// Bad input for attributes, by every way in: each way says which attribute it is, and changes nothing. One
// configuration file, one store, the command line and a running server beside each other, on both stores.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'
import { sha256Line } from '../support/app.ts'
import { commandLine } from '../support/command-line.ts'
import { startInProcess } from '../support/in-process.ts'
import { startRedis } from '../support/redis.ts'
import { EXTENSION, PATCH_OP, USER } from '../support/scim.ts'
import { everyOne } from '../support/stores.ts'
import { PATIENT } from '../support/until.ts'

const ISSUER = 'https://id.example.com'
const PASSWORD = 'correct horse battery staple'
const TOKEN = `lks_${'a'.repeat(43)}`
const TAKEN = 'taken@example.com'
const LONG = 'x'.repeat(200)
const HASH = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'

const CONFIG = [
  'http: { host: 127.0.0.1, port: 0 }',
  'management: { host: 127.0.0.1, port: 0 }',
  'clients: [{ id: mobile, grants: [password], scopes: [account], audience: [https://id.example.com] }]',
  'attributes:',
  '  email: { unique: true, self: true }',
  '  seats: { type: integer, self: true }',
  '  tenant: { type: string, self: true }',
  'tokens: { claimsMaxBytes: 100 }',
  'claims: { tenant: { from: tenant } }',
  'selfService: { account: true, registration: open, verify: none }',
  `scim: { tokens: [{ name: okta, hashes: ["${sha256Line(TOKEN)}"] }] }`,
]

/** What is wrong, what says so, and which attribute has to be named. */
interface Bad {
  readonly what: string
  readonly name: string
  readonly value: string
  /** Where types can be seen; default: the text. */
  readonly typed?: unknown
  readonly reason: string
}

const BAD: readonly Bad[] = [
  {
    what: 'an undeclared attribute',
    name: 'shoe',
    value: '44',
    reason: 'attribute_undeclared',
  },
  {
    what: 'the name of a reserved claim',
    name: 'sub',
    value: 'admin',
    reason: 'attribute_undeclared',
  },
  { what: 'a wrong type', name: 'seats', value: 'many', reason: 'attribute_invalid' },
  {
    what: 'a list for a single value',
    name: 'tenant',
    value: '',
    typed: ['a', 'b'],
    reason: 'attribute_invalid',
  },
  { what: 'no address', name: 'email', value: 'nobody@', reason: 'attribute_invalid' },
  { what: 'a taken address', name: 'email', value: TAKEN, reason: 'attribute_taken' },
  {
    what: 'a taken address in another writing',
    name: 'email',
    value: 'Taken@EXAMPLE.com',
    reason: 'attribute_taken',
  },
  {
    what: 'more than tokens may carry',
    name: 'tenant',
    value: LONG,
    reason: 'claims_too_large',
  },
]

/** What a way in answered. */
interface Said {
  /** Whether it refused. */
  readonly refused: boolean
  readonly text: string
}

interface World extends ReturnType<typeof commandLine> {
  readonly env: { readonly env: Record<string, string> }
  readonly url: string
  readonly managementUrl: string
  readonly token: string
  /** Of the account that is changed. */
  readonly sub: string
}

type Way = (world: World, bad: Bad) => Promise<Said>

const typedOf = ({ typed, value }: Bad) => typed ?? value

async function http(
  url: string,
  method: string,
  { body, token }: { body: object; token?: string },
): Promise<Said> {
  const answer = await fetch(url, {
    method,
    headers: {
      'content-type': url.includes('/scim/')
        ? 'application/scim+json'
        : 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  const { status } = answer
  return {
    refused: status >= 400 && status < 500,
    text: `${status} ${await answer.text()}`,
  }
}

async function command(
  { latchkey, env }: World,
  line: string,
  stdin: string | Buffer = '',
): Promise<Said> {
  const { code, out, err } = await latchkey(line, stdin, env)
  return { refused: code === 1, text: out + err }
}

async function imported(world: World, record: object, more = ''): Promise<Said> {
  const file = join(world.directory, 'import.jsonl')
  writeFileSync(file, JSON.stringify(record))
  return command(world, `users import ${file}${more}`)
}

/** As SCIM has an attribute. */
function scimOf({ name, ...bad }: Bad): object {
  const value = typedOf({ name, ...bad })
  return name === 'email' ? { emails: [{ value }] } : { [EXTENSION]: { [name]: value } }
}

const scim = (world: World, method: string, path: string, body: object) =>
  http(`${world.managementUrl}/scim/v2/Users${path}`, method, { body, token: TOKEN })

const given = ({ name, typed, value }: Bad) =>
  Array.isArray(typed)
    ? typed.map(item => `--attribute ${name}=${item}`).join(' ')
    : `--attribute ${name}=${value}`

const WAYS: Readonly<Record<string, Way>> = {
  'users add': (world, bad) => command(world, `users add new ${given(bad)}`, PASSWORD),
  'users set': (world, bad) => command(world, `users set alice ${given(bad)}`),
  'users import': (world, bad) =>
    imported(world, {
      name: 'new',
      passwordHash: HASH,
      attributes: { [bad.name]: typedOf(bad) },
    }),
  'users import --dry-run': (world, bad) =>
    imported(
      world,
      { name: 'new', passwordHash: HASH, attributes: { [bad.name]: typedOf(bad) } },
      ' --dry-run',
    ),
  'users import --update': (world, bad) =>
    imported(
      world,
      { name: 'alice', passwordHash: HASH, attributes: { [bad.name]: typedOf(bad) } },
      ' --update',
    ),
  'SCIM POST': (world, bad) =>
    scim(world, 'POST', '', { schemas: [USER], userName: 'new', ...scimOf(bad) }),
  'SCIM PUT': (world, bad) =>
    scim(world, 'PUT', `/${world.sub}`, {
      schemas: [USER],
      userName: 'alice',
      ...scimOf(bad),
    }),
  'SCIM PATCH': (world, bad) =>
    scim(world, 'PATCH', `/${world.sub}`, {
      schemas: [PATCH_OP],
      Operations: [
        { op: 'replace', path: 'active', value: false },
        { op: 'replace', value: scimOf(bad) },
      ],
    }),
  'PATCH /account': (world, bad) =>
    http(`${world.url}/account`, 'PATCH', {
      token: world.token,
      body: {
        attributes: { [bad.name]: typedOf(bad) },
        current_password: PASSWORD,
      },
    }),
  'POST /account': (world, bad) =>
    http(`${world.url}/account`, 'POST', {
      body: {
        name: 'new',
        password: PASSWORD,
        attributes: { [bad.name]: typedOf(bad) },
      },
    }),
}

async function worldOn(
  t: Test,
  store: 'SQLite' | 'Redis',
): Promise<World & { all: () => Promise<object[]> }> {
  const redis = store === 'Redis' ? await startRedis() : undefined
  t.teardown(() => redis?.stop())
  const line = commandLine(t, { more: CONFIG })
  const storeUrl = redis?.url ?? line.storeUrl
  const env = { env: { LATCHKEY_CONFIG: line.file, STORE: storeUrl } }
  await line.latchkey(`users add other --attribute email=${TAKEN}`, PASSWORD, env)
  const alice =
    'users add alice --attribute email=alice@example.com --attribute seats=1 --json'
  const [{ sub } = {}] = (await line.latchkey(alice, PASSWORD, env)).records
  const config = await loadConfig(line.file, env.env)
  const server = await startInProcess(t, { config })
  const form = { grant_type: 'password', client_id: 'mobile', scope: 'account' }
  const login = await fetch(`${server.url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      ...form,
      username: 'alice',
      password: PASSWORD,
      resource: ISSUER,
    }),
  })
  const { access_token: token } = Object(await login.json())
  const beside = await openStore({ ...PATIENT, url: storeUrl, clock: systemClock })
  t.teardown(() => beside.store.close())
  return {
    ...line,
    env,
    url: server.url,
    managementUrl: server.managementUrl,
    token: String(token),
    sub: String(sub),
    all: () => everyOne(beside.store.directory.all()),
  }
}

for (const store of ['SQLite', 'Redis'] as const) {
  t.test(store, async t => {
    const { all, ...world } = await worldOn(t, store)
    const before = await all()
    t.equal(before.length, 2)
    for (const [way, send] of Object.entries(WAYS)) {
      for (const bad of BAD) {
        const said = await send(world, bad)
        const about = `${way}, ${bad.what}`
        if (way === 'POST /account' && bad.reason === 'attribute_taken') {
          // Whoever signs up isn't told who has an account.
          t.strictSame(said, { refused: false, text: '202 ' }, about)
        } else {
          t.ok(said.refused, `${about} is refused: ${said.text}`)
          t.match(said.text, new RegExp(`\\b${bad.name}\\b`), `${about}: it is named`)
          t.notMatch(said.text, TAKEN, `${about}: no value`)
          t.notMatch(said.text, /within [^±+]/, `${about}: what is expected can be read`)
        }
        t.strictSame(await all(), before, `${about} changes nothing`)
      }
    }
  })
}

t.test('the configuration file', async t => {
  const line = commandLine(t)
  const good = readFileSync(line.file, 'utf8')
  const rows: ReadonlyArray<[what: string, more: string, path: string]> = [
    ['an undeclared attribute', 'claims: { size: { from: shoe } }', 'claims.size.from'],
    [
      'an undeclared attribute of an audience',
      'audiences: { "https://a.example": { claims: { size: { from: shoe } } } }',
      'audiences["https://a.example"].claims.size.from',
    ],
    ['an undeclared login', 'login: [name, email]', 'login'],
    ['a wrong type', 'attributes: { seats: { type: float } }', 'attributes.seats.type'],
    [
      'a wrong type of an option',
      'attributes: { email: { unique: maybe } }',
      'attributes.email.unique',
    ],
    ['a reserved claim', 'claims: { sub: { value: x } }', 'claims.sub'],
    [
      'a name that JavaScript keeps',
      'attributes: { __proto__: { type: string } }',
      'attributes.__proto__',
    ],
    [
      'fixed claims beyond the budget',
      `tokens: { claimsMaxBytes: 40 }\nclaims: { plan: { value: ${LONG} } }`,
      'claims',
    ],
  ]
  for (const [what, more, path] of rows) {
    writeFileSync(line.file, `${good}\n${more}\n`)
    for (const command of ['config check', 'users list']) {
      const { code, err } = await line.latchkey(command)
      t.equal(code, 1, `${what}: ${command}`)
      t.ok(err.includes(`${path}:`) || err.includes(`${path}[`), `${what}: ${err}`)
    }
    t.notOk(existsSync(line.storeUrl.slice('sqlite:'.length)), 'no store was made')
  }
})
