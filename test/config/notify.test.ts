// What the configuration may say of notifications, and what it is told where it can't be meant.
import t from 'tap'
import { ConfigError } from '../../src/config/faults.ts'
import { parseConfig } from '../../src/config/load.ts'

const SECRETS = [1, 2].map(byte => `whsec_${Buffer.alloc(32, byte).toString('base64')}`)
const GOOD = `url: "https://app.example/hook", secrets: ["${SECRETS[0]}"]`

/** The faults of a configuration with this section, and more beside it. */
function faultsOf(notify: string, more = ''): string {
  try {
    parseConfig(
      `
issuer: https://id.example.com
store: { url: "sqlite:./x.db" }
secrets: [${'A'.repeat(43)}]
notify: ${notify}
${more}
`,
      {},
    )
    return ''
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message
  }
}

const MAIL = 'host: smtp.example.com, from: "Shop <no-reply@shop.example>"'
const LOGIN = 'user: shop, password: canary'
const mail = (more: string) => `{ mail: { ${more} } }`
const webhook = (more: string) => `{ webhook: { ${more} } }`

t.test('what may stand there', t => {
  for (const notify of [
    '{}',
    '{ giveUp: 2h, maxItems: 5 }',
    webhook(GOOD),
    webhook(`${GOOD}, types: [ticket.recovery, account.created], timeout: 100ms`),
    webhook(`url: "http://localhost:8080/hook", secrets: ["${SECRETS.join('", "')}"]`),
  ]) {
    t.equal(faultsOf(notify), '', notify)
  }
  for (const more of [
    '',
    LOGIN,
    'user: shop, passwordFile: /run/secrets/mail, port: 2525, tls: implicit, caFile: /ca.pem',
    'tls: none, replyTo: help@shop.example, locale: pt-BR, templates: ./mails, timeout: 5m',
    'types: [ticket.recovery, notice.account_deleted]',
    'links: { recovery: "https://app.example/reset?a=b", account: "http://localhost:3000/" }',
  ]) {
    t.equal(faultsOf(mail(`${MAIL}, ${more}`)), '', more)
  }
  for (const host of ['localhost', '127.0.0.1', '"::1"']) {
    t.equal(faultsOf(mail(`host: ${host}, from: a@b.example, tls: none, ${LOGIN}`)), '')
  }
  t.equal(faultsOf(mail(`${MAIL}, tls: none, ${LOGIN}`), 'allowHttp: true'), '')
  const http = webhook(`url: "http://app.internal/", secrets: ["${SECRETS[0]}"]`)
  t.equal(faultsOf(http, 'allowHttp: true'), '')
  t.equal(
    faultsOf(
      webhook(`${GOOD}, attributes: [tenant]`),
      'attributes: { tenant: { type: string } }',
    ),
    '',
  )
  t.end()
})

t.test('a ticket goes by one way', t => {
  const both = (posted: string, mailed: string) =>
    faultsOf(`{ webhook: { ${GOOD}, ${posted} }, mail: { ${MAIL}, ${mailed} } }`)
  const twice =
    /notify.webhook.types\[1\]: expected no ticket.recovery, .*notify.mail.types\)$/
  const posted = 'types: [account.deleted, ticket.recovery, notice.password_changed]'
  t.match(both(posted, ''), twice)
  t.match(both(posted, 'types: [ticket.recovery]'), twice)
  t.equal(both(posted, 'types: [ticket.invitation, notice.password_changed]'), '')
  t.equal(both('', ''), '')
  t.end()
})

t.test('what may not, by its key and never with a secret', t => {
  const http = `url: "http://app.internal/", secrets: ["${SECRETS[0]}"]`
  const rows: ReadonlyArray<readonly [string, RegExp]> = [
    ['{ giveUp: 59s }', /notify.giveUp.*at least 1m/],
    ['{ maxItems: 0 }', /notify.maxItems/],
    [webhook('url: "https://app.example/"'), /notify.webhook.secrets/],
    [webhook(http), /notify.webhook.url.*https URL/],
    [webhook(GOOD.replace('app.', 'user:pw@app.')), /notify.webhook.url.*without user/],
    [webhook(GOOD.replace('app.example', ':::')), /notify.webhook.url/],
    [webhook(GOOD.replace('"]', `", "${SECRETS[0]}"]`)), /secrets\[1\].*another secret/],
    [webhook('url: "https://a.example/", secrets: [whsec_abc]'), /secrets\[0\].*whsec_/],
    [webhook(`${GOOD}, timeout: 99ms`), /timeout.*between 100ms and 1m/],
    [webhook(`${GOOD}, timeout: 61s`), /timeout.*between 100ms and 1m/],
    [webhook(`${GOOD}, attributes: [tenant]`), /attributes\[0\].*declared attribute/],
    [webhook(`${GOOD}, types: [ticket.all]`), /types\[0\].*ticket.recovery/],
    [mail('host: smtp.example.com'), /notify.mail.from/],
    [mail('from: a@b.example'), /notify.mail.host/],
    [
      mail(`${MAIL}, host: "smtp://x"`.replace('host: smtp.example.com, ', '')),
      /mail.host/,
    ],
    [mail('host: a, from: "Shop"'), /notify.mail.from.*an address/],
    [mail('host: a, from: "x, <a@b.example>"'), /notify.mail.from/],
    [
      mail(String.raw`host: a, from: "x\r\nBcc: m@evil.example <a@b.example>"`),
      /mail.from/,
    ],
    [mail(String.raw`host: a, from: "a@b.example\r\nBcc: m@evil.example"`), /mail.from/],
    [mail(`${MAIL}, replyTo: "a@b.example, m@evil.example"`), /notify.mail.replyTo/],
    [mail(`${MAIL}, password: canary`), /notify.mail.user.*who logs in/],
    [mail(`${MAIL}, passwordFile: x`), /notify.mail.user.*who logs in/],
    [mail(`${MAIL}, user: shop`), /notify.mail.password.*or passwordFile/],
    [mail(`${MAIL}, ${LOGIN}, passwordFile: x`), /mail.password.*or passwordFile/],
    [mail(`${MAIL}, ${LOGIN}, tls: none`), /notify.mail.tls.*a password is sent/],
    [mail(`${MAIL}, tls: none, caFile: x`), /notify.mail.caFile/],
    [mail(`${MAIL}, tls: maybe`), /notify.mail.tls/],
    [mail(`${MAIL}, port: 0`), /notify.mail.port/],
    [mail(`${MAIL}, timeout: 999ms`), /notify.mail.timeout.*between 1s and 5m/],
    [mail(`${MAIL}, timeout: 6m`), /notify.mail.timeout.*between 1s and 5m/],
    [mail(`${MAIL}, types: [account.created]`), /types\[0\].*notice.account_deleted/],
    [mail(`${MAIL}, links: { recovery: "https://a.example/#x" }`), /links.recovery/],
    [mail(`${MAIL}, links: { recovery: "http://a.example/" }`), /links.recovery.*https/],
    [mail(`${MAIL}, links: { recovery: "https://u:p@a.example/" }`), /without user/],
  ]
  for (const [notify, fault] of rows) {
    const said = faultsOf(notify)
    t.match(said, fault, notify)
    for (const secret of [...SECRETS, 'canary']) t.notOk(said.includes(secret))
  }
  t.end()
})
