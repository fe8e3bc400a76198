/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
// The process: what it keeps over a restart, how it stops, how it takes another configuration, and what it
// refuses to start with.
import { statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { locksOn } from '../support/file-locks.ts'
import { backUpForeign, readForeign } from '../support/foreign-reader.ts'
import { openRaw } from '../support/raw-connection.ts'
import { SOON_MS, until } from '../support/until.ts'
import {
  CLIENTS,
  login,
  PASSWORD,
  postForm,
  runMain,
  runNode,
  startLatchkey,
  STORES,
  USER,
  type LatchkeyProcess,
} from '../support/server.ts'

const CLI = new URL('../../bin/latchkey.js', import.meta.url).pathname
const loginForm = {
  grant_type: 'password',
  client_id: 'mobile',
  username: USER,
  password: PASSWORD,
}

const statusOf = (url: string) =>
  fetch(url).then(
    ({ status }) => status,
    () => 0,
  )

const kidsOf = async ({ url }: LatchkeyProcess) => {
  const { keys }: any = await (await fetch(`${url}/.well-known/jwks.json`)).json()
  return keys.map((key: { kid: string }) => key.kid)
}

t.test(
  "a foreign reader that closes leaves SQLite's write-ahead log to the server",
  async t => {
    const dir = await mkdtemp(join(tmpdir(), 'latchkey-reader-'))
    t.teardown(() => rm(dir, { recursive: true }))
    const file = join(dir, 'latchkey.db')
    const server = await startLatchkey({
      storeUrl: `sqlite:${file}`,
      secret: 'r'.repeat(43),
    })
    t.teardown(() => server.stop())
    const stays = async (what: string, act: () => Promise<unknown>) => {
      const log = statSync(`${file}-wal`).ino
      await act()
      t.ok(locksOn(file, server.pid) > 0, `${what}: the server holds its locks`)
      t.equal(
        statSync(`${file}-wal`, { throwIfNoEntry: false })?.ino,
        log,
        `${what}: the log is there`,
      )
    }
    await stays('a login', () => login(server))
    await stays('a reader', () => readForeign(file))
    await stays('a back-up', () => backUpForeign(file, join(dir, 'copy.db')))
    await stays('a reload', async () => {
      await writeFile(
        server.configFile,
        JSON.stringify({ ...server.config, log: { level: 'debug' } }),
      )
      server.signal('SIGHUP')
      await server.logged(/configuration reloaded/)
    })
    await stays(
      'config check',
      () =>
        runNode([CLI, 'config', 'check'], { LATCHKEY_CONFIG: server.configFile }).ended,
    )
    await stays('a login and a reader', () => login(server).then(() => readForeign(file)))
  },
)

for (const { name, make } of STORES) {
  t.test(`on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const secret = 'k'.repeat(43)

    const server = await startLatchkey({
      storeUrl: store.url,
      secret,
      http: { drainDelay: '200ms' },
    })
    t.teardown(() => server.stop())
    const tokens = await login(server)
    const kids = await kidsOf(server)

    t.test(
      'SIGHUP and a changed file put other clients in force; a bad file changes nothing',
      async t => {
        const write = (config: unknown) =>
          writeFile(server.configFile, JSON.stringify(config))
        const mayLogIn = async (id: string) =>
          (await postForm(`${server.url}/token`, { ...loginForm, client_id: id }))
            .status === 200
        // Answered without the store, which a busy machine may find too slow.
        const isKnown = async (id: string) => {
          const form = { grant_type: 'none', client_id: id }
          const { body } = await postForm(`${server.url}/token`, form)
          return body['error'] === 'unsupported_grant_type'
        }
        const traffic = keepAsking(() => isKnown('mobile'))
        const withClient = (id: string) => ({
          ...server.config,
          clients: [...CLIENTS, { ...CLIENTS[0], id }],
        })

        t.notOk(await mayLogIn('tablet'))
        await write(withClient('tablet'))
        server.signal('SIGHUP')
        t.ok(await until(() => mayLogIn('tablet')), 'SIGHUP')

        await write(withClient('watch'))
        t.ok(await until(() => mayLogIn('watch')), 'the changed file was noticed')
        t.notOk(await isKnown('tablet'))

        const passwords = { ...Object(server.config['passwords']), queue: 3 }
        await write({ ...withClient('watch'), passwords })
        server.signal('SIGHUP')
        t.match(
          await server.logged(/some keys need a restart/),
          '"needRestart":["passwords.queue"]',
        )

        await write({ ...server.config, clients: [{ id: 'tablet', grunts: [] }] })
        server.signal('SIGHUP')
        t.match(await server.logged(/configuration refused/), /clients\[0\]\.grunts/)
        t.ok(await isKnown('watch'), 'the old one stays')
        const metrics = await (await fetch(`${server.managementUrl}/metrics`)).text()
        t.match(metrics, /^latchkey_config_refused 1$/m)
        // The changed file may have been noticed before the signal came.
        t.match(metrics, /^latchkey_config_reloads_total\{result="refused"\} [12]$/m)
        t.match(metrics, /^latchkey_config_reloads_total\{result="taken"\} [3-9]$/m)

        const answers = await traffic.stop()
        t.ok(answers.length > 5, `${answers.length} requests`)
        t.ok(
          answers.every(Boolean),
          `no request of ${answers.length} was dropped or refused`,
        )
      },
    )

    t.test(
      'SIGTERM: readiness off, the request in flight answered, exit 0 within the limit',
      async t => {
        const form = new URLSearchParams({ ...loginForm, client_id: 'watch' }).toString()
        const half = form.length / 2
        const request = await openRaw(
          server,
          `POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: ` +
            `application/x-www-form-urlencoded\r\nContent-Length: ` +
            `${form.length}\r\n\r\n${form.slice(0, half)}`,
        )
        // The process has read it when it answers a later one.
        t.equal((await fetch(server.url)).status, 200)
        const before = performance.now()
        const stopped = server.stop()
        await until(
          async () => (await statusOf(`${server.managementUrl}/readyz`)) === 503,
        )
        t.equal(
          await statusOf(`${server.managementUrl}/readyz`),
          503,
          'probes are told while the request runs',
        )
        t.equal(
          await statusOf(`${server.managementUrl}/livez`),
          200,
          'and that nothing hangs',
        )
        request.send(form.slice(half))
        await request.closed
        t.match(request.answer(), { status: 200, body: { token_type: 'Bearer' } })
        t.equal(await stopped, 0)
        t.ok(performance.now() - before < SOON_MS)
      },
    )

    t.test('a second start keeps users, sessions and keys', async t => {
      const ports = {
        http: server.port,
        management: Number(new URL(server.managementUrl).port),
      }
      const second = await startLatchkey({
        storeUrl: store.url,
        secret,
        ports,
        addUser: false,
      })
      t.teardown(() => second.stop())
      t.same(await kidsOf(second), kids)
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
            client_id: 'mobile',
            refresh_token: tokens.refresh_token,
          })
        ).status,
        200,
      )
      t.ok((await login(second)).access_token)
    })
  })
}

t.test(
  'a configuration that can not be used ends the start with 1 and the path of the key',
  async t => {
    const dir = await mkdtemp(join(tmpdir(), 'latchkey-refused-'))
    t.teardown(() => rm(dir, { recursive: true }))
    const good = {
      issuer: 'https://id.example.com',
      store: { url: `sqlite:${join(dir, 'db')}` },
      secrets: ['s'.repeat(43)],
    }
    const cases: Array<[string, unknown, RegExp]> = [
      ['a wrong type', { ...good, http: { port: 'many' } }, /http\.port/],
      [
        'a missing variable',
        { ...good, secrets: ['${LATCHKEY_SECRET}'] },
        /secrets\[0\][\s\S]*LATCHKEY_SECRET/,
      ],
      ['no file', undefined, /2\.yaml: expected a file that can be read/],
    ]
    await Promise.all(
      cases.map(async ([name, config, path], index) => {
        const file = join(dir, `${index}.yaml`)
        if (config !== undefined) await writeFile(file, JSON.stringify(config))
        const run = runMain({ LATCHKEY_CONFIG: file })
        t.equal(await run.ended, 1, name)
        t.match(run.lines.join('\n'), path, name)
        t.notMatch(run.lines.join('\n'), /\n {4}at /, 'no stack')
      }),
    )
  },
)

t.test('production without a configuration is refused', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-production-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const run = runMain({ NODE_ENV: 'production' }, dir)
  t.equal(await run.ended, 1)
  t.match(run.lines.join('\n'), /LATCHKEY_CONFIG/)
})

function keepAsking(ask: () => Promise<boolean>) {
  const answers: boolean[] = []
  const stopping = new AbortController()
  const loop = (async () => {
    // Bounded: a forgotten stop() must not keep the file running.
    for (let asked = 0; asked < 5_000 && !stopping.signal.aborted; asked++) {
      answers.push(await ask().catch(() => false))
      await wait(5)
    }
  })()
  return {
    async stop() {
      stopping.abort()
      await loop
      return answers
    },
  }
}
