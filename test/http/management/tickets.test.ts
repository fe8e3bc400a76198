// POST /admin/v1/accounts/{sub}/tickets, on both stores: a ticket that is answered works once, what is sent
// is noted, and nobody gets one who has no use for it.
import t from 'tap'
import { NO_WAY_OUT, type TicketWanted } from '../../../src/self-service/outgoing.ts'
import { createIssueTicket } from '../../../src/self-service/operators/issue-ticket.ts'
import { NO_PASSWORD } from '../../../src/users/hashing/no-password.ts'
import { audited, serverOn, STORES } from '../../conformance/helpers.ts'
import {
  client,
  CLIENTS,
  ISSUER,
  NO_SELF_SERVICE,
  PASSWORD,
  sha256Line,
  type TestAppOptions,
} from '../../support/app.ts'
import { someAccount } from '../../support/stores.ts'

const NEW_PASSWORD = 'a wholly different password'
const WEBHOOK = {
  url: 'http://127.0.0.1:9/',
  secrets: [],
  attributes: [],
  timeout: 1000,
  allowPrivate: false,
}
const MAIL = {
  host: 'mail.example.com',
  tls: 'starttls',
  from: 'shop@shop.example',
  timeout: 1000,
  locale: 'en',
  links: { recovery: 'https://shop.example/reset' },
} as const
const OPTIONS: TestAppOptions = {
  clients: [
    ...CLIENTS,
    client('ops', {
      secrets: [sha256Line('ops-secret')],
      grants: ['client_credentials'],
      scopes: ['admin'],
      audience: [],
    }),
    client('console', { scopes: ['admin'], audience: [ISSUER] }),
  ],
  selfService: {
    ...NO_SELF_SERVICE,
    registration: 'invite',
    recovery: true,
    verify: 'email',
  },
}

