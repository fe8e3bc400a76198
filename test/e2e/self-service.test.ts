// A life by self-service, as an app drives it: sign up, verify the address by what the webhook was sent, log
// in, recover a forgotten password. The real process, the outbox and its worker between.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { Webhook } from 'standardwebhooks'
import { receiver } from '../outbox/support.ts'
import { runChild } from '../support/children.ts'
import { ROOT } from '../support/python.ts'
import {
  ORDERS,
  postForm,
  startLatchkey,
  statusOfJson,
  STORES,
  storeUrlFor,
} from '../support/server.ts'
import { storedIn } from '../support/stored-bytes.ts'
import { until } from '../support/until.ts'

const SECRET = `whsec_${randomBytes(32).toString('base64')}`
const FIRST = 'correct horse battery'
const SECOND = 'another horse battery'

/** What a message says. */
interface Told {
  readonly type: string
  readonly data: {
    readonly name: string
    readonly email: string
    readonly ticket: string
  }
}

for (const store of STORES) {
  t.test(`on ${store.name}`, async t => {
    const hook = await receiver(t)
    const storeUrl = await storeUrlFor(t, store)
    const server = await startLatchkey({
      storeUrl,
      addUser: false,
      config: {
        attributes: { email: { unique: true, self: true } },
        login: ['name', 'email'],
        selfService: { registration: 'open', recovery: true },
        notify: { webhook: { url: hook.url, secrets: [SECRET], allowPrivate: true } },
      },
    })
    t.teardown(() => server.stop())

    const post = (path: string, body: object) =>
      statusOfJson(`${server.url}${path}`, body)
    const login = async (password: string) =>
      (
        await postForm(`${server.url}/token`, {
          grant_type: 'password',
          client_id: 'mobile',
          resource: ORDERS,
          username: 'alice@example.com',
          password,
        })
      ).status
    const told = async (count: number): Promise<Told> => {
      const tickets = () => hook.hooks.filter(({ body }) => body.includes('"ticket.'))
      await until(() => tickets().length >= count)
      const { body, headers } = tickets()[count - 1] ?? { body: '', headers: {} }
      return new Webhook(SECRET).verify(body, headers as Record<string, string>) as Told
    }

    const attributes = { email: 'alice@example.com' }
    t.equal(await post('/account', { name: 'alice', password: FIRST, attributes }), 202)
    const first = await told(1)
    t.match(first, {
      type: 'ticket.verification',
      data: { name: 'alice', email: 'alice@example.com', ticket: /^tk_/ },
    })
    t.equal(await login(FIRST), 400, 'the address is not verified')
    const { ticket } = first.data
    t.equal(await post('/account/verification', { ticket }), 204)
    t.equal(await post('/account/verification', { ticket }), 400, 'a ticket is for once')
    t.equal(await login(FIRST), 200)

    t.equal(await post('/account/recovery', { name: 'nobody' }), 202)
    t.equal(await post('/account/recovery', { name: 'alice' }), 202)
    const second = await told(2)
    t.match(second, { type: 'ticket.recovery', data: { name: 'alice' } })
    const recovered = { ticket: second.data.ticket, password: SECOND }
    t.equal(await post('/account/recovery/completion', recovered), 204)
    t.equal(await login(FIRST), 400)
    t.equal(await login(SECOND), 200)
    await until(() => hook.hooks.length >= 3)
    t.match(JSON.parse(String(hook.hooks[2]?.body)), {
      type: 'notice.password_changed',
      data: { name: 'alice', ticket: undefined },
    })
    t.equal(hook.hooks.length, 3, 'nobody was sent nothing')
    const secrets = [ticket, second.data.ticket, FIRST, SECOND]
    const metrics = await (await fetch(`${server.managementUrl}/metrics`)).text()
    t.match(metrics, 'latchkey_outbox_deliveries_total', 'where metrics are found')
    const places = {
      log: server.lines.join('\n'),
      metrics,
      store: await storedIn(storeUrl),
      // Each has the ticket that it is about, and no password.
      webhooks: hook.hooks.map(({ body }) => body.replace(/tk_[\w-]{66}/, '')).join(),
      headers: JSON.stringify(hook.hooks.map(({ headers }) => headers)),
    }
    t.match(places.store, 'alice', 'where the store is found')
    for (const [place, text] of Object.entries(places)) {
      for (const secret of secrets) t.notOk(text.includes(secret), `no secret: ${place}`)
    }
  })
}

for (const store of STORES) {
  t.test(`an invitation, on ${store.name}`, async t => {
    const hook = await receiver(t)
    const server = await startLatchkey({
      storeUrl: await storeUrlFor(t, store),
      addUser: false,
      config: {
        attributes: { email: { unique: true, self: true } },
        selfService: { account: true, registration: 'invite' },
        notify: { webhook: { url: hook.url, secrets: [SECRET], allowPrivate: true } },
      },
    })
    t.teardown(() => server.stop())
    const command = (...args: string[]) =>
      runChild(process.execPath, [join(ROOT, 'bin/latchkey.js'), 'users', ...args], {
        env: { LATCHKEY_CONFIG: server.configFile },
      })
    const accept = (body: object) =>
      fetch(`${server.url}/account`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    const toldOf = async (count: number) => {
      await until(() => hook.hooks.length >= count)
      const { type, timestamp, data } = JSON.parse(String(hook.hooks[count - 1]?.body))
      return { type, timestamp, ...data }
    }
    await command('add', 'carol', '--attribute', 'email=carol@example.com', '--invite')
    const first = await toldOf(1)
    t.match(first, { type: 'ticket.invitation', email: 'carol@example.com' })
    const livesMs = Date.parse(first.expiresAt) - Date.parse(first.timestamp)
    t.ok(livesMs > 86_000_000, 'for a day')
    await command('invite', 'carol')
    const { ticket } = await toldOf(2)
    const stale = await accept({ ticket: first.ticket, password: FIRST })
    t.equal(stale.status, 400, 'the newest one counts')
    t.equal((await accept({ ticket, password: FIRST })).status, 202)
    t.equal((await accept({ ticket, password: SECOND })).status, 400, 'once')
    const login = await postForm(`${server.url}/token`, {
      grant_type: 'password',
      client_id: 'mobile',
      resource: ORDERS,
      username: 'carol',
      password: FIRST,
    })
    t.equal(login.status, 200)
    await t.rejects(command('invite', 'carol'), /has password/)
  })
}
