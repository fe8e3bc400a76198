// A running server sends what waits: to a webhook that is there, that comes back, and that never does.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import t, { type Test } from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import { startServer } from '../../src/server.ts'
import { receiver } from '../outbox/support.ts'
import { PASSWORD } from '../support/app.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const SECRET = `whsec_${randomBytes(32).toString('base64')}`
const RECOVERY = { purpose: 'recovery', whom: { name: 'alice' } } as const

const STORES: ReadonlyArray<readonly [string, (t: Test) => Promise<string>]> = [
  [
    'SQLite',
    async t => {
      const dir = mkdtempSync(join(tmpdir(), 'latchkey-outbox-'))
      t.teardown(() => rmSync(dir, { recursive: true }))
      return `sqlite:${join(dir, 'latchkey.db')}`
    },
  ],
  [
    'Redis',
    async t => {
      const redis = await startRedis()
      t.teardown(() => redis.stop())
      return redis.url
    },
  ],
]

interface Notify {
  readonly url: string
  readonly more?: string
  readonly secret?: string
}

async function start(t: Test, store: string, { url, more = '', secret }: Notify) {
  const lines: string[] = []
  const config = parseConfig(
    `
issuer: http://localhost:3000
http: { host: 127.0.0.1, port: 0 }
management: { host: 127.0.0.1, port: 0 }
store: { url: "${store}" }
secrets: [${secret ?? 'A'.repeat(43)}]
passwords: { memoryKiB: 8192 }
attributes: { email: {} }
notify:
  ${more}
  webhook: { url: "${url}", secrets: ["${SECRET}"], allowPrivate: true, timeout: 30s }
`,
    {},
  )
  const logStream = {
    write(line: string) {
      lines.push(line)
    },
  }
  const server = await startServer({ config, logStream })
  t.teardown(() => server.close())
  const metrics = async () =>
    (await fetch(new URL('/metrics', server.managementUrl))).text()
  return { ...server, lines, metrics, config }
}

for (const [name, storeOf] of STORES) {
  t.test(name, async t => {
    const store = await storeOf(t)
    const hook = await receiver(t)

    await t.test('a ticket goes out at once, signed', async t => {
      const { core, metrics, close, lines } = await start(t, store, hook)
      await core.accounts.add({
        name: 'alice',
        password: PASSWORD,
        scopes: null,
        roles: [],
        attributes: { email: 'alice@example.com' },
      })
      await core.outbox.append(RECOVERY)
      await until(() => hook.hooks.length >= 1)
      const [{ headers, body } = { headers: {}, body: '' }] = hook.hooks
      const said = new Webhook(SECRET).verify(body, { ...headers } as Record<
        string,
        string
      >)
      t.match(said, { type: 'ticket.recovery', data: { ticket: /^tk_/, name: 'alice' } })
      await until(async () =>
        /latchkey_outbox_deliveries_total.*webhook.*delivered.* 1\n/.test(
          await metrics(),
        ),
      )
      t.match(await metrics(), /latchkey_outbox_length\{way="webhook"\} [01]\n/)
      await close()
      t.notMatch(lines.join(''), /tk_[A-Za-z0-9_-]{20}/, 'no ticket is in the log')
    })

    await t.test('a name that nobody has goes nowhere', async t => {
      const { core, metrics, close } = await start(t, store, hook)
      await core.outbox.append({ ...RECOVERY, whom: { name: 'nobody' } })
      await until(async () =>
        /way="webhook",result="dropped"\} 1\n/.test(await metrics()),
      )
      // The first one may have come twice.
      t.notOk(hook.hooks.some(({ body }) => body.includes('nobody')))
      await close()
    })

    await t.test('a webhook that is down costs nothing but time', async t => {
      const { core, lines, close, managementUrl, config, apply } = await start(t, store, {
        url: 'http://127.0.0.1:1/',
      })
      await core.outbox.append(RECOVERY)
      await until(() => lines.some(line => line.includes('does not take what is sent')))
      const arrived = hook.hooks.length
      const ready = await fetch(new URL('/readyz', managementUrl))
      t.equal(ready.status, 200, 'the server is ready all the while')
      // A reload may lead it elsewhere.
      const { webhook } = config.notify
      if (webhook === undefined) throw new Error('no webhook')
      apply({
        ...config,
        notify: { ...config.notify, webhook: { ...webhook, url: hook.url } },
      })
      await until(() => hook.hooks.length > arrived)
      t.equal(lines.filter(line => line.includes('does not take')).length, 1, 'said once')
      await close()
    })

    await t.test(
      'what is left is sent though the webhook is configured no more',
      async t => {
        const { core, lines, close, config, apply } = await start(t, store, hook)
        hook.answer = response => {
          response.writeHead(503).end()
        }
        await core.outbox.append(RECOVERY)
        await until(() => lines.some(line => line.includes('status 503')))
        const { webhook: _gone, ...notify } = config.notify
        apply({ ...config, notify })
        const before = hook.hooks.length
        hook.answer = response => {
          response.writeHead(204).end()
        }
        await until(() => hook.hooks.length > before)
        await close()
      },
    )
  })
}

t.test('what nobody takes is given up, with an audit event and a count', async t => {
  const store = await STORES[0]?.[1](t)
  const { core, lines, close, config, apply, metrics } = await start(t, String(store), {
    url: 'http://127.0.0.1:1/',
  })
  apply({ ...config, notify: { ...config.notify, giveUp: 1 } })
  const entry = { type: 'notice.account_deleted', whom: { sub: 'gone' }, at: 1 } as const
  await core.outbox.append(RECOVERY)
  await core.outbox.appendAll([{ ...entry, person: { sub: 'gone', name: 'bob' } }])
  await core.store.outbox.append([{ id: 'x', way: 'webhook', content: 'not ours' }], 10)
  const audits = () =>
    lines
      .filter(line => line.includes('message.abandoned'))
      .map(line => JSON.parse(line).audit)
  await until(() => audits().length === 2)
  t.strictSame(
    audits().toSorted((a, b) => Number('message' in b) - Number('message' in a)),
    [
      {
        type: 'message.abandoned',
        way: 'webhook',
        tries: 1,
        error: 'no answer: ECONNREFUSED',
        message: 'notice.account_deleted',
        sub: 'gone',
      },
      { type: 'message.abandoned', way: 'webhook', tries: 1 },
    ],
  )
  t.match(await metrics(), /way="webhook",result="abandoned"\} 2\n/)
  await close()
})

t.test('a store that is away is said once, and the outbox waits for it', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { lines, close } = await start(t, redis.url, { url: 'http://127.0.0.1:1/' })
  await redis.stop()
  const said = () => lines.filter(line => line.includes('outbox could not be read'))
  await until(() => said().length > 0)
  t.equal(said().length, 1)
  await close()
})
