// A running server and its mail way: what comes again, what is given up, and what a reload changes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import { startServer } from '../../src/server.ts'
import { PASSWORD } from '../support/app.ts'
import { startMailServer, type MailServer } from '../support/smtp.ts'
import { until } from '../support/until.ts'

const LINKS = { recovery: 'https://app.example.com/reset' }

async function start(t: Test, smtp: MailServer, more: object = {}) {
  const lines: string[] = []
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-mail-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const mail = { ...smtp.settings, from: 'Shop <a@shop.example>', links: LINKS, ...more }
  const config = parseConfig(
    JSON.stringify({
      issuer: 'http://localhost:3000',
      http: { host: '127.0.0.1', port: 0 },
      management: { host: '127.0.0.1', port: 0 },
      store: { url: `sqlite:${join(dir, 'latchkey.db')}` },
      secrets: ['A'.repeat(43)],
      passwords: { memoryKiB: 8192 },
      attributes: { email: {} },
      notify: { mail },
    }),
    {},
  )
  const logStream = {
    write(line: string) {
      lines.push(line)
    },
  }
  const server = await startServer({ config, logStream })
  t.teardown(() => server.close())
  for (const [name, attributes] of [
    ['alice', { email: 'alice@example.com' }],
    ['bob', {}],
  ] as const) {
    const about = { name, password: PASSWORD, scopes: null, roles: [], attributes }
    await server.core.accounts.add(about)
  }
  const ask = (name: string) =>
    server.core.outbox.append({ purpose: 'recovery', whom: { name } })
  const counted = async (result: string, count: number) => {
    const metrics = await fetch(new URL('/metrics', server.managementUrl))
    const text = await metrics.text()
    return text.includes(`deliveries_total{way="mail",result="${result}"} ${count}\n`)
  }
  return { ...server, lines, config, mail, ask, counted }
}

t.test(
  'a 4xx comes again, a 5xx is given up with its code, both without a word of it',
  async t => {
    const smtp = await startMailServer(t)
    const { ask, counted, lines } = await start(t, smtp)
    await ask('bob')
    await until(() => counted('dropped', 1))
    smtp.replies.push({ at: 'RCPT', code: 450 })
    await ask('alice')
    await until(() => smtp.mails.length === 1)
    t.ok(await until(() => counted('failed', 1)).then(() => true))
    const said = lines.filter(line => line.includes('does not take what is sent'))
    t.equal(said.length, 1)
    t.match(
      said[0],
      `(127.0.0.1:${smtp.port} answered 450 to RCPT TO); it is tried again`,
    )
    smtp.replies.push({ at: 'RCPT', code: 550 })
    await ask('alice')
    await until(() => counted('abandoned', 1))
    const audits = lines.filter(line => line.includes('message.abandoned'))
    t.match(
      audits.map(line => JSON.parse(line).audit),
      [
        {
          way: 'mail',
          tries: 1,
          message: 'ticket.recovery',
          error: `127.0.0.1:${smtp.port} answered 550 to RCPT TO`,
        },
      ],
    )
    t.notMatch(lines.join(''), /canary|alice@|tk_[A-Za-z0-9_-]{20}/)
    t.equal(
      lines.filter(line => line.includes('does not take')).length,
      1,
      'one message only',
    )
  },
)

t.test('a reload leads elsewhere, and takes templates that are right', async t => {
  const smtp = await startMailServer(t)
  const folder = t.testdir({ 'ticket.recovery.en.txt': 'Subject: Mine\n\n{{link}}\n' })
  const { ask, apply, config, lines } = await start(t, smtp, {
    port: 1,
    templates: folder,
  })
  const withMail = (changes: object) => {
    const mail = Object.assign({}, config.notify.mail, { port: smtp.port }, changes)
    return { ...config, notify: { ...config.notify, mail } }
  }
  await ask('alice')
  await until(() => lines.some(line => line.includes('ECONNREFUSED')))
  apply(withMail({}))
  await until(() => smtp.mails.length === 1)
  t.equal(smtp.mails[0]?.mail.subject, 'Mine')
  writeFileSync(join(folder, 'ticket.recovery.en.txt'), 'Subject: Other\n\nno link\n')
  t.throws(
    () => apply(withMail({ from: 'b@shop.example' })),
    /line 1: \{\{link\}\} somewhere/,
  )
  await ask('alice')
  await until(() => smtp.mails.length === 2)
  t.match(smtp.mails[1], { mail: { subject: 'Mine' }, from: 'a@shop.example' })
  apply(withMail({ templates: undefined, locale: 'de' }))
  await ask('alice')
  await until(() => smtp.mails.length === 3)
  t.equal(smtp.mails[2]?.mail.subject, 'Neues Passwort für Shop')
})

t.test('what is left goes out though mail is configured no more', async t => {
  const smtp = await startMailServer(t)
  smtp.replies.push({ at: 'DATA', code: 451 })
  const { ask, apply, config, counted } = await start(t, smtp)
  await ask('alice')
  await until(() => counted('failed', 1))
  const { mail: _gone, ...notify } = config.notify
  apply({ ...config, notify })
  await until(() => smtp.mails.length === 1)
  t.ok(smtp.mails[0])
})
