// Claims that the configuration gives: in the token, at introspection, behind a proxy; each audience its own.
import { decodeJwt } from 'jose'
import t from 'tap'
import { API_SECRET, MAIL, ORDERS, type TestApp } from '../support/app.ts'
import { serverOn, STORES } from './helpers.ts'

const COMMON = {
  plan: { value: 'free' },
  beta: { value: false },
  seats: { value: 0 },
  note: { value: '' },
  city: { value: 'Zürich 日本' },
  team: { value: ['a', 'b'], scope: 'profile' },
}
const SEEN = { plan: 'free', beta: false, seats: 0, note: '', city: 'Zürich 日本' }

const verifiedBy = (server: TestApp, token: string, audience: string) =>
  server.app.inject({
    url: '/verify',
    headers: { authorization: `Bearer ${token}`, 'latchkey-audience': audience },
  })

for (const store of STORES) {
  t.test(`claims on ${store}`, async t => {
    const server = await serverOn(t, store)
    const { live, login, introspect, post } = server
    live.claims = COMMON
    live.audiences = {
      [ORDERS]: { claims: { region: { value: 'eu' }, roles: { value: ['picker'] } } },
      [MAIL]: { claims: { quota: { value: 5 }, plan: { value: 'pro' } } },
    }

    t.test('each audience has those for all, and its own', async t => {
      const orders = await login({ resource: ORDERS, scope: 'orders:read' })
      const claims = decodeJwt(orders.access_token)
      t.match(claims, { ...SEEN, region: 'eu', roles: ['picker'] })
      t.notOk('team' in claims, 'not without its scope')
      t.notOk('quota' in claims, "not another audience's")
      const mail = decodeJwt((await login({ resource: MAIL })).access_token)
      t.match(mail, {
        ...SEEN,
        plan: 'pro',
        quota: 5,
        roles: ['buyer'],
        team: ['a', 'b'],
      })
      t.notOk('region' in mail)
    })

    t.test('a token for two carries what both may see', async t => {
      const claims = decodeJwt((await login({ scope: 'profile' })).access_token)
      const { plan, ...alike } = SEEN
      t.match(claims, { aud: [ORDERS, MAIL], ...alike, team: ['a', 'b'] })
      for (const name of ['plan', 'region', 'quota', 'roles']) {
        t.notOk(name in claims, name)
      }
      t.ok(plan)
    })

    t.test('introspection says what the token says, signed as well', async t => {
      const { access_token: token } = await login({ resource: ORDERS })
      const claims = decodeJwt(token)
      const shown = await introspect(token)
      t.same(shown, { active: true, token_type: 'Bearer', username: 'alice', ...claims })
      const answer = await post(
        '/introspect',
        { token, client_id: 'orders-api', client_secret: API_SECRET },
        { accept: 'application/token-introspection+jwt' },
      )
      t.same(decodeJwt(answer.body)['token_introspection'], shown)
      const both = (await login()).access_token
      for (const id of ['orders-api', 'mail-api'] as const) {
        const secret = id === 'mail-api' ? 'mail-secret' : API_SECRET
        const answered = await introspect(both, id, secret)
        t.match(answered, { active: true, city: SEEN.city })
        for (const name of ['region', 'quota', 'plan']) t.notOk(name in answered, name)
      }
    })

    t.test('a refresh takes the rules of that moment', async t => {
      const { refresh_token: first } = await login({ resource: ORDERS })
      live.claims = { ...COMMON, plan: { value: 'team' } }
      const next = (await server.refresh(first)).json()
      t.match(decodeJwt(next.access_token), { plan: 'team', region: 'eu' })
      const other = (await server.refresh(next.refresh_token, { resource: MAIL })).json()
      t.match(other, { error: 'invalid_target' })
      live.claims = COMMON
    })

    t.test("a proxy is shown the audience's roles, or the account's", async t => {
      const orders = (await login({ resource: ORDERS })).access_token
      t.match((await verifiedBy(server, orders, ORDERS)).headers, {
        'latchkey-roles': 'picker',
      })
      const mail = (await login({ resource: MAIL })).access_token
      t.match((await verifiedBy(server, mail, MAIL)).headers, {
        'latchkey-roles': 'buyer',
      })
      const both = (await login()).access_token
      t.match((await verifiedBy(server, both, ORDERS)).headers, { 'latchkey-roles': '' })
    })

    t.test(
      'a changed attribute is in the next token, for its audience alone',
      async t => {
        const single = { list: false, unique: false }
        live.attributes = {
          tenant: { type: 'string', ...single },
          seats: { type: 'integer', ...single },
        }
        live.audiences = {
          [ORDERS]: { claims: { tenant: { from: 'tenant' }, seats: { from: 'seats' } } },
          [MAIL]: { claims: {} },
        }
        const set = async (attributes: Record<string, string | number | null>) =>
          t.match(await server.accounts.setAttributes('alice', { attributes }), {
            kind: 'done',
          })
        const before = await login({ resource: ORDERS })
        t.notOk(
          'tenant' in decodeJwt(before.access_token),
          'without a value there is no claim',
        )
        await set({ tenant: 'Zürich', seats: 0 })
        const second = (await server.refresh(before.refresh_token)).json()
        t.match(decodeJwt(second.access_token), { tenant: 'Zürich', seats: 0 })
        t.match(await introspect(second.access_token), {
          active: true,
          tenant: 'Zürich',
          seats: 0,
        })
        t.notOk('tenant' in decodeJwt((await login({ resource: MAIL })).access_token))
        await set({ tenant: null })
        const last = decodeJwt(
          (await server.refresh(second.refresh_token)).json().access_token,
        )
        t.notOk('tenant' in last)
        t.equal(last['seats'], 0)
        await set({ seats: null })
      },
    )
  })
}
