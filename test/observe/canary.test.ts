/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
// The canary: a mark of its own in every secret field, at every log level, on every error path. None may come
// out in the log, the metrics, the bytes of SQLite's files or of Redis' dump.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import { rewriteOf } from '../../src/observe/line-form.ts'
import { openStore } from '../../src/stores/open.ts'
import {
  buildTestApp,
  client,
  CLIENTS,
  sha256Line,
  type TestApp,
} from '../support/app.ts'
import { startRedis } from '../support/redis.ts'
import { freePort } from '../support/free-port.ts'
import { PATIENT } from '../support/until.ts'

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

/** The forms in which a line may go out beside the one that it is made in. */
const OTHER_FORMS = [
  { format: 'ecs', times: 'epoch', levels: 'numbers' } as const,
  { format: 'pretty', times: 'epoch', levels: 'numbers' } as const,
  { format: 'json', times: 'iso', levels: 'words' } as const,
].map(form => rewriteOf(form, false))

/** Gives marks out and knows them all. */
function createMarks() {
  const given: Array<{ readonly name: string; readonly secret: string }> = []
  const keep = (name: string, secret: string) => {
    given.push({ name, secret })
  }
  const mark = (name: string) => {
    const secret = `canary${randomBytes(12).toString('hex')}`
    keep(name, secret)
    return secret
  }
  return { mark, keep, given }
}
type Marks = ReturnType<typeof createMarks>

/** The ways in which a text may be written down. */
function spellings(text: string): string[] {
  const bytes = Buffer.from(text)
  // In base64 a text has three spellings, by where it begins; the middle is the same whatever stands around
  // it.
  const base64 = [0, 1, 2].flatMap(shift =>
    (['base64', 'base64url'] as const).map(form =>
      Buffer.concat([Buffer.alloc(shift), bytes])
        .toString(form)
        .slice(4, -4),
    ),
  )
  return [
    text,
    encodeURIComponent(text),
    JSON.stringify(text).slice(1, -1),
    bytes.toString('hex'),
    bytes.toJSON().data.join(','),
    ...base64,
  ]
}

/** The names of the marks that stand in the text. */
function found(where: string | Buffer, { given }: Marks): string[] {
  return given
    .filter(({ secret }) => spellings(secret).some(text => where.includes(text)))
    .map(({ name }) => name)
}

interface Options {
  readonly level: string
  readonly storeUrl: string
  readonly marks: Marks
}

/** A server whose own secrets are marks, with two users. */
async function start({ level, storeUrl, marks }: Options) {
  const configured = marks.mark('the secret of the configuration').padEnd(43, 'x')
  marks.keep('the secret of the configuration, whole', configured)
  const [web, retired] = [
    marks.mark("a client's secret"),
    marks.mark("a client's other secret"),
  ]
  const clients = [
    ...CLIENTS.filter(({ id }) => id !== 'web'),
    client('web', {
      secrets: [sha256Line(web), sha256Line(retired)],
      forwardsAddress: true,
      introspect: 'any',
    }),
  ]
  const server = await buildTestApp({
    logLevel: level,
    storeUrl,
    clients,
    secrets: [configured],
    trustedProxies: ['10.0.0.0/8'],
  })
  const password = marks.mark("a user's password")
  await server.accounts.add({
    name: 'bob',
    password,
    scopes: null,
    roles: [],
  })
  return {
    server,
    web,
    retired,
    password,
  }
}

type Started = Awaited<ReturnType<typeof start>>

