// What people are told of their account, by mail, and apps by the webhook: the real process, a real SMTP
// server, a real webhook, on either store.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { runWell } from '../deploy/support/commands.ts'
import { receiver } from '../outbox/support.ts'
import {
  ORDERS,
  postForm,
  startLatchkey,
  statusOfJson,
  STORES,
  storeUrlFor,
} from '../support/server.ts'
import { linkOf, startMailServer } from '../support/smtp.ts'
import { until } from '../support/until.ts'

const BIN = new URL('../../bin/latchkey.js', import.meta.url).pathname
const FIRST = 'correct horse battery'
const SECOND = 'another horse battery'
const PAGE = 'https://app.example.com/'
const OLD = 'alice@example.com'
const NEW = 'alice@new.example'

for (const store of STORES) {
  t.test(`on ${store.name}`, async t => {
    const smtp = await startMailServer(t)
    const hook = await receiver(t)
    const secrets = [`whsec_${randomBytes(32).toString('base64')}`]
    const EVENTS = ['account', 'session'].flatMap(what =>
      what === 'account'
        ? ['created', 'updated', 'disabled', 'deleted'].map(verb => `account.${verb}`)
        : ['started', 'ended', 'revoked'].map(verb => `session.${verb}`),
    )
    const server = await startLatchkey({
      storeUrl: await storeUrlFor(t, store),
      addUser: false,
      config: {
        attributes: { email: { unique: true, self: true } },
        clients: [
          {
            id: 'mobile',
            grants: ['password', 'refresh_token'],
            scopes: ['account'],
            audience: [ORDERS],
          },
        ],
        login: ['name', 'email'],
        selfService: { account: true, registration: 'open' },
        notify: {
          mail: {
            ...smtp.settings,
            from: 'Shop <no-reply@shop.example>',
            links: { verification: PAGE, recovery: PAGE, account: `${PAGE}account` },
            types: [
              'ticket.verification',
              'notice.password_changed',
              'notice.address_changed',
              'notice.account_deleted',
              'notice.already_registered',
              'notice.new_network',
            ],
          },
          webhook: { url: hook.url, secrets, allowPrivate: true, types: EVENTS },
        },
      },
    })
    t.teardown(() => server.stop())
    const call = (method: string, path: string, body: object, token?: string) =>
      statusOfJson(`${server.url}${path}`, body, {
        method,
        ...(token !== undefined && { token }),
      })
    const login = async (password: string) =>
      (
        await postForm(`${server.url}/token`, {
          grant_type: 'password',
          client_id: 'mobile',
          resource: ORDERS,
          scope: 'account',
          username: 'alice',
          password,
        })
      ).body
    /** The mails so far, as address and subject; resolves when there are so many. */
    const mailed = async (count: number) => {
      await until(() => smtp.mails.length >= count)
      return smtp.mails
        .map(({ to, mail }) => `${to.join()}: ${mail.subject}`)
        .slice(count - 1)
    }
    const ticketOf = (mail: number) => {
      const taken = smtp.mails[mail]
      if (taken === undefined) throw new Error('no mail')
      return { ticket: linkOf(taken).ticket }
    }
    const told = () => hook.hooks.map(({ body }) => JSON.parse(body).type).sort()

    const signUp = { name: 'alice', password: FIRST, attributes: { email: OLD } }
    t.equal(await call('POST', '/account', signUp), 202)
    await mailed(1)
    t.equal(await call('POST', '/account/verification', ticketOf(0)), 204)

    // Somebody else, with her address.
    const again = { ...signUp, name: 'WIN-AT-evil.example', password: SECOND }
    t.equal(await call('POST', '/account', again), 202)
    t.strictSame(await mailed(2), [`${OLD}: You have an account at Shop already`])
    t.notMatch(smtp.mails[1]?.raw, /WIN-AT/)
    t.match(smtp.mails[1]?.mail.text, `\n\n${PAGE}account\n\n`)

    const { access_token: token, refresh_token: refresh } = await login(FIRST)
    t.strictSame(await mailed(3), [`${OLD}: A login to Shop from a new network`])
    t.match(smtp.mails[2]?.mail.text, '127.0.0.0/24')
    const password = { password: SECOND, current_password: FIRST }
    t.equal(await call('PUT', '/account/password', password, token), 204)
    t.strictSame(await mailed(4), [`${OLD}: Your password for Shop was changed`])

    const moved = { attributes: { email: NEW }, current_password: SECOND }
    t.equal(await call('PATCH', '/account', moved, token), 204)
    t.strictSame(await mailed(5), [`${NEW}: Confirm your e-mail address for Shop`])
    t.equal(await call('POST', '/account/verification', ticketOf(4)), 204)
    await mailed(7)
    t.strictSame((await mailed(6)).sort(), [
      `${OLD}: Your e-mail address at Shop was changed`,
      `${NEW}: Your e-mail address at Shop was changed`,
    ])

    await postForm(`${server.url}/revoke`, { client_id: 'mobile', token: refresh })
    const { access_token: last } = await login(SECOND)
    // Whom an account's messages are about is looked up when they are sent.
    await until(() => told().length >= 7)
    t.equal(await call('DELETE', '/account', { current_password: SECOND }, last), 204)
    t.strictSame(await mailed(8), [`${NEW}: Your account at Shop was deleted`])
    // A command tells as a server does.
    await runWell(process.execPath, [BIN, 'users', 'add', 'bob'], {
      env: { ...process.env, LATCHKEY_CONFIG: server.configFile },
      input: FIRST,
    })
    const events = [
      'account.created',
      'account.created',
      'account.deleted',
      // The first address, and the second one.
      'account.updated',
      'account.updated',
      'session.ended',
      'session.revoked',
      'session.started',
      'session.started',
    ]
    await until(() => told().length >= events.length)
    t.strictSame(told(), events)
    t.equal(smtp.mails.length, 8)
    const audited = server.lines.filter(line => line.includes('"audit"')).join('\n')
    t.notMatch(audited, /alice@/, 'no address is in the audit log')
  })
}
