// `latchkey users invite` and `users add --invite`: who is invited, who isn't, and why.
import t from 'tap'
import { NO_PASSWORD } from '../../src/users/hashing/no-password.ts'
import { createInvitations } from '../../src/self-service/operators/invite.ts'
import { commandLine, type CommandLine } from '../support/command-line.ts'
import { someAccount } from '../support/stores.ts'

const PASSWORD = 'correct horse battery staple'
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const WEBHOOK = `webhook: { url: "http://127.0.0.1:9/", secrets: ["${SECRET}"] }`
const config = (registration: string, notify: string) => [
  'attributes: { email: { unique: true, self: true } }',
  `selfService: { registration: ${registration} }`,
  `notify: { ${notify} }`,
]
const INVITES = config('invite', `maxItems: 3, ${WEBHOOK}`)

const waiting = ({ withStore }: CommandLine) =>
  withStore(async ({ outbox }) => (await outbox.backlog('webhook')).length)

t.test('somebody is added and invited, and invited again', async t => {
  const line = commandLine(t, { more: INVITES })
  const { latchkey } = line
  const added = await latchkey('users add ann --attribute email=ann@example.com --invite')
  t.equal(added.code, 0, added.err)
  t.match(added.out, /^ann is added as .+, and invited\n$/)
  t.match(added.err, /"change":"invited","actor":"cli:/)
  t.notMatch(added.err, /ann@example/, 'no address in the audit log')
  t.equal(await waiting(line), 1)
  const again = await latchkey('users invite ann --locale de --json')
  t.match(again, { code: 0, records: [{ name: 'ann', change: 'invite' }] })
  t.match(await latchkey('users add bob --invite'), { code: 0 }, 'an app finds its way')
  t.equal(await waiting(line), 3)
  const late = await latchkey('users add carl --invite')
  t.match(late, { code: 1, out: /^carl is added as \S+\n$/, err: /outbox full/ })
  const full = await latchkey('users invite ann')
  t.match(full, { code: 1, err: /outbox full: notify.maxItems messages/ })
  t.equal(await waiting(line), 3, 'nothing more waits')
})

t.test('who is not invited', async t => {
  const line = commandLine(t, { more: INVITES })
  const { latchkey, withStore } = line
  await latchkey('users add ann', PASSWORD)
  await withStore(async ({ directory }) => {
    const external = { directory: 'crm', id: '17' }
    const owned = { name: 'owned', foldedName: 'owned', external }
    const off = { name: 'off', foldedName: 'off', disabled: true }
    await directory.add(someAccount('owned', { ...owned, passwordHash: NO_PASSWORD }))
    await directory.add(someAccount('off', { ...off, passwordHash: NO_PASSWORD }))
  })
  const refusals = {
    ann: /has password: they log in already/,
    owned: /owned is the user of a directory elsewhere/,
    off: /user disabled: off/,
    nobody: /user unknown: nobody/,
  }
  for (const [name, err] of Object.entries(refusals)) {
    t.match(await latchkey(`users invite ${name}`), { code: 1, err }, name)
  }
  t.match(await latchkey('users add ANN --invite'), { code: 1, err: /name taken/ })
  t.equal(await waiting(line), 0, 'nothing is sent')
})

t.test('somebody who is removed meanwhile', async t => {
  const invitations = createInvitations({
    accounts: { bySub: async () => undefined },
    outgoing: { append: async () => 'full', hasRoom: async () => false },
    isClosed: false,
    wayOut: () => 'webhook',
    emit: () => t.fail('nothing has happened'),
  })
  const outcome = await invitations.invite('gone')
  t.same(outcome, { kind: 'refused', reason: 'user_unknown' })
})

t.test('a mail has somebody to go to', async t => {
  const links = 'links: { invitation: "https://a.example/join" }'
  const mail = `mail: { host: a, from: a@b.example, ${links} }`
  const { latchkey } = commandLine(t, { more: config('invite', mail) })
  const err = /address unknown: it goes by mail/
  t.match(await latchkey('users add ann --invite'), { code: 1, err })
  t.match(await latchkey('users show ann'), { code: 1 }, 'nobody was added')
  const withAddress = 'users add ann --attribute email=ann@example.com --invite'
  t.match(await latchkey(withAddress), { code: 0 })
  t.match(await latchkey('users set ann --remove email'), { code: 0 })
  t.match(await latchkey('users invite ann'), { code: 1, err })
})

for (const [what, more, err] of [
  [
    'that could not be joined',
    config('closed', WEBHOOK),
    /registration closed: .*selfService.registration to invite/,
  ],
  [
    'that sends no invitations',
    config('invite', WEBHOOK.replace(/ }$/, ', types: [ticket.recovery] }')),
    /no way out: .*notify/,
  ],
  [
    'whose mails have no page to lead to',
    config('open, verify: none', 'mail: { host: a, from: a@b.example }'),
    /no way out: .*notify.mail.links.invitation/,
  ],
] as const) {
  t.test(`a server ${what}`, async t => {
    const { latchkey } = commandLine(t, { more })
    t.match(await latchkey('users add ann --invite'), { code: 1, err })
    t.match(await latchkey('users show ann'), { code: 1 }, 'nobody was added')
    await latchkey('users add ann', PASSWORD)
    t.match(await latchkey('users invite ann'), { code: 1, err })
  })
}