/** Everything that a client may do, right and wrong; the statuses of the answers. */
async function play(
  { server, web, retired, password }: Started,
  { mark, keep }: Marks,
): Promise<Set<number>> {
  const { app, post } = server
  const statuses = new Set<number>()
  const note = <Answer extends { statusCode: number }>(answer: Answer) => {
    statuses.add(answer.statusCode)
    return answer
  }
  const basic = (id: string, secret: string) => {
    const text = Buffer.from(`${id}:${secret}`).toString('base64')
    keep(`Basic credentials of ${id}`, text)
    return { authorization: `Basic ${text}` }
  }
  const noise = () => ({
    'user-agent': mark('user-agent'),
    cookie: `session=${mark('cookie')}`,
    'x-forwarded-for': mark('x-forwarded-for'),
    referer: `https://x/?${mark('referer')}`,
    // One of safe characters is what the log is asked to have.
    'x-request-id': `${mark('x-request-id')} and more`,
    'request-id': mark('request-id'),
    origin: `https://${mark('origin')}.example`,
    'latchkey-forwarded-for': mark('latchkey-forwarded-for'),
    traceparent: mark('traceparent'),
    dpop: mark('dpop'),
    'x-api-key': mark('x-api-key'),
  })
  const send = async (
    url: string,
    body: Record<string, string> | string,
    headers: Record<string, string> = {},
  ) =>
    note(
      await post(
        `${url}?code=${mark('query')}&access_token=${mark('token in the query')}`,
        typeof body === 'string'
          ? body
          : { ...body, unknown: mark('an unknown parameter') },
        headers,
      ),
    )
  const tokensOf = (answer: {
    statusCode: number
    json(): { access_token: string; refresh_token: string }
  }) => {
    if (answer.statusCode !== 200) {
      return {
        access_token: mark('no access token'),
        refresh_token: `rt_${mark('no refresh token')}`,
      }
    }
    const { access_token: access, refresh_token: refresh } = answer.json()
    keep(`an access token's signature ${access.slice(-6)}`, String(access.split('.')[2]))
    keep(`an access token ${access.slice(-6)}`, access)
    keep(`a refresh token ${refresh.slice(-6)}`, refresh.slice(3))
    return { access_token: access, refresh_token: refresh }
  }
  const login = { grant_type: 'password', username: 'bob', password }
  const ours = { client_id: 'web', client_secret: web }

  const first = tokensOf(
    await send(
      '/token',
      { ...login, client_id: 'mobile' },
      { 'user-agent': mark('user-agent') },
    ),
  )
  const own = tokensOf(await send('/token', login, basic('web', web)))
  tokensOf(await send('/token', { ...login, ...ours, client_secret: retired }))
  await send('/token', {
    ...login,
    client_id: 'mobile',
    password: mark('a wrong password'),
  })
  await send('/token', {
    ...login,
    client_id: 'mobile',
    username: mark('a password typed as a name'),
  })
  await send('/token', { ...login, client_id: mark('a secret sent as client_id') })
  await send('/token', login, basic('web', mark('a wrong secret')))
  await send('/token', {
    ...login,
    client_id: 'web',
    client_secret: mark('a wrong secret in the body'),
  })
  await send('/token', { ...login, ...ours }, basic('web', web))
  await send('/token', { ...login, client_id: 'mobile', scope: mark('scope') })
  await send('/token', { ...login, client_id: 'mobile', resource: mark('resource') })
  await send('/token', { ...login, client_id: 'mobile', grant_type: mark('grant_type') })
  await send('/token', {
    ...login,
    client_id: 'mobile',
    client_assertion: mark('client_assertion'),
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  })
  await send('/token', { ...login, client_id: 'mobile' }, noise())
  const second = tokensOf(
    await send('/token', {
      grant_type: 'refresh_token',
      client_id: 'mobile',
      refresh_token: first.refresh_token,
    }),
  )
  await send(
    '/token',
    { grant_type: 'refresh_token', refresh_token: first.refresh_token },
    basic('web', web),
  )
  await send('/token', {
    grant_type: 'refresh_token',
    client_id: 'mobile',
    refresh_token: `rt_${mark('a forged refresh token')}`,
  })
  for (const url of ['/introspect', '/revoke']) {
    for (const token of [
      mark('an unknown token'),
      second.access_token,
      second.refresh_token,
      own.refresh_token,
    ]) {
      await send(url, {
        token,
        ...(url === '/introspect' ? ours : { client_id: 'mobile' }),
        token_type_hint: mark('a hint'),
      })
    }
    await send(url, { token: mark('a token without client') })
  }
  tokensOf(
    await send('/token', {
      grant_type: 'refresh_token',
      client_id: 'mobile',
      refresh_token: first.refresh_token,
    }),
  )

  for (const url of ['/token', '/introspect', '/revoke']) {
    await send(url, `password=${mark('beside a broken encoding')}%zz`)
    await send(url, `password=${mark('twice')}&password=${mark('twice again')}`)
    await send(url, JSON.stringify({ password: mark('JSON') }), {
      'content-type': 'application/json',
    })
    await send(url, mark('a body of another type'), {
      'content-type': `application/${mark('a content type')}`,
    })
    await send(url, mark('a large body').repeat(1000))
    await send(url, `${mark('a name')}=x`)
    await send(url, '', { authorization: `Basic ${mark('no Basic')}*` })
    note(
      await app.inject({ url: `${url}?password=${mark('the query of a wrong method')}` }),
    )
    note(
      await app.inject({
        method: 'PUT',
        url,
        headers: FORM,
        payload: `password=${mark('the body of a wrong method')}`,
      }),
    )
  }
  for (const token of [
    own.access_token,
    first.access_token,
    mark('a bearer'),
    `${mark('two')} ${mark('words')}`,
  ]) {
    note(
      await app.inject({
        url: `/userinfo?access_token=${mark('query of userinfo')}`,
        headers: { ...noise(), authorization: `Bearer ${token}` },
      }),
    )
    note(
      await app.inject({
        url: '/verify',
        headers: {
          authorization: `DPoP ${token}`,
          dpop: mark('a proof'),
          'latchkey-audience': 'https://orders.example.com',
          'x-original-url': `https://x/${mark('the URL behind the proxy')}`,
        },
      }),
    )
  }
  note(await app.inject({ url: `/none/${mark('a path')}`, headers: noise() }))
  note(await app.inject({ url: `/%zz${mark('a path that is none')}` }))
  note(await app.inject({ url: `/docs/static/${mark('a file')}` }))
  // What a library may throw: a message, properties, a cause, or no error at all.
  const secret = mark('a fault of ours')
  const fault = Object.assign(
    new Error(`could not read ${secret}`, { cause: new Error(secret) }),
    {
      command: { args: [secret] },
      password: secret,
      secret,
      detail: secret,
    },
  )
  for (const thrown of [fault, secret]) {
    server.live.typ = new Proxy(
      {},
      {
        get() {
          throw thrown
        },
      },
    )
    await send(
      '/token',
      { ...login, client_id: 'mobile' },
      { 'x-trace': mark('the header of a fault') },
    )
    server.live.typ = {}
  }

  server.live.max = 1
  note(
    await app.inject({
      method: 'POST',
      url: '/token',
      headers: { ...FORM, 'latchkey-forwarded-for': mark('an address') },
      payload: `password=${mark('password of one too many')}`,
    }),
  )
  server.live.max = 1_000_000
  return statuses
}

