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
  ]
  for (const [notify, fault] of rows) {
    const said = faultsOf(notify)
    t.match(said, fault, notify)
    for (const secret of SECRETS) t.notOk(said.includes(secret))
  }
  t.end()
})
