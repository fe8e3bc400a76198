// Development mode and taking over a changed file.
import t from 'tap'
import { readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createHash } from 'node:crypto'
import { developmentConfig } from '../../src/config/development.ts'
import { decodeConfig, loadConfig } from '../../src/config/load.ts'
import { reloadable, watchConfig } from '../../src/config/reload.ts'
import type { Config } from '../../src/config/schema.ts'
import { until } from '../support/until.ts'

const MINIMAL = {
  issuer: 'https://a.example.com',
  store: { url: 'sqlite:x' },
  secrets: ['x'.repeat(43)],
}

t.test(
  'development mode generates its secrets once, for its owner only, on loopback',
  async t => {
    const directory = join(t.testdir(), 'made', 'here')
    const [first, second] = await Promise.all([
      developmentConfig({ directory }),
      developmentConfig({ directory }),
    ])
    const third = await developmentConfig({
      directory,
      env: { LATCHKEY_DEV_PORT: '4000' },
    })
    t.strictSame(
      [first.firstStart, second.firstStart].sort(),
      [false, true],
      'two at once: one generates',
    )
    t.equal(third.firstStart, false)
    t.strictSame(second.config, first.config)
    t.strictSame(third.demo, first.demo)
    t.match(third.config, {
      issuer: 'http://127.0.0.1:4000',
      http: { host: '127.0.0.1', port: 4000, cors: ['*'] },
      management: { host: '127.0.0.1', port: 4001 },
      store: { url: `sqlite:${directory}/latchkey.db` },
    })
    t.equal(statSync(directory).mode & 0o777, 0o700)
    for (const name of ['secret', 'demo-password', 'demo-api-secret']) {
      t.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name)
    }
    t.equal(readFileSync(join(directory, 'demo-password'), 'utf8'), first.demo.password)
    const hash = createHash('sha256')
      .update(readFileSync(join(directory, 'demo-api-secret')))
      .digest('base64url')
    t.match(first.config.clients, [
      { id: 'demo', secrets: [] },
      { id: 'demo-api', secrets: [`sha256:${hash}`] },
    ])
  },
)

t.test(
  'development mode takes another port, and the next one for management',
  async t => {
    const directory = t.testdir()
    t.match(
      (await developmentConfig({ directory, env: { LATCHKEY_DEV_PORT: '' } })).config,
      {
        issuer: 'http://127.0.0.1:3000',
        http: { port: 3000 },
        management: { port: 3001 },
      },
    )
    for (const text of ['0', '65535', '-1', '4e3', '4000.5', 'many', ' 4000']) {
      await t.rejects(
        developmentConfig({ directory, env: { LATCHKEY_DEV_PORT: text } }),
        { name: 'ConfigError', faults: [{ path: 'LATCHKEY_DEV_PORT' }] },
        text,
      )
    }
  },
)

t.test(
  "development mode uses .latchkey in the working directory, and says when it can't",
  async t => {
    const before = process.cwd()
    t.teardown(() => process.chdir(before))
    process.chdir(t.testdir({ '.latchkey': { secret: {} } }))
    await t.rejects(
      developmentConfig(),
      { code: 'EISDIR' },
      'a folder in the place of the secret',
    )
    process.chdir(t.testdir())
    t.equal((await developmentConfig()).config.store.url, 'sqlite:.latchkey/latchkey.db')
  },
)

t.test(
  'a changed file is taken over, a bad one is refused and the old one stays',
  async t => {
    const directory = t.testdir({
      one: JSON.stringify(MINIMAL),
      two: JSON.stringify({ ...MINIMAL, log: { level: 'debug' } }),
      bad: 'issuer: 1',
    })
    const link = (name: string) => {
      symlinkSync(name, join(directory, 'next'))
      renameSync(join(directory, 'next'), join(directory, 'latchkey.yaml'))
    }
    link('one')
    const seen: string[] = []
    const watch = watchConfig({
      file: join(directory, 'latchkey.yaml'),
      load: file => loadConfig(file, {}),
      apply: (next: Config) => {
        seen.push(next.log.level)
      },
      onRefused: error => {
        seen.push(String(error).split(':', 1)[0] ?? '')
      },
      intervalMs: 10,
    })
    t.teardown(watch.stop)
    await watch.reload()
    t.strictSame(seen, ['info'], 'SIGHUP reads the file as it is')
    await wait(100)
    link('two')
    await until(() => seen.length === 2)
    link('bad')
    await until(() => seen.length === 3)
    rmSync(join(directory, 'latchkey.yaml'))
    await until(() => seen.length === 4)
    link('one')
    await until(() => seen.length === 5)
    watch.stop()
    link('two')
    await wait(50)
    t.strictSame(seen, ['info', 'debug', 'ConfigError', 'ConfigError', 'info'])
  },
)

