// Development mode, as the README's first screen has it: the demo user, the curl line that is pasted, what a
// second start keeps.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { freePortPair } from '../support/free-port.ts'
import { postForm, runMain, runNode } from '../support/server.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** What `npm start` runs. */
const NPM_START = [new URL('../../bin/latchkey.js', import.meta.url).pathname, 'serve']

const isLog = (line: string) => line.startsWith('{')

/** Starts the server where no configuration is named, and waits until it has said all that it says. */
async function start(
  t: Test,
  directory: string,
  port: number,
  node: readonly string[] = [],
) {
  const run = runNode(
    [...node, ...NPM_START],
    { LATCHKEY_DEV_PORT: String(port) },
    directory,
  )
  t.teardown(() => run.stop())
  const warning = await run.logged(/^\{.*DEVELOPMENT MODE/)
  const curl = (await run.logged(/^ +curl /)).trim()
  await run.logged(/Try the API: /)
  return {
    ...run,
    warning,
    curl,
    url: `http://127.0.0.1:${port}`,
    banner: run.lines.filter(line => !isLog(line)).join('\n'),
  }
}

/** Pastes a line into a shell. */
function paste(line: string, cwd: string) {
  const { stdout, stderr, error } = spawnSync('sh', ['-c', line], {
    cwd,
    encoding: 'utf8',
    timeout: 20_000,
  })
  if (/curl.*not found/.test(stderr)) {
    throw new Error('curl is not on the PATH: install it (apt-get install curl)')
  }
  if (error !== undefined) throw error
  return JSON.parse(stdout)
}

t.test(
  'the first start makes a demo user and the curl line gets a token; a second start keeps users, ' +
    'sessions and keys',
  async t => {
    const directory = t.testdir()
    const port = await freePortPair()
    const first = await start(t, directory, port)
    const password = readFileSync(join(directory, '.latchkey', 'demo-password'), 'utf8')
    t.match(password, /^[\w-]{16}$/)
    t.match(first.banner, /DEVELOPMENT MODE/)
    t.match(first.banner, `Demo user: demo   password: ${password}\n`)
    t.match(first.warning, /"level":40.*loopback only/, 'loud in the log, too')
    t.notMatch(
      first.lines.filter(isLog).join(),
      password,
      'which does not get the password',
    )

    const lineOf = (pattern: RegExp) => first.lines.findIndex(line => pattern.test(line))
    t.ok(
      lineOf(/"change":"added"/) < lineOf(/Server listening/),
      'whoever sees that it listens finds the demo user',
    )
    t.ok(
      README.includes(`\n${first.curl.replace(String(port), '3000')}\n`),
      'the README has the very same line',
    )
    const tokens = paste(first.curl, directory)
    t.match(tokens, {
      token_type: 'Bearer',
      expires_in: 600,
      refresh_token: /^rt_/,
      scope: 'profile orders:read orders:write',
    })
    t.match(decodeJwt(tokens.access_token), {
      iss: first.url,
      aud: 'http://127.0.0.1:8000',
      client_id: 'demo',
      roles: ['demo'],
    })
    t.equal((await fetch(`${first.url}/docs`)).status, 200)

    for (const host of [`127.0.0.2:${port}`, `127.0.0.2:${port + 1}`, `[::1]:${port}`]) {
      t.equal(
        await fetch(`http://${host}`).then(
          () => 'answers',
          () => 'silent',
        ),
        'silent',
        `${host}: one loopback address and no other`,
      )
    }
    const kids = async () =>
      (
        (await (await fetch(`${first.url}/.well-known/jwks.json`)).json()) as {
          keys: { kid: string }[]
        }
      ).keys.map(({ kid }) => kid)
    const firstKids = await kids()
    t.equal(await first.stop(), 0)

    const second = await start(t, directory, port)
    t.match(second.banner, 'Demo user: demo; its password is in .latchkey/demo-password')
    t.notMatch(second.lines.join('\n'), password, 'the password is shown once')
    t.strictSame(await kids(), firstKids)
    t.equal(
      (
        await fetch(`${second.url}/userinfo`, {
          headers: { authorization: `Bearer ${tokens.access_token}` },
        })
      ).status,
      200,
    )
    t.equal(
      (
        await postForm(`${second.url}/token`, {
          grant_type: 'refresh_token',
          client_id: 'demo',
          refresh_token: tokens.refresh_token,
        })
      ).status,
      200,
    )
    const again = paste(second.curl, directory)
    t.equal(decodeJwt(again.access_token).sub, decodeJwt(tokens.access_token).sub)
    t.equal(await second.stop(), 0)
  },
)

t.test('on a terminal the log is lines for a person, elsewhere JSON', async t => {
  const port = await freePortPair()
  const terminal = '--import=data:text/javascript,process.stdout.isTTY=true'
  const run = runNode(
    [terminal, ...NPM_START],
    { LATCHKEY_DEV_PORT: String(port) },
    t.testdir(),
  )
  t.teardown(() => run.stop())
  await run.logged(/Try the API: /)
  t.match(
    await run.logged(/DEVELOPMENT MODE: /),
    /^\d\d:\d\d:\d\d WARN {2}DEVELOPMENT MODE/,
  )
  t.equal((await fetch(`http://127.0.0.1:${port}/nothing`)).status, 404)
  t.match(
    await run.logged(/ answered /),
    /^\d\d:\d\d:\d\d INFO {2}answered reqId=\S+ method=GET route=unknown status=404 ms=/,
  )
  t.notOk(run.lines.some(isLog), 'no JSON')
  t.equal(await run.stop(), 0)
})

t.test('the first page says what this is, and its links lead somewhere', async t => {
  const run = await start(t, t.testdir(), await freePortPair())
  const answer = await fetch(`${run.url}/`)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
  const page = await answer.text()
  t.match(page, 'The token server of an app (OAuth 2.0)')
  const links = [...page.matchAll(/href="([^"]+)"/g)].map(([, link = '']) => link)
  t.same(links, [
    '/docs',
    '/.well-known/oauth-authorization-server',
    '/.well-known/jwks.json',
  ])
  for (const link of links) {
    t.equal((await fetch(new URL(link, run.url))).status, 200, link)
  }
  t.equal(await run.stop(), 0)
})

/** The answer to a request as bytes, on a connection of its own. */
async function exchange(port: number, head: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.end(head)
  return await text(socket)
}

t.test('both listeners refuse a name that a page of another site may own', async t => {
  const port = await freePortPair()
  const run = await start(t, t.testdir(), port)
  const get = (at: number, path: string, host: string) =>
    exchange(at, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  const places: [number, string][] = [
    ...['/livez', '/readyz', '/metrics', '/nothing'].map((path): [number, string] => [
      port + 1,
      path,
    ]),
    ...[
      '/.well-known/jwks.json',
      '/.well-known/oauth-authorization-server',
      '/userinfo',
      '/verify',
      '/docs',
      '/openapi.json',
      '/nothing',
    ].map((path): [number, string] => [port, path]),
  ]
  for (const [at, path] of places) {
    for (const host of [
      'evil.example',
      `evil.example:${at}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'evillocalhost',
      '10.0.0.1',
      '[::2]',
      '',
    ]) {
      const answer = await get(at, path, host)
      t.match(answer, /^HTTP\/1\.1 421 /, `${path} for "${host}"`)
      t.match(answer, 'set LATCHKEY_CONFIG', 'the answer says what to do')
    }
    for (const host of [
      'localhost',
      `127.0.0.1:${at}`,
      'LocalHost:1',
      'a.localhost',
      '[::1]:2',
    ]) {
      t.notMatch(await get(at, path, host), /^HTTP\/1\.1 421 /, `${path} for ${host}`)
    }
  }
  for (const method of ['OPTIONS', 'POST', 'DELETE']) {
    const answer = await exchange(
      port,
      `${method} /token HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n` +
        'Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n',
    )
    t.match(answer, /^HTTP\/1\.1 421 /, `${method} /token`)
  }
  t.match(
    await exchange(port + 1, 'GET /metrics HTTP/1.0\r\n\r\n'),
    /^HTTP\/1\.1 421 /,
    'no name at all',
  )
  t.equal(await run.stop(), 0)
})

t.test('what it can not start with is told in a line', async t => {
  const port = await freePortPair()
  const directory = t.testdir()
  const first = await start(t, directory, port)
  for (const [name, env, message] of [
    [
      'production',
      { NODE_ENV: 'production' },
      /^latchkey: NODE_ENV is production but LATCHKEY_CONFIG names no file: development mode is refused$/,
    ],
    [
      'no port',
      { LATCHKEY_DEV_PORT: 'many' },
      /^latchkey: LATCHKEY_DEV_PORT: expected a port/,
    ],
    [
      'a port that is taken',
      { LATCHKEY_DEV_PORT: String(port) },
      new RegExp(
        `^latchkey: port ${port} is taken, .*: name another by LATCHKEY_DEV_PORT ` +
          '\\(LATCHKEY_DEV_PORT=4000 npm start\\)',
      ),
    ],
  ] as const) {
    const run = runMain(env, directory)
    t.equal(await run.ended, 1, name)
    t.match(run.lines, [message], name)
  }
  const odd = runMain(
    { LATCHKEY_DEV_PORT: String(await freePortPair()) },
    t.testdir({ '.latchkey': { 'latchkey.db': {} } }),
  )
  t.equal(await odd.ended, 1, 'a store that is no file')
  t.match(odd.lines, [/^latchkey: .*latchkey\.db/])
  t.equal(await first.stop(), 0, 'the one that runs is not hurt')
})

t.test(
  'a fault that nobody caught is logged without its message, and ends the process with 1',
  async t => {
    const directory = t.testdir({
      'plant.mjs': "process.on('SIGWINCH', () => { throw new Error('canary') })",
    })
    const server = await start(t, directory, await freePortPair(), [
      '--import',
      join(directory, 'plant.mjs'),
    ])
    server.signal('SIGWINCH')
    t.equal(await server.ended, 1)
    t.match(
      await server.logged(/the process failed/),
      /^\{"level":60,.*"type":"Error".*plant\.mjs/,
    )
    t.notMatch(server.lines.join(), 'canary')
  },
)