/** Bytes that never become a request. */
async function shout({ app }: TestApp, { mark }: Marks): Promise<void> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  for (const text of [
    `${mark('no HTTP')}\r\n\r\n`,
    `GET /?${mark('a long URL')}${'a'.repeat(17_000)} HTTP/1.1\r\n\r\n`,
    `POST /token HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${mark('a header')}\0\r\n\r\n`,
  ]) {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(text)
    })
    socket.resume().on('error', () => {})
    await once(socket, 'close')
  }
}

async function clean(t: Test, { server }: Started, marks: Marks): Promise<void> {
  t.same(found(server.lines.join(''), marks), [], 'the log')
  for (const rewrite of OTHER_FORMS) {
    const lines = server.lines.map(rewrite)
    t.same(found(lines.join(''), marks), [], 'the log in another form')
  }
  t.same(found(await server.metrics.render(), marks), [], 'the metrics')
}

t.test('the bird sings when there is something to sing of', async t => {
  const marks = createMarks()
  const secret = marks.mark('a secret')
  for (const text of [
    `{"x":"${secret}"}`,
    `?a=${secret}`,
    Buffer.from(`ab:${secret}`).toString('base64'),
    Buffer.from(`a${secret}`).toString('base64url'),
    Buffer.from(secret).toString('hex'),
    JSON.stringify(Buffer.from(secret)),
  ]) {
    t.same(found(text, marks), ['a secret'])
  }
  t.same(found('nothing', marks), [])
})

