// A life by self-service over mail, as a person lives it: sign up, open the link of the mail, log in, recover
// a forgotten password. The real process, its outbox and worker, and a real SMTP server with TLS and a login.
import t from 'tap'
import {
  ORDERS,
  postForm,
  startLatchkey,
  statusOfJson,
  STORES,
  storeUrlFor,
} from '../support/server.ts'
import {
  linkOf,
  MAIL_PASSWORD,
  startMailServer,
  type TakenMail,
} from '../support/smtp.ts'
import { until } from '../support/until.ts'

const FIRST = 'correct horse battery'
const SECOND = 'another horse battery'
const LINKS = {
  verification: 'https://app.example.com/verify',
  recovery: 'https://app.example.com/reset?from=mail',
}

for (const store of STORES) {
  t.test(`on ${store.name}`, async t => {
    const smtp = await startMailServer(t)
    const server = await startLatchkey({
      storeUrl: await storeUrlFor(t, store),
      addUser: false,
      config: {
        attributes: { email: { unique: true, self: true } },
        login: ['name', 'email'],
        selfService: { registration: 'open', recovery: true },
        notify: {
          mail: { ...smtp.settings, from: 'Shop <no-reply@shop.example>', links: LINKS },
        },
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
    const taken = async (count: number): Promise<TakenMail> => {
      await until(() => smtp.mails.length >= count)
      const mail = smtp.mails[count - 1]
      if (mail === undefined) throw new Error('no mail')
      return mail
    }

    const attributes = { email: 'alice@example.com' }
    const signUp = { name: 'alice', password: FIRST, attributes }
    t.equal(await post('/account', signUp), 202)
    const first = await taken(1)
    t.match(first, {
      from: 'no-reply@shop.example',
      to: ['alice@example.com'],
      secure: true,
      user: 'latchkey',
      mail: { subject: 'Confirm your e-mail address for Shop' },
    })
    const verification = linkOf(first)
    t.equal(verification.page, LINKS.verification)
    t.notMatch(first.mail.text, /alice/, 'a stranger may have typed the name')
    t.equal(await login(FIRST), 400, 'the address is not verified')
    t.equal(await post('/account/verification', { ticket: verification.ticket }), 204)
    t.equal(await login(FIRST), 200)

    t.equal(await post('/account/recovery', { name: 'nobody' }), 202)
    t.equal(await post('/account/recovery', { name: 'alice', locale: 'de-AT' }), 202)
    const second = await taken(2)
    t.equal(second.mail.subject, 'Neues Passwort für Shop')
    t.match(second.mail.text, /Ihr Name dort: alice\n/, 'who has proved the address')
    const recovery = linkOf(second)
    t.equal(recovery.page, LINKS.recovery)
    const completed = { ticket: recovery.ticket, password: SECOND }
    t.equal(await post('/account/recovery/completion', completed), 204)
    t.equal(await login(FIRST), 400)
    t.equal(await login(SECOND), 200)
    t.equal(smtp.mails.length, 2, 'nobody was sent nothing')

    let metrics = ''
    // It is counted once the answer of the SMTP server has come.
    const isCounted = async () => {
      metrics = await (await fetch(`${server.managementUrl}/metrics`)).text()
      return /way="mail",result="delivered"\} 2\n/.test(metrics)
    }
    t.ok(await until(isCounted))
    const { ticket } = verification
    for (const secret of [ticket, recovery.ticket, FIRST, SECOND, MAIL_PASSWORD]) {
      t.notOk(
        [...server.lines, metrics].some(line => line.includes(secret)),
        'no secret is logged or counted',
      )
    }
  })
}
