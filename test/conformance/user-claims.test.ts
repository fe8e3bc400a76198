// What is said of a user by scope (OIDC Core §5.1, §5.4): in ID tokens and at /userinfo, in agreement with
// the access token and its introspection.
import { decodeJwt } from 'jose'
import t from 'tap'
import { client, CLIENTS, ORDERS, type TestApp } from '../support/app.ts'
import { serverOn, STORES } from './helpers.ts'

const PORTAL = client('portal', {
  scopes: ['openid', 'profile', 'email', 'phone', 'orders:read'],
})
const SINGLE = { list: false, unique: false }
const DECLARED = {
  email: SINGLE,
  given_name: SINGLE,
  locale: SINGLE,
  phone_number: SINGLE,
  phone_number_verified: SINGLE,
  tenant: { type: 'string' as const, ...SINGLE },
}
const ALICE = {
  email: 'alice@example.com',
  given_name: 'Zoë 日本',
  locale: '',
  phone_number: '+41 44 000 00 00',
  phone_number_verified: false,
  tenant: 'north',
}
const PROFILE = { given_name: 'Zoë 日本', locale: '', preferred_username: 'alice' }
const EMAIL = { email: 'alice@example.com', email_verified: true }
const PHONE = { phone_number: '+41 44 000 00 00', phone_number_verified: false }

const ABOUT_TOKEN = ['iss', 'sub', 'aud', 'iat', 'exp', 'auth_time', 'sid', 'at_hash']

/** The claims about the user, without those about the token. */
function aboutUser(claims: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(claims).filter(([name]) => !ABOUT_TOKEN.includes(name)),
  )
}

async function userinfo({ app }: TestApp, token: string, accept = 'application/json') {
  const answer = await app.inject({
    url: '/userinfo',
    headers: { authorization: `Bearer ${token}`, accept },
  })
  return answer.headers['content-type']?.startsWith('application/jwt') === true
    ? decodeJwt(answer.body)
    : answer.json()
}

for (const store of STORES) {
  t.test(`claims about a user on ${store}`, async t => {
    const server = await serverOn(t, store, { clients: [...CLIENTS, PORTAL] })
    const { live, login, accounts } = server
    live.attributes = DECLARED
    const set = async (attributes: Record<string, unknown>, emailVerified?: boolean) =>
      t.match(
        await accounts.setAttributes('alice', {
          attributes,
          ...(emailVerified !== undefined && { emailVerified }),
        }),
        { kind: 'done' },
      )
    await set(ALICE, true)
    const ask = (scope: string) => login({ client_id: 'portal', scope })

    t.test('each scope asks for its own, and nothing else is said', async t => {
      for (const [scope, expected] of [
        ['openid', {}],
        ['openid profile', PROFILE],
        ['openid email', EMAIL],
        ['openid phone', PHONE],
        ['openid profile email phone', { ...PROFILE, ...EMAIL, ...PHONE }],
      ] as const) {
        const answer = await ask(scope)
        const all = { ...expected, roles: ['buyer'] }
        t.same(aboutUser(decodeJwt(answer.id_token)), all, `ID token: ${scope}`)
        t.same(aboutUser(await userinfo(server, answer.access_token)), all, scope)
        const signed = await userinfo(server, answer.access_token, 'application/jwt')
        t.same(aboutUser(signed), all, `signed: ${scope}`)
      }
    })

    t.test('a changed address is in the next tokens, and not verified', async t => {
      const first = await ask('openid email')
      await set({ email: 'new@example.com' })
      const changed = { email: 'new@example.com', email_verified: false }
      t.match(await userinfo(server, first.access_token), changed, 'at once')
      const next = (
        await server.refresh(first.refresh_token, { client_id: 'portal' })
      ).json()
      t.match(decodeJwt(next.id_token), changed)
      await set({ email: null })
      const last = await ask('openid email')
      t.same(aboutUser(decodeJwt(last.id_token)), { roles: ['buyer'] })
      await set({ email: ALICE.email }, true)
    })

    t.test('what is no longer declared is not said', async t => {
      const { email: _, ...rest } = DECLARED
      live.attributes = rest
      const answer = await ask('openid email')
      t.same(aboutUser(decodeJwt(answer.id_token)), { roles: ['buyer'] })
      t.notOk('email' in (await userinfo(server, answer.access_token)))
      live.attributes = DECLARED
    })

    t.test('roles are those of the access token, rule or none', async t => {
      const agree = async (resource: string | undefined, roles: string[] | undefined) => {
        const answer = await login({
          client_id: 'portal',
          scope: 'openid',
          ...(resource !== undefined && { resource }),
        })
        const { access_token: token } = answer
        const said = [
          decodeJwt(token),
          await server.introspect(token),
          decodeJwt(answer.id_token),
          await userinfo(server, token),
        ]
        t.same(
          said.map(claims => claims.roles),
          Array.from({ length: 4 }, () => roles),
          `${resource}`,
        )
      }
      await agree(ORDERS, ['buyer'])
      live.audiences = { [ORDERS]: { claims: { roles: { value: ['picker'] } } } }
      await agree(ORDERS, ['picker'])
      live.claims = { roles: { from: 'tenant' } }
      live.audiences = {}
      await agree(ORDERS, undefined)
      live.claims = {}
    })

    t.test('the metadata name them', async t => {
      const supported = async () =>
        (await server.app.inject('/.well-known/openid-configuration')).json()
          .claims_supported
      const all = await supported()
      for (const name of [...Object.keys({ ...PROFILE, ...EMAIL, ...PHONE }), 'sub']) {
        t.ok(all.includes(name), name)
      }
      t.notOk(all.includes('tenant'))
      live.attributes = {}
      const none = await supported()
      t.notOk(none.includes('email') || none.includes('email_verified'))
    })
  })
}