for (const level of LEVELS) {
  t.test(`SQLite, log level ${level}`, async t => {
    const dir = await mkdtemp(join(tmpdir(), 'latchkey-canary-'))
    const marks = createMarks()
    const started = await start({
      level,
      storeUrl: `sqlite:${join(dir, 'canary.db')}`,
      marks,
    })
    const { server } = started
    t.teardown(async () => {
      await server.close()
      await rm(dir, { recursive: true })
    })
    const statuses = await play(started, marks)
    t.same(
      [...statuses].sort(),
      [200, 400, 401, 404, 405, 413, 415, 429, 500],
      'every kind of answer was given',
    )
    for (const name of await readdir(dir)) {
      t.same(found(await readFile(join(dir, name)), marks), [], name)
    }
    t.ok(
      (await readFile(join(dir, 'canary.db-wal'))).includes('bob'),
      'the files are those with the data',
    )

    // What a later line of ours might carry by mistake.
    const slip = {
      password: marks.mark('a slip'),
      headers: { authorization: marks.mark('a slip in headers') },
      client: { of: { client_secret: marks.mark('a deep slip') } },
    }
    server.app.log.fatal(
      { ...slip, req: { url: `/?${marks.mark('a request')}`, headers: slip.headers } },
      'a slip',
    )
    server.app.log.fatal(
      {
        err: Object.assign(new Error(marks.mark('an error')), {
          stack: undefined,
          code: 'ECANARY',
        }),
      },
      'an error without a stack',
    )
    await server.store.close()
    t.ok((await play(started, marks)).has(503), 'and while the store fails')
    await shout(server, marks)
    t.ok(marks.given.length > 300)
    await clean(t, started, marks)
    const info = ['trace', 'debug', 'info'].includes(level)
    t.equal(
      server.lines.some(line => line.includes('"answered"')),
      info,
    )
    t.equal(
      server.lines.some(
        line => line.includes('"a fault of ours"') && line.includes('canary.test.ts'),
      ),
      info || level === 'warn' || level === 'error',
      'a fault is told with its place',
    )
    t.equal(
      server.lines.filter(line => line.includes('[redacted]')).length,
      level === 'silent' ? 0 : 1,
    )
    t.equal(
      server.lines.filter(line => line.includes('ECANARY')).length,
      level === 'silent' ? 0 : 1,
    )
    t.equal(
      server.lines.filter(line => !line.includes('"audit"')).length > 2,
      level !== 'silent' && level !== 'fatal',
    )
    t.ok(
      server.lines.some(line => line.includes('"login.failed"')),
      'audit lines are written whatever the level',
    )
  })
}

/** How a key's value is read, by its type. */
const READERS: Readonly<
  Record<string, (redis: Redis, key: string) => Promise<string | Buffer>>
> = {
  string: async (redis, key) => Buffer.from((await redis.getBuffer(key)) ?? ''),
  hash: async (redis, key) => JSON.stringify(await redis.hgetall(key)),
  zset: async (redis, key) => JSON.stringify(await redis.zrange(key, '0', '-1')),
}