for (const store of STORES) {
  t.test(store, async t => {
    const sent: TicketWanted[] = []
    let isFull = false
    const server = await serverOn(t, store, {
      ...OPTIONS,
      outgoing: {
        hasRoom: async () => !isFull,
        async append(wanted) {
          if (isFull) return 'full'
          sent.push(wanted)
          return 'appended'
        },
      },
    })
    const { accounts, live, management } = server
    const { sub = '' } = (await accounts.find('alice')) ?? {}
    const machine = await server.post('/token', {
      grant_type: 'client_credentials',
      client_id: 'ops',
      client_secret: 'ops-secret',
    })
    const ask = (body: object, { of = sub, bearer = machine.json().access_token } = {}) =>
      management.inject({
        method: 'POST',
        url: `/admin/v1/accounts/${of}/tickets`,
        headers: { authorization: `Bearer ${bearer}` },
        payload: body,
      })
    const complete = async (ticket: string) => {
      const url = '/account/recovery/completion'
      const payload = { ticket, password: NEW_PASSWORD }
      return (await server.app.inject({ method: 'POST', url, payload })).statusCode
    }
    const answered = { deliver: 'answer' }
    const recovery = { purpose: 'recovery' }

    await t.test('an answered ticket works once, and voids the one before', async t => {
      const first = await ask({ ...recovery, ...answered })
      t.equal(first.statusCode, 200)
      t.equal(first.headers['cache-control'], 'no-store')
      const { ticket, expiresAt, ...rest } = (
        await ask({ ...recovery, ...answered })
      ).json()
      t.match(rest, { code: /^[0-9]{8}$/ })
      t.equal(expiresAt, new Date(server.clock() + 30 * 60_000).toISOString())
      t.equal(await complete(first.json().ticket), 400, 'the one before')
      t.equal(await complete(ticket), 204)
      t.equal(await complete(ticket), 400, 'again')
      await server.login({ password: NEW_PASSWORD })
      t.same(sent, [], 'nothing is sent')
      t.match(audited(server, /^user.changed/).at(-2), {
        sub,
        change: 'recovery_ticket',
        actor: 'client:ops',
      })
      t.notMatch(server.lines.join(''), /tk_[A-Za-z0-9_-]{66}/, 'no ticket in any log')
    })

    await t.test('a ticket is sent to an address, by a way out', async t => {
      const isRefused = async (why: RegExp) => {
        const answer = await ask(recovery)
        t.equal(answer.statusCode, 409)
        t.match(answer.json(), { error: 'conflict', error_description: why })
      }
      await isRefused(/set a way out in notify/)
      const { notify } = live
      live.notify = { ...notify, mail: MAIL }
      await isRefused(/has no e-mail address/)
      live.notify = { ...notify, webhook: WEBHOOK }
      t.equal((await ask(recovery)).statusCode, 202, 'an app may know another way')
      t.equal(sent.splice(0).length, 1)
      live.attributes = { email: { type: 'email', unique: true, list: false } }
      const attributes = { email: 'alice@example.com' }
      await accounts.setAttributes('alice', { attributes })
      const answer = await ask(recovery)
      t.match([answer.statusCode, answer.json()], [202, {}])
      t.same(sent, [{ purpose: 'recovery', whom: { sub } }])
      isFull = true
      const full = await ask(recovery)
      t.equal(full.statusCode, 503)
      t.type(full.headers['retry-after'], 'string')
      isFull = false
    })

    await t.test('who gets none', async t => {
      const of = async (name: string, more: object = {}) => {
        await server.store.directory.add(
          someAccount(name, {
            name,
            foldedName: name,
            passwordHash: NO_PASSWORD,
            ...more,
          }),
        )
        return { of: name }
      }
      const pending = { email: 'new@example.com', signUp: true, at: 0 }
      const invitation = { purpose: 'invitation', ...answered }
      const external = { directory: 'crm', id: '17' }
      const rows = [
        [await of('off', { disabled: true }), recovery, /disabled/],
        [await of('theirs', { external }), invitation, /directory elsewhere/],
        [{}, invitation, /has a password/],
        [await of('typed', { pending }), { ...recovery, ...answered }, /has proved/],
      ] as const
      for (const [whom, body, why] of rows) {
        const answer = await ask(body, whom)
        t.equal(answer.statusCode, 409, String(why))
        t.match(answer.json(), { error_description: why })
      }
      for (const body of [
        {},
        { purpose: 'deletion' },
        { ...recovery, deliver: 1 },
        { ...recovery, delivery: 'answer' },
      ]) {
        t.equal((await ask(body)).statusCode, 400, JSON.stringify(body))
      }
      t.equal((await ask(recovery, { of: 'nobody' })).statusCode, 404)
      const invited = await ask(invitation, await of('ann'))
      t.match(invited.json().ticket, /^tk_/, 'who has no password is invited')
    })

    await t.test('an address that nobody has proved yet is sent another one', async t => {
      live.attributes = { email: { type: 'email', unique: true, list: false } }
      live.notify = { ...live.notify, webhook: WEBHOOK }
      const verification = { purpose: 'verification' }
      const of = async (name: string, more: object) => {
        const account = { name, foldedName: name, ...more }
        await server.store.directory.add(someAccount(name, account))
        return { of: name }
      }
      const email = (name: string) => ({ attributes: { email: `${name}@example.com` } })
      const signUp = { ...email('sam'), pending: { signUp: true, at: 0 } }
      const moving = {
        ...email('mo'),
        emailVerified: true,
        pending: { email: 'mo@new.example' },
      }
      const signedUp = await of('sam', signUp)
      t.equal((await ask(verification, signedUp)).statusCode, 202)
      t.same(sent.at(-1), { ...verification, whom: { sub: 'sam' } })
      t.match(audited(server, /^user.changed/).at(-1), {
        sub: 'sam',
        change: 'verification_ticket',
        actor: 'client:ops',
      })
      const mover = await of('mo', moving)
      t.equal((await ask(verification, mover)).statusCode, 202)
      const address = 'mo@new.example'
      t.same(sent.at(-1), { ...verification, whom: { sub: 'mo' }, address })
      const proven = { ...email('pat'), emailVerified: true }
      const external = { directory: 'crm', id: '18' }
      const leaving = { ...email('lea'), pending: { deleteAt: 1 } }
      const count = sent.length
      for (const [whom, body, why] of [
        [signedUp, { ...verification, ...answered }, /have it sent/],
        [mover, { ...verification, ...answered }, /have it sent/],
        [await of('pat', proven), verification, /already/],
        [await of('lea', leaving), verification, /is being deleted/],
        [await of('ext', { ...proven, external }), verification, /elsewhere/],
        [await of('non', {}), verification, /no e-mail address/],
      ] as const) {
        const answer = await ask(body, whom)
        t.equal(answer.statusCode, 409, String(why))
        t.match(answer.json(), { error_description: why })
      }
      t.equal(sent.length, count, 'nothing else is sent')
    })

    await t.test('an operator gets none for their own account', async t => {
      live.roles = { operator: ['admin'] }
      const operator = {
        name: 'op',
        password: PASSWORD,
        scopes: null,
        roles: ['operator'],
      }
      await accounts.add(operator)
      const { sub: own = '' } = (await accounts.find('op')) ?? {}
      const form = { client_id: 'console', username: 'op', scope: 'admin' }
      const bearer = (await server.login(form)).access_token
      const refused = await ask({ ...recovery, ...answered }, { of: own, bearer })
      t.match([refused.statusCode, refused.json().error], [403, 'forbidden'])
      t.equal((await ask({ ...recovery, ...answered }, { bearer })).statusCode, 200)
    })

    await t.test("an operator's ticket is sent, and never answered", async t => {
      live.roles = { idle: [], operator: ['admin'], provisioner: ['scim'] }
      for (const role of ['operator', 'provisioner']) {
        const name = `a-${role}`
        await accounts.add({ name, password: PASSWORD, scopes: null, roles: [role] })
        const attributes = { email: `${role}@example.com` }
        await accounts.setAttributes(name, { attributes })
        const of = (await accounts.find(name))?.sub ?? ''
        for (const purpose of ['recovery', 'invitation']) {
          const refused = await ask({ purpose, ...answered }, { of })
          t.match(
            [refused.statusCode, refused.json()],
            [403, { error: 'forbidden', error_description: /is an operator/ }],
          )
        }
        t.equal((await ask(recovery, { of })).statusCode, 202)
        t.same(sent.at(-1), { purpose: 'recovery', whom: { sub: of } })
      }
      await accounts.setAccess('alice', { scopes: null, roles: ['idle'] })
      t.equal((await ask({ ...recovery, ...answered })).statusCode, 200)
    })
  })

  t.test(`none where nobody could use it, ${store}`, async t => {
    const server = await serverOn(t, store)
    const account = await server.accounts.find('alice')
    t.ok(account)
    if (account === undefined) return
    const actor = 'client:ops'
    const { issueTicket } = server.core.as(actor, { id: '1', headers: {} })
    for (const purpose of ['invitation', 'recovery', 'verification'] as const) {
      const outcome = await issueTicket(account, { purpose, isAnswered: true })
      t.same(outcome, { kind: 'refused', reason: 'not_served' })
    }
  })
}

t.test('no ticket, and no event, where all sessions have ended meanwhile', async t => {
  const issueTicket = createIssueTicket({
    makeTicket: async () => undefined,
    outgoing: NO_WAY_OUT,
    isServed: () => true,
    wayOut: () => 'mail',
    emit: () => t.fail('nothing has happened'),
  })
  const asked = { purpose: 'recovery', isAnswered: true } as const
  const reason = 'changed_meanwhile'
  const read = { createdAt: 0, updatedAt: 0, version: 1, sessionsEpoch: 0 }
  t.same(await issueTicket({ ...someAccount('a'), ...read }, asked), {
    kind: 'refused',
    reason,
  })
})
