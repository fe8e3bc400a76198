// The contracts of Store, AccessTokens and Keys in stores/ports, sentence by sentence, on both stores.
import t, { type Test } from 'tap'
import { userTag } from '../../src/base/ids.ts'
import { EMPTY_RING, type StoredKey } from '../../src/stores/ports/documents/keys.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import {
  everyOne,
  familyRef,
  presented,
  signIn,
  someAccount,
  someLogin,
  STORES_AND_CLUSTER,
  type TestStore,
} from '../support/stores.ts'

const MINUTE = 60_000

for (const { name, create } of STORES_AND_CLUSTER) {
  t.test(`the store, ${name}`, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    await t.test('clock and probe', t => storeContract(t, real))
    await t.test('access tokens', t => accessTokensContract(t, real))
    await t.test('the key ring', t => keysContract(t, real))
    await t.test('what may be used once', t => replaysContract(t, real))
  })

  t.test(`${name} gone: StoreUnavailable, and nothing else`, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    await real.store.directory.add(someAccount('somebody'))
    await real.fail()
    for (const [what, call] of Object.entries(everyCall(real.store))) {
      await t.rejects(call(), StoreUnavailable, what)
      const fault = await call().then(
        () => undefined,
        (error: unknown) => error,
      )
      t.match(
        fault instanceof StoreUnavailable && fault.message,
        /^the store is unavailable: ./,
        `${what} names its reason`,
      )
      t.ok(
        fault instanceof Error && fault.cause instanceof Error,
        `${what} keeps its cause for the log`,
      )
    }
  })

  t.test(`${name} closed twice`, async t => {
    const real = await create()
    await t.resolves(real.store.close())
    await t.resolves(real.store.close())
    await real.stop()
  })
}

function everyCall({
  families,
  accessTokens,
  directory,
  subjects,
  keys,
  replays,
  probe,
}: Store): Record<string, () => Promise<unknown>> {
  const { tag } = someAccount('somebody')
  const ref = familyRef(tag, 'family')
  const token = { ...ref, jti: 'a' }
  return {
    open: () => families.open(someLogin(tag)),
    rotate: () => families.rotate(presented(ref, 1)),
    peek: () => families.peek({ ...ref, generation: 1, reuseGraceMs: 1 }),
    end: () => families.end({ ...ref, clientId: null }),
    list: () => families.list(tag),
    revoke: () => accessTokens.revoke({ ...token, expiresAt: Date.now() + MINUTE }),
    check: () => accessTokens.check(token),
    add: () => directory.add(someAccount('late')),
    byName: () => directory.byName('name of somebody'),
    byTag: () => subjects.byTag(tag),
    byValue: () => directory.byValue({ attribute: 'email', value: 'x' }),
    setAttributes: () =>
      directory.setAttributes({
        tag,
        attributes: {},
        emailVerified: false,
        uniqueValues: [],
        version: 0,
      }),
    setPassword: () => directory.setPassword(tag, 'x'),
    upgradePassword: () => directory.upgradePassword(tag, 'x', 'y'),
    setDisabled: () => subjects.setDisabled(tag, true),
    setAccess: () => subjects.setAccess(tag, { scopes: null, roles: [] }),
    endSessions: () => subjects.endSessions(tag),
    remove: () => directory.remove(tag),
    all: () => everyOne(directory.all()),
    load: () => keys.load(),
    save: () => keys.save(EMPTY_RING),
    once: () => replays.once('late', MINUTE),
    probe,
  }
}

async function storeContract(t: Test, { store, clock }: TestStore): Promise<void> {
  t.equal(await store.now(), clock())
  clock.advance(MINUTE)
  t.equal(await store.now(), clock())
  await t.resolves(store.probe())
  await t.resolves(store.probe(), 'again: the mark was removed, or is written over')
  t.equal(await store.lossEndsInMs(), undefined, 'it has lost nothing')
  t.equal(await store.acceptLoss(), false, 'and nothing is to be accepted')
}

