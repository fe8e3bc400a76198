// The record of refused logins over HTTP: whatever refuses a login is on record by its name, and nothing that
// somebody typed is.
import t from 'tap'
import type { Reason } from '../../src/base/events/reasons.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { createNameInLogs } from '../../src/users/names/name-in-logs.ts'
import { PASSWORD } from '../support/app.ts'
import { FORM, serverOn, STORES } from './helpers.ts'

const SECRET = 's'.repeat(43)
const TYPED = 'Hunter2! typed into the wrong field'

for (const store of STORES) {
  t.test(`refused logins on ${store}`, async t => {
    const server = await serverOn(t, store, { secrets: [SECRET] })
    const { accounts, refusals, live, clock } = server
    const throttle = { ...live.logins, maxDelay: 900_000 }
    const add = (name: string, scopes: string[] | null = null) =>
      accounts.add({ name, password: PASSWORD, scopes, roles: [] })
    const login = (
      form: Record<string, string>,
      headers = {},
      remoteAddress = '127.0.0.1',
    ) =>
      server.app.inject({
        method: 'POST',
        url: '/token',
        remoteAddress,
        headers: { ...FORM, ...headers },
        payload: new URLSearchParams({
          grant_type: 'password',
          client_id: 'mobile',
          password: 'wrong',
          ...form,
        }).toString(),
      })
    const guess = (username: string, password: string, from: string) =>
      login({ username, password }, {}, from)
    const onRecord = async (name: string) => {
      await refusals.flush()
      return refusals.ofName(name)
    }
    for (const name of ['disabled', 'rightless', 'by-client', 'by-secret']) {
      await add(name, name === 'rightless' ? ['profile'] : null)
    }
    await accounts.disable('disabled')

    const rows: ReadonlyArray<{
      reason: Reason
      form: Record<string, string>
      headers?: Record<string, string>
      clientId?: string | undefined
      network?: string
    }> = [
      { reason: 'password_wrong', form: { username: 'Alice' } },
      { reason: 'password_repeated', form: { username: 'alice' } },
      { reason: 'user_unknown', form: { username: TYPED } },
      { reason: 'user_disabled', form: { username: 'disabled', password: PASSWORD } },
      {
        reason: 'client_unknown',
        form: { username: 'by-client', client_id: 'nobody' },
        clientId: 'nobody',
      },
      {
        reason: 'client_secret_wrong',
        form: { username: 'by-secret', client_id: 'web', client_secret: 'wrong' },
        headers: { 'latchkey-forwarded-for': '203.0.113.9' },
        clientId: 'web',
      },
      {
        reason: 'password_wrong',
        form: { username: 'by-secret', client_id: 'web', client_secret: 'web-secret' },
        headers: { 'latchkey-forwarded-for': '203.0.113.9' },
        clientId: 'web',
        network: '203.0.113.0/24',
      },
      { reason: 'scope_not_allowed', form: { username: 'scope', scope: 'admin' } },
      {
        reason: 'scope_not_allowed_to_user',
        form: { username: 'rightless', password: PASSWORD, scope: 'orders:read' },
      },
      {
        reason: 'grant_not_allowed',
        form: {
          username: 'grant',
          client_id: 'orders-api',
          client_secret: 'orders-secret',
        },
        clientId: 'orders-api',
      },
      { reason: 'malformed_request', form: { username: 'malformed', password: '' } },
    ]
    for (const {
      reason,
      form,
      headers = {},
      clientId = 'mobile',
      network = '127.0.0.0/24',
    } of rows) {
      const answer = await login(form, headers)
      t.not(answer.statusCode, 200, reason)
      t.match(
        await onRecord(String(form['username'])),
        [{ reason, clientId, network, count: 1, lastAt: clock() }],
        reason,
      )
      clock.advance(1)
    }

    await t.test('throttled: by what, and until when', async t => {
      live.logins = { ...throttle, perName: 2 }
      const from = '198.51.100.1'
      for (const password of ['one', 'two']) await guess('throttled', password, from)
      const last = await guess('throttled', 'three', from)
      t.equal(last.statusCode, 429)
      const until = clock() + 1000 * Number(last.headers['retry-after'])
      t.match(await onRecord('throttled'), [{ reason: 'throttled_by_pair', until }, {}])
      live.logins = { ...throttle, perNetwork: 1 }
      await guess('first', 'one', '203.0.113.1')
      await guess('second', 'two', '203.0.113.1')
      t.match(await onRecord('second'), [{ reason: 'throttled_by_network' }])
      live.logins = throttle
    })

    await t.test('unlocked, the next login is let in at once', async t => {
      live.logins = { ...throttle, perName: 1 }
      await add('locked')
      const from = '2001:db8:7::1'
      const right = () => guess('locked', PASSWORD, from)
      for (const password of ['one', 'two']) await guess('locked', password, from)
      t.equal((await right()).statusCode, 429)
      await refusals.flush()
      const account = await accounts.find('locked')
      if (account === undefined) throw new Error('no account')
      const { cleared, networks } = await server.unlock(account)
      t.same([cleared, networks], [3, ['2001:db8:7::/64']], 'with the wider networks')
      t.equal((await right()).statusCode, 200)
      t.notOk((await onRecord('locked')).some(({ until }) => until !== undefined))
      live.logins = throttle
    })

    await t.test('what is too much for an address is on record, too', async t => {
      live.max = 1
      const headers = { 'latchkey-forwarded-for': '203.0.113.9' }
      for (let i = 0; i < 2; i++) {
        await login({ username: 'limited' }, headers, '192.0.2.1')
      }
      live.max = 1_000_000
      const [refusal] = await onRecord('limited')
      t.match(refusal, { reason: 'address_limit', network: '192.0.2.0/24' })
      t.ok((refusal?.until ?? 0) > clock())
    })

    await t.test('no name is kept, but its hash', async t => {
      const hash = createNameInLogs({ secrets: [SECRET], plain: () => false })(TYPED)
      t.match(await refusals.ofName(hash), [{ reason: 'user_unknown' }])
      const kept = await server.store.loginRefusals.of([hash])
      t.notMatch(JSON.stringify(kept), 'unter2')
      t.same(await server.store.loginRefusals.of([TYPED, TYPED.toLowerCase()]), [])
    })

    await t.test(
      'no other request is a login, and a right one leaves no record',
      async t => {
        await server.login()
        const before = await onRecord('alice')
        await server.post('/token', { grant_type: 'refresh_token', username: 'alice' })
        await server.post('/token', { grant_type: 'password', client_id: 'mobile' })
        await server.post('/token', '%')
        t.same(await onRecord('alice'), before)
      },
    )

    await t.test('a store that is away is a reason, written once it is back', async t => {
      const { findLogin } = server.core.directory
      const directory: { findLogin: typeof findLogin } = server.core.directory
      directory.findLogin = async () => {
        throw new StoreUnavailable(undefined, 'planted')
      }
      t.equal((await login({ username: 'faulty' })).statusCode, 503)
      directory.findLogin = findLogin
      t.match(await onRecord('faulty'), [{ reason: 'store_unavailable' }])
    })
  })
}