t.test('what may change while the server runs is split from what may not', async t => {
  const old = decodeConfig(MINIMAL)
  const next = decodeConfig({
    ...MINIMAL,
    issuer: 'https://b.example.com',
    secrets: ['y'.repeat(43), 'x'.repeat(43)],
    http: { port: 4000, cors: ['*'] },
    tokens: { accessTtl: '5m' },
    passwords: { minLength: 12, queue: 1 },
    throttle: { perAddress: { max: 1 } },
    log: { level: 'warn', format: 'ecs', successes: 0.5 },
    audiences: { a: {} },
    clients: [{ id: 'a' }],
  })
  const { config, needRestart } = reloadable(old, next)
  t.strictSame(needRestart.sort(), [
    'http.cors',
    'http.port',
    'issuer',
    'log.format',
    'passwords.queue',
    'secrets',
  ])
  t.strictSame(config, {
    ...old,
    tokens: next.tokens,
    passwords: { ...old.passwords, minLength: 12 },
    throttle: next.throttle,
    log: { ...old.log, level: 'warn', successes: 0.5 },
    audiences: next.audiences,
    clients: next.clients,
  })
  t.strictSame(reloadable(config, config).needRestart, [])
})

t.test(
  'a way out changes while the server runs; one that is new waits for a start',
  t => {
    const mail = { host: 'a', from: 'a@b.example' }
    const secrets = [`whsec_${Buffer.alloc(32, 1).toString('base64')}`]
    const webhook = { url: 'https://a.example/', secrets }
    const withNotify = (notify: object) => decodeConfig({ ...MINIMAL, notify })
    const neither = withNotify({ giveUp: '1h' })
    const both = withNotify({ webhook, mail })
    const others = withNotify({
      webhook: { ...webhook, timeout: '1s' },
      mail: { ...mail, host: 'b' },
    })
    t.strictSame(reloadable(both, others), { config: others, needRestart: [] })
    t.strictSame(reloadable(both, neither), { config: neither, needRestart: [] })
    const added = reloadable(neither, both)
    t.strictSame(added.needRestart.sort(), ['notify.mail', 'notify.webhook'])
    const { webhook: _webhook, mail: _mail, ...rest } = both.notify
    t.strictSame(added.config.notify, rest)
    t.end()
  },
)

t.test('a reload leaves the way out of what runs until the restart', t => {
  const page = 'https://a.example/'
  const mail = { host: 'a', from: 'a@b.example' }
  const mailed = { mail: { ...mail, links: { recovery: page } } }
  const webhook = {
    url: page,
    secrets: [`whsec_${Buffer.alloc(32, 1).toString('base64')}`],
  }
  const configOf = (recovery: boolean, notify: object) =>
    decodeConfig({ ...MINIMAL, selfService: { recovery }, notify })
  const old = configOf(true, mailed)
  for (const [next, ...kept] of [
    [configOf(false, {}), 'notify.mail'],
    [configOf(false, { mail }), 'notify.mail.links.recovery'],
    [configOf(true, { webhook }), 'notify.mail', 'notify.webhook'],
  ] as const) {
    const { config, needRestart } = reloadable(old, next)
    t.strictSame(config.notify, old.notify)
    t.match(needRestart.toSorted(), kept)
  }
  const other = configOf(true, { mail: { ...mailed.mail, host: 'b' } })
  t.strictSame(reloadable(old, other), { config: other, needRestart: [] })
  t.end()
})
