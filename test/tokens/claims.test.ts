// How rules become the claims of a token.
import t from 'tap'
import { mapClaims } from '../../src/tokens/claims.ts'
import { isAccessTokenClaims } from '../../src/tokens/access-token.ts'

const user = (attributes: object, roles: string[] = [], emailVerified = false) => ({
  roles,
  attributes: { ...attributes },
  emailVerified,
})
const NOBODY = { user: undefined, scope: [] }
const ALICE = { user: user({}, ['buyer']), scope: ['profile'] }

t.test(
  'a value is a value when it is 0, false or empty; a list without items is none',
  async t => {
    const rules = {
      zero: { value: 0 },
      no: { value: false },
      empty: { value: '' },
      none: { value: [] },
      missing: {},
      name: { value: 'Zoë 日本 🦊' },
      one: { value: ['x'] },
    }
    t.strictSame(mapClaims([rules], NOBODY), {
      zero: 0,
      no: false,
      empty: '',
      name: 'Zoë 日本 🦊',
      one: ['x'],
    })
    t.strictSame(mapClaims([], ALICE), {}, 'for nobody')
  },
)

t.test('a claim with a scope stands only where the token has it', async t => {
  const rules = { plan: { value: 'pro', scope: 'profile' }, open: { value: 1 } }
  t.strictSame(mapClaims([rules], { ...NOBODY, scope: ['profile', 'a'] }), {
    plan: 'pro',
    open: 1,
  })
  t.strictSame(mapClaims([rules], { ...NOBODY, scope: ['profiles'] }), { open: 1 })
})

t.test("the account's roles are a claim until a rule takes its place", async t => {
  t.strictSame(mapClaims([{}], ALICE), { roles: ['buyer'] })
  t.strictSame(mapClaims([{}], NOBODY), {})
  t.strictSame(mapClaims([{ roles: { value: ['reader'] } }], ALICE), {
    roles: ['reader'],
  })
  const withheld = { roles: { value: ['reader'], scope: 'other' } }
  t.strictSame(mapClaims([withheld], ALICE), {}, 'without a value, too')
})

t.test('a token for two audiences says what both would see alike', async t => {
  const shared = { plan: { value: 'free' }, list: { value: ['a', 1] } }
  const orders = { ...shared, tier: { value: 1 }, own: { value: 'orders' } }
  const mail = { ...shared, tier: { value: 2 }, constructor: { value: 'mail' } }
  const both = { plan: 'free', list: ['a', 1], roles: ['buyer'] }
  t.strictSame(mapClaims([orders, mail], ALICE), both)
  t.strictSame(mapClaims([mail, orders], ALICE), both)
  t.strictSame(mapClaims([orders, mail, {}], ALICE), { roles: ['buyer'] })
  t.strictSame(
    mapClaims([{ ...orders, roles: { value: ['buyer', 'x'] } }, mail], ALICE),
    { plan: 'free', list: ['a', 1] },
    'nor roles that are not alike',
  )
  const scoped = { plan: { value: 'free', scope: 'profile' } }
  t.strictSame(mapClaims([scoped, shared], NOBODY), {})
  t.strictSame(mapClaims([scoped, shared], ALICE), { plan: 'free', roles: ['buyer'] })
})

t.test('a claim copies an attribute as it is, or is left out', async t => {
  const rules = {
    tenant: { from: 'tenant' },
    mail: { from: 'email', scope: 'email' },
    email_verified: { from: 'email_verified' },
    seats: { from: 'seats' },
    beta: { from: 'beta' },
    note: { from: 'note' },
    groups: { from: 'teams' },
    none: { from: 'empty' },
    missing: { from: 'missing' },
  }
  const attributes = {
    tenant: 'Größe 日本 🦊',
    email: 'zoe@example.com',
    seats: 0,
    beta: false,
    note: '',
    teams: ['a', 'b'],
    empty: [],
    other: 'nobody asks for it',
  }
  const { email, teams, empty, other, ...same } = attributes
  const shown = { ...same, groups: teams, email_verified: false }
  t.strictSame(mapClaims([rules], { user: user(attributes), scope: [] }), shown)
  const verified = { user: user(attributes, [], true), scope: ['email'] }
  t.strictSame(mapClaims([rules], verified), {
    ...shown,
    email_verified: true,
    mail: email,
  })
  t.strictSame(mapClaims([rules], { user: user({}, [], true), scope: [] }), {})
  t.strictSame(mapClaims([rules], NOBODY), {}, 'a client has none')
  t.ok(empty.length === 0 && other !== '')
})

t.test(
  'single against list: a claim is a list exactly where the attribute is',
  async t => {
    const rules = { one: { from: 'one' }, many: { from: 'many' } }
    const attributes = { one: 'a', many: ['a'] }
    t.strictSame(mapClaims([rules], { user: user(attributes), scope: [] }), attributes)
  },
)

t.test('roles that were stored as something else are none', async t => {
  const rules = { roles: { from: 'jobs' }, groups: { from: 'levels' } }
  const stored = { jobs: 'admin', levels: [1, 2] }
  const source = { user: user(stored, ['buyer']), scope: [] }
  t.strictSame(mapClaims([rules], source), {})
  const now = { jobs: ['admin'], levels: ['1'] }
  t.strictSame(mapClaims([rules], { user: user(now, ['buyer']), scope: [] }), {
    roles: ['admin'],
    groups: ['1'],
  })
})

t.test('the verifier takes claims that it knows nothing of', async t => {
  const claims = {
    iss: 'https://id.example.com',
    sub: 'web',
    client_id: 'web',
    aud: 'a',
    iat: 1,
    exp: 2,
    jti: 'x',
  }
  t.ok(isAccessTokenClaims({ ...claims, plan: 'free', groups: ['a'], n: 0 }))
  t.notOk(isAccessTokenClaims({ ...claims, roles: 'buyer' }))
})