async function accessTokensContract(t: Test, { store, clock }: TestStore): Promise<void> {
  const { accessTokens, families, directory } = store
  const account = someAccount('holder', { scopes: ['profile'], roles: ['buyer'] })
  await directory.add(account)

  await t.test('a token lives with its family, and tells its user', async t => {
    const ref = await signIn(store, account.tag)
    t.same(await accessTokens.check({ ...ref, jti: 'a' }), {
      kind: 'active',
      user: {
        sub: 'holder',
        name: 'Name of holder',
        scopes: ['profile'],
        roles: ['buyer'],
        attributes: {},
        emailVerified: false,
      },
    })
    await families.rotate(presented(ref, 1))
    t.match(
      await accessTokens.check({ ...ref, jti: 'a' }),
      { kind: 'active' },
      'a token of an earlier generation lives on',
    )
  })

  await t.test('of an unknown family it is dead', async t => {
    t.same(await accessTokens.check({ ...familyRef(account.tag, 'never'), jti: 'a' }), {
      kind: 'refused',
      reason: 'family_unknown',
    })
    t.same(await accessTokens.check({ ...familyRef('nobody', 'never'), jti: 'a' }), {
      kind: 'refused',
      reason: 'family_unknown',
    })
  })

  await t.test('a revoked one is dead, its siblings and its family live', async t => {
    const ref = await signIn(store, account.tag)
    await accessTokens.revoke({ ...ref, jti: 'b', expiresAt: clock() + MINUTE })
    t.same(await accessTokens.check({ ...ref, jti: 'b' }), {
      kind: 'refused',
      reason: 'token_revoked',
    })
    t.match(await accessTokens.check({ ...ref, jti: 'c' }), { kind: 'active' })
    t.match(await families.rotate(presented(ref, 1)), { kind: 'rotated' })
  })

  await t.test(
    'revoking twice is harmless, also when it has expired, and of a family that never was',
    async t => {
      const ref = await signIn(store, account.tag)
      for (const expiresAt of [
        clock() + MINUTE,
        clock() + MINUTE,
        clock(),
        clock() - MINUTE,
      ]) {
        await t.resolves(accessTokens.revoke({ ...ref, jti: 'd', expiresAt }))
      }
      await t.resolves(
        accessTokens.revoke({
          ...familyRef('nobody', 'never'),
          jti: 'd',
          expiresAt: clock() + MINUTE,
        }),
      )
    },
  )

  await t.test('one that comes from no session lives until it is revoked', async t => {
    const [mine, other] = [
      { userTag: userTag('a-client'), jti: 'f' },
      { userTag: userTag('a-client'), jti: 'g' },
    ]
    const alive = { kind: 'active', user: undefined }
    t.same(await accessTokens.check(mine), alive)
    await accessTokens.revoke({ ...mine, expiresAt: clock() + MINUTE })
    await accessTokens.revoke({ ...mine, expiresAt: clock() + MINUTE })
    t.same(await accessTokens.check(mine), { kind: 'refused', reason: 'token_revoked' })
    t.same(await accessTokens.check(other), alive)
    t.same(await accessTokens.check({ ...mine, userTag: userTag('another') }), alive)
    clock.advance(MINUTE - 1)
    t.match(await accessTokens.check(mine), { kind: 'refused' })
  })

  await t.test('it is on the list until its last millisecond', async t => {
    const ref = await signIn(store, account.tag)
    await accessTokens.revoke({ ...ref, jti: 'e', expiresAt: clock() + MINUTE })
    clock.advance(MINUTE - 1)
    t.same(await accessTokens.check({ ...ref, jti: 'e' }), {
      kind: 'refused',
      reason: 'token_revoked',
    })
  })
}

async function replaysContract(t: Test, { store, clock }: TestStore): Promise<void> {
  const { replays } = store
  t.equal(await replays.once('a', MINUTE), true)
  t.equal(await replays.once('a', MINUTE), false)
  t.equal(await replays.once('b', MINUTE), true, 'another id')
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, () => replays.once('c', MINUTE)),
  )
  t.equal(outcomes.filter(Boolean).length, 1, 'of many at once, one')
  clock.advance(MINUTE - 1)
  t.equal(await replays.once('a', MINUTE), false, 'until its last millisecond')
}

async function keysContract(t: Test, { store }: TestStore): Promise<void> {
  const { keys } = store
  const key: StoredKey = {
    kid: 'k1',
    alg: 'ES256',
    line: 'main',
    publishAt: 1,
    signFrom: 2,
    signUntil: 3,
    removeAt: 4,
    publicJwk: { kty: 'EC', x: 'é' },
    sealed: 'sealed',
  }

  t.same(await keys.load(), EMPTY_RING, 'nothing was saved yet')
  t.equal(
    await keys.save({ ...EMPTY_RING, version: 1, keys: [key] }),
    false,
    'not the version that is there',
  )
  t.equal(await keys.save({ ...EMPTY_RING, version: 0, keys: [key] }), true)
  t.same(await keys.load(), { ...EMPTY_RING, version: 1, keys: [key] })
  t.equal(await keys.save(EMPTY_RING), false, 'somebody else was faster')
  t.same(await keys.load(), { ...EMPTY_RING, version: 1, keys: [key] })

  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      keys.save({ ...EMPTY_RING, version: 1, keys: [{ ...key, kid: `k${index}` }] }),
    ),
  )
  t.equal(outcomes.filter(Boolean).length, 1, 'of many at once, one')
  t.match(await keys.load(), {
    version: 2,
    keys: [{ kid: `k${outcomes.indexOf(true)}` }],
  })
  t.equal(await keys.save({ ...EMPTY_RING, version: 2, keys: [] }), true)
  t.same(await keys.load(), { ...EMPTY_RING, version: 3, keys: [] })
}