t.test('Redis: keys, values, the dump, and while it is gone', async t => {
  const redis = await startRedis()
  const marks = createMarks()
  const started = await start({ level: 'trace', storeUrl: redis.url, marks })
  const { server } = started
  t.teardown(async () => {
    await server.close()
    await redis.stop()
  })
  const statuses = await play(started, marks)
  t.same([...statuses].sort(), [200, 400, 401, 404, 405, 413, 415, 429, 500])

  const eye = new Redis(redis.url)
  const keys = await eye.keys('*')
  t.ok(
    keys.some(key => key.includes(':f:')) &&
      keys.some(key => key.startsWith('lk:{rate}:')),
    'families and rate limits are there',
  )
  t.same(found(keys.join('\n'), marks), [], 'the names of the keys')
  for (const key of keys) {
    const type = await eye.type(key)
    const read = READERS[type]
    if (read === undefined) t.fail(`${type} is not read`)
    else t.same(found(await read(eye, key), marks), [], key)
  }
  await eye.config('SET', 'rdbcompression', 'no')
  await eye.save()
  const [, dir = ''] = (await eye.config('GET', 'dir')) as string[]
  const dump = await readFile(join(dir, 'dump.rdb'))
  t.ok(dump.includes('bob') && dump.includes('$argon2id$'), 'the dump is readable')
  t.same(found(dump, marks), [], 'the dump')
  eye.disconnect()

  await redis.stop()
  t.ok((await play(started, marks)).has(503))
  await clean(t, started, marks)
})

t.test('a configuration that is refused, and a store that is not there', async t => {
  const marks = createMarks()
  const { mark } = marks
  const good = {
    issuer: 'https://id.example.com',
    store: { url: 'sqlite:x.db' },
    secrets: [mark('a good secret').padEnd(43, 'x')],
  }
  const texts: Array<[string, string]> = [
    ['a short secret', JSON.stringify({ ...good, secrets: [mark('a short secret')] })],
    [
      'a secret twice',
      JSON.stringify({ ...good, secrets: [good.secrets[0], good.secrets[0]] }),
    ],
    [
      'a secret that is a mapping',
      JSON.stringify({ ...good, secrets: [{ value: mark('a mapping') }] }),
    ],
    [
      'a secret in an unknown key',
      JSON.stringify({ ...good, password: mark('an unknown key') }),
    ],
    [
      "a client's secret in the clear",
      JSON.stringify({
        ...good,
        clients: [{ id: 'a', secrets: [mark('in the clear')] }],
      }),
    ],
    [
      "a client's secret under a wrong name",
      JSON.stringify({ ...good, clients: [{ id: 'a', secret: mark('a wrong name') }] }),
    ],
    [
      "a store's password in a URL that is none",
      JSON.stringify({ ...good, store: { url: `mysql://user:${mark('a URL')}@host` } }),
    ],
    [
      'an issuer with a password',
      JSON.stringify({
        ...good,
        issuer: `https://user:${mark('an issuer')}@id.example.com`,
      }),
    ],
    ['a quote that does not end', `secrets: ["${mark('no end')}`],
    ['a tab', `secrets:\n\t- ${mark('a tab')}`],
    ['a key twice', `secrets: [${mark('first')}]\nsecrets: [${mark('second')}]`],
    ['an unknown tag', `secrets: !${mark('a tag')} x`],
    ['an unknown alias', `secrets: *${mark('an alias')}`],
    [
      'a variable with a bad value',
      JSON.stringify({ ...good, secrets: ['${LATCHKEY_SECRET}'] }),
    ],
  ]
  const env = { LATCHKEY_SECRET: mark('a variable') }
  for (const [name, text] of texts) {
    t.test(name, async t => {
      try {
        parseConfig(text, env)
        t.fail('was taken')
      } catch (error) {
        t.equal((error as Error).name, 'ConfigError')
        t.same(
          found(
            `${String(error)} ${(error as Error).stack} ${JSON.stringify(error)}`,
            marks,
          ),
          [],
        )
      }
    })
  }
  const port = await freePort()
  const urls = [
    `redis://user:${mark('a password')}@127.0.0.1:${port}/0`,
    `redis://:${mark('a password')}@127.0.0.1:${port}/x`,
    `redis://${mark('a password')}@/`,
  ]
  for (const url of urls) {
    t.test(url.replace(/canary\w+/, '…'), async t => {
      const error = await openStore({ ...PATIENT, url, clock: Date.now }).then(
        ({ store }) => store.close(),
        (error: unknown) => error,
      )
      t.ok(error instanceof Error)
      t.same(found(`${String(error)} ${(error as Error).stack}`, marks), [])
    })
  }
})
