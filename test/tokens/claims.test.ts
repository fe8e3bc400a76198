// How rules become the claims of a token.
import t from 'tap'
import { mapClaims } from '../../src/tokens/claims.ts'
import { isAccessTokenClaims } from '../../src/tokens/access-token.ts'

const NOBODY = { roles: [], scope: [] }
const ALICE = { roles: ['buyer'], scope: ['profile'] }

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
  t.strictSame(mapClaims([rules], { roles: [], scope: ['profile', 'a'] }), {
    plan: 'pro',
    open: 1,
  })
  t.strictSame(mapClaims([rules], { roles: [], scope: ['profiles'] }), { open: 1 })
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
  t.strictSame(mapClaims([scoped, shared], { roles: [], scope: [] }), {})
  t.strictSame(mapClaims([scoped, shared], ALICE), { plan: 'free', roles: ['buyer'] })
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
