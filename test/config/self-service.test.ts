// The rules of `selfService`: what has to be sent needs a way out.
/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
import t from 'tap'
import { ConfigError } from '../../src/config/faults.ts'
import { parseConfig } from '../../src/config/load.ts'
import { checkSelfService } from '../../src/config/rules/self-service.ts'

const HEAD =
  'issuer: https://id.example.com\nstore: { url: "sqlite:x.db" }\nsecrets: ["${SECRET}"]\n'
const EMAIL = 'attributes: { email: { self: true } }\n'
const ENV = { SECRET: 'x'.repeat(43) }
const wayFor = (purpose: string) =>
  `a way out for ticket.${purpose} (notify.mail or notify.webhook, and its types)`
const WAY = wayFor('recovery')
const NONE = `${wayFor('verification')}, or selfService.verify: none`

function faultsOf(rest: string): string[] {
  try {
    parseConfig(HEAD + rest, ENV)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

t.test('what is refused names its key', t => {
  for (const [yaml, ...faults] of [
    [''],
    ['selfService: { account: true }'],
    ['selfService: { registration: open, verify: none }'],
    ['selfService: { registration: invite }'],
    [`${EMAIL}selfService: { account: true, verify: none }`],
    [
      `${EMAIL}selfService: { registration: open }`,
      `selfService.registration: expected ${NONE}`,
    ],
    [`selfService: { recovery: true }`, `selfService.recovery: expected ${WAY}`],
    [`${EMAIL}selfService: { account: true }`, `selfService.verify: expected ${NONE}`],
    [
      'selfService: { registration: open }',
      'selfService.verify: expected none, or an attribute email with self: true (attributes)',
      `selfService.registration: expected ${NONE}`,
    ],
    ['selfService: { ticketTtl: 25h }', 'selfService.ticketTtl: expected at most 24h'],
    [
      'selfService: { registration: ajar }',
      'selfService.registration: expected one of closed, invite, open',
    ],
  ] as const) {
    t.same(faultsOf(yaml), faults, yaml)
  }
  t.end()
})

t.test('with a way out', t => {
  const text = `${EMAIL}selfService: { registration: open, verify: none }`
  const plain = parseConfig(HEAD + text, ENV)
  const selfService = { ...plain.selfService, verify: 'email' as const, recovery: true }
  t.same(
    checkSelfService({ ...plain, selfService }).map(({ path }) => path),
    ['selfService.registration', 'selfService.recovery'],
  )
  const faultsWith = (notify: object) =>
    checkSelfService(Object.assign({}, plain, { selfService, notify }))
  t.same(faultsWith({ webhook: {} }), [])
  const links = { verification: 'https://a.example/', recovery: 'https://a.example/' }
  t.same(faultsWith({ mail: { links } }), [])
  t.end()
})

t.test('a way out that does not take what has to be sent is none', t => {
  const hook = `url: "https://a.example/", secrets: [whsec_${'A'.repeat(43)}=]`
  const mail =
    'host: a, from: a@b.example, links: { recovery: "https://a.example/", ' +
    'verification: "https://a.example/" }'
  const notices = 'types: [notice.password_changed]'
  const both = [
    `selfService.registration: expected ${NONE}`,
    `selfService.recovery: expected ${WAY}`,
  ]
  const rows: ReadonlyArray<readonly [string, ...string[]]> = [
    [`webhook: { ${hook} }`],
    [`mail: { ${mail} }, webhook: { ${hook} }`],
    [`webhook: { ${hook}, types: [account.created] }`, ...both],
    [`mail: { ${mail}, ${notices} }, webhook: { ${hook} }`, ...both],
    [`mail: { ${mail}, ${notices} }`, ...both],
    [
      `mail: { ${mail}, types: [ticket.verification] }`,
      `selfService.recovery: expected ${WAY}`,
    ],
    [
      `mail: { ${mail}, types: [ticket.verification] }, ` +
        `webhook: { ${hook}, types: [ticket.recovery] }`,
    ],
  ]
  for (const [notify, ...faults] of rows) {
    const text = `${EMAIL}selfService: { registration: open, recovery: true }\n`
    t.same(faultsOf(`${text}notify: { ${notify} }`), faults, notify)
  }
  t.end()
})

t.test('a mail with a ticket has a page to lead to', t => {
  const page = 'expected the page of your app that takes this ticket'
  for (const [selfService, links, types, ...missing] of [
    ['registration: open, recovery: true', '', '', 'verification', 'recovery'],
    ['registration: open, verify: none', '', ''],
    ['account: true', 'recovery: "https://a.example/"', '', 'verification'],
    ['registration: invite', '', '', 'invitation'],
    ['recovery: true', '', 'types: [ticket.recovery]', 'recovery'],
  ] as const) {
    const mail = `{ host: smtp.example.com, from: a@b.example, links: { ${links} }, ${types} }`
    t.same(
      faultsOf(`${EMAIL}selfService: { ${selfService} }\nnotify: { mail: ${mail} }`),
      missing.map(each => `notify.mail.links.${each}: ${page}`),
      selfService,
    )
  }
  t.end()
})
