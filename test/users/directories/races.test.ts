// What takes a race, or a fault, to happen to a directory elsewhere: the parts by themselves.
import t from 'tap'
import { systemRandom } from '../../../src/base/random.ts'
import { userTag } from '../../../src/base/ids.ts'
import type { Account } from '../../../src/stores/ports/directory.ts'
import { createAuthenticateElsewhere } from '../../../src/users/directory/authenticate-elsewhere.ts'
import { createChain } from '../../../src/users/directory/chain.ts'
import type { ExternalSettings, Identity } from '../../../src/users/directory/external.ts'
import { createReadGiven } from '../../../src/users/directory/given-attributes.ts'
import { guardDirectory } from '../../../src/users/directory/guarded.ts'
import { createHttpDirectory } from '../../../src/users/directory/http.ts'
import { createRecheck } from '../../../src/users/directory/recheck.ts'
import { subsOfShadow } from '../../../src/users/directory/identity.ts'
import { createShadows } from '../../../src/users/directory/shadows.ts'
import { declarationsOf } from '../../../src/users/attributes/declarations.ts'
import { roleValues } from '../../../src/users/groups/role-values.ts'
import { someAccount } from '../../support/stores.ts'

type ShadowsOptions = Parameters<typeof createShadows>[0]
type ElsewhereOptions = Parameters<typeof createAuthenticateElsewhere>[0]

const SETTINGS: ExternalSettings = {
  name: 'app',
  migrate: 'none',
  sub: 'own',
  timeout: 2_000,
  maxInFlight: 1,
}
const IDENTITY: Identity = {
  externalId: '17',
  name: 'ann',
  roles: [],
  attributes: {},
  emailVerified: false,
  disabled: false,
}
const SHADOW: Account = {
  ...someAccount(subsOfShadow(SETTINGS, '17', () => false)[0]),
  name: 'ann of before',
  external: { directory: 'app', id: '17' },
  sessionsEpoch: 1,
  createdAt: 0,
  updatedAt: 0,
  version: 0,
}
const NOBODY = new AbortController().signal
const EMAIL = { email: 'ann@example.com' }
const PLAN = { plan: 'gold' }
const rules = () => ({
  declarations: declarationsOf({
    email: { list: false, unique: true },
    plan: { list: false, unique: false },
  }),
  checkClaims: () => undefined,
})

const isClient = (id: string) => id === 'mobile'

/** Shadows over a store of which only these calls are made. */
function shadowsOver(
  directory: object,
  emitted: object[] = [],
  lookup: ShadowsOptions['lookup'] = async () => ({ kind: 'unasked' }),
) {
  return createShadows({
    directory: {
      findLogin: async () => undefined,
      ...directory,
    } as unknown as ShadowsOptions['directory'],
    emit: event => emitted.push(event),
    readGiven: createReadGiven(rules),
    isClient,
    lookup,
  })
}

t.test('a name that is none of ours is told from one that is', async t => {
  const shadows = shadowsOver({ byTag: async () => undefined })
  const outcome = await shadows.keep(SETTINGS, { ...IDENTITY, name: 'two words' })
  t.match(outcome, { kind: 'refused', reason: 'directory_name_taken' })
})

t.test('a shadow keeps its sub, whichever client has come or gone since', async t => {
  const source = { ...SETTINGS, sub: 'external' } as const
  for (const id of ['17', 'mobile']) {
    const [, other = ''] = subsOfShadow(source, id, isClient)
    const before = {
      ...SHADOW,
      ...someAccount(other),
      name: 'ann',
      external: { directory: 'app', id },
    }
    const storeOf = (account: Account) => ({
      byTag: async (tag: string) => (tag === account.tag ? account : undefined),
      add: async () => 'name_taken',
      change: async () => ({ kind: 'changed' }),
    })
    const identity = { ...IDENTITY, externalId: id }
    const kept = await shadowsOver(storeOf(before)).keep(source, identity)
    t.match(kept, { kind: 'kept', account: { sub: other } }, id)
    // An account of ours that has that `sub` is nobody of theirs.
    const { external: _, ...ours } = before
    t.match(await shadowsOver(storeOf(ours)).keep(source, identity), {
      kind: 'unavailable',
    })
  }
})

t.test('a shadow that never gets its name is no verdict', async t => {
  let added = 0
  const shadows = shadowsOver({
    byTag: async () => undefined,
    add: async () => {
      added += 1
      return 'name_taken'
    },
  })
  t.same(await shadows.keep(SETTINGS, IDENTITY), { kind: 'unavailable' })
  t.equal(added, 20)
})

t.test('an address that somebody takes meanwhile is left out', async t => {
  const seen: unknown[] = []
  let account: Account | undefined
  const shadows = shadowsOver({
    byTag: async () => account,
    async add({ attributes }: Account) {
      seen.push(attributes)
      if (seen.length === 1) return { kind: 'value_taken', attribute: 'email' }
      account = SHADOW
      return 'added'
    },
    change: async () => ({ kind: 'changed' }),
  })
  const attributes = { ...EMAIL, ...PLAN }
  t.match(await shadows.keep(SETTINGS, { ...IDENTITY, attributes }), { kind: 'kept' })
  t.same(seen, [attributes, PLAN], 'and nothing else is')
})

t.test('a shadow that others change, or that goes, meanwhile', async t => {
  let tries = 0
  const busy = shadowsOver({
    byTag: async () => undefined,
    async change() {
      tries += 1
      return { kind: 'superseded' }
    },
  })
  t.equal(await busy.refresh(SHADOW, IDENTITY), SHADOW, 'as it was')
  t.equal(tries, 20)
  const emitted: object[] = []
  const gone = shadowsOver(
    { byTag: async () => undefined, change: async () => ({ kind: 'changed' }) },
    emitted,
  )
  t.equal(await gone.refresh(SHADOW, IDENTITY), SHADOW)
  t.match(emitted, [{ change: 'renamed' }])
})

t.test('attributes that would make tokens too large are left out, roles are not', t => {
  const fault = { reason: 'claims_too_large', path: 'email', expected: 'less' } as const
  const readGiven = createReadGiven(() => ({ ...rules(), checkClaims: () => fault }))
  const given = { ...IDENTITY, sub: 'ann', roles: ['support'], attributes: EMAIL }
  t.same(readGiven(given), {
    attributes: {},
    emailVerified: false,
    uniqueValues: roleValues('ann', ['support']),
  })
  t.end()
})

t.test('a store that cannot keep the shadow is 503', async t => {
  const withdrawn: string[] = []
  const by = guarded({ verify: async () => ({ kind: 'ok', identity: IDENTITY }) })
  const authenticate = createAuthenticateElsewhere({
    chain: createChain([by]),
    directory: { findLogin: async () => undefined },
    shadows: { keep: async () => ({ kind: 'unavailable' }) },
    failedLogins: {
      begin: async () => ({
        verdict: { kind: 'clear' },
        settle: async (outcome: string) => withdrawn.push(outcome),
      }),
    },
    monotonic: () => 0,
  } as unknown as ElsewhereOptions)
  const login = { name: 'ann', password: 'long', clientId: 'mobile', address: '::1' }
  await t.rejects(authenticate(login), { code: 'temporarily_unavailable' })
  t.same(withdrawn, ['withdrawn'], 'it counts as no guess')
})

/** A directory within bounds, of which only these calls are made. */
function guarded(directory: object) {
  return guardDirectory({
    directory: {
      settings: SETTINGS,
      givesHashes: false,
      verify: async () => ({ kind: 'unknown' }),
      lookup: async () => ({ kind: 'gone' }),
      close: async () => {},
      ...directory,
    },
    watch: { answered() {}, changed() {} },
    monotonic: () => 0,
  })
}

t.test(
  'a directory that is asked too much at once, or throws, gives no verdict',
  async t => {
    const held = Promise.withResolvers<{ kind: 'unknown' }>()
    const busy = guarded({ verify: () => held.promise })
    const attempt = { name: 'ann', foldedName: 'ann', password: 'long' }
    const first = busy.verify(attempt, NOBODY)
    t.match(await busy.verify(attempt, NOBODY), {
      kind: 'unavailable',
      fault: /maxInFlight/,
    })
    held.resolve({ kind: 'unknown' })
    t.same(await first, { kind: 'unknown' })
    const silent = guarded({ verify: () => new Promise(() => {}) })
    t.match(await silent.verify(attempt, AbortSignal.abort()), { kind: 'unavailable' })
    for (const [thrown, fault] of [
      [new TypeError('secret'), 'a fault: TypeError'],
      ['a text', 'a fault: unknown'],
    ] as const) {
      const faulty = guarded({ lookup: () => Promise.reject(thrown) })
      t.same(await faulty.lookup('17', NOBODY), { kind: 'unavailable', fault })
    }
  },
)

t.test('a fault of the connection is named by what is behind it', async t => {
  for (const [thrown, name] of [
    [Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'ECONNRESET'],
    [new Error('x', { cause: { code: 'ECONNREFUSED' } }), 'ECONNREFUSED'],
    [new Error('x', { cause: new Error('certificate') }), 'certificate'],
    [new Error('plain'), 'plain'],
  ] as const) {
    const directory = createHttpDirectory({
      settings: {
        ...SETTINGS,
        type: 'http',
        url: 'https://app.example.com/login',
        lookupUrl: 'https://app.example.com/users',
        secrets: [Buffer.alloc(32, 9).toString('base64')],
        mayBePrivate: false,
      },
      post: () => Promise.reject(thrown),
      clock: () => 0,
      random: systemRandom,
    })
    const fault = `no answer (${name})`
    t.same(await directory.lookup('17', NOBODY), { kind: 'unavailable', fault })
  }
})

t.test(
  'a store that is away forgets the look, and the next refresh brings one',
  async t => {
    let asked = 0
    const recheck = createRecheck({
      directory: {
        async byTag() {
          asked += 1
          throw new Error('the store is away')
        },
      },
      shadows: { drop: async () => {}, refresh: async account => account },
      lookup: async () => ({ kind: 'unasked' }),
      find: () => undefined,
      policy: () => ({ grace: 0, recheck: 60_000 }),
      monotonic: () => 0,
    })
    const event = { type: 'refresh.rotated', sub: 'ann' }
    for (const looks of [1, 2]) {
      recheck.hear(event as Parameters<typeof recheck.hear>[0])
      await recheck.settled()
      t.equal(asked, looks)
    }
  },
)

t.test('a name or an address that somebody has is not taken over', async t => {
  const tried: unknown[] = []
  const outcomes = [
    { kind: 'name_taken' },
    { kind: 'value_taken', attribute: 'email' },
    { kind: 'changed' },
  ]
  const shadows = shadowsOver({
    byTag: async () => SHADOW,
    async change({ name, attributes }: Account) {
      tried.push({ name, attributes })
      return outcomes[tried.length - 1]
    },
  })
  const identity = { ...IDENTITY, attributes: EMAIL, roles: ['support'] }
  await shadows.refresh(SHADOW, identity)
  t.same(tried, [
    { name: 'ann', attributes: EMAIL },
    { name: undefined, attributes: EMAIL },
    { name: undefined, attributes: {} },
  ])
})

t.test('who holds the name is asked for where they are', async t => {
  const other = { ...SHADOW, external: { directory: 'other', id: '1' } }
  const store = {
    byTag: async () => undefined,
    findLogin: async () => other,
    add: async () => 'name_taken',
  }
  const asking = (lookup: ShadowsOptions['lookup']) =>
    shadowsOver(store, [], lookup).keep(SETTINGS, IDENTITY)
  const away = await asking(async () => ({ kind: 'unavailable', fault: 'away' }))
  t.same(away, { kind: 'unavailable' }, 'a fault is no verdict')
  const taken = { kind: 'refused', reason: 'directory_name_taken' }
  t.same(await asking(async () => ({ kind: 'unasked' })), taken)
})

t.test('an account that goes while its password is copied', async t => {
  const copied: string[] = []
  const by = guardDirectory({
    directory: {
      settings: { ...SETTINGS, migrate: 'copy' },
      givesHashes: false,
      verify: async () => ({ kind: 'ok', identity: IDENTITY }),
      lookup: async () => ({ kind: 'gone' }),
      close: async () => {},
    },
    watch: { answered() {}, changed() {} },
    monotonic: () => 0,
  })
  let kept: Account = { ...SHADOW, passwordHash: '!' }
  const copy = async (_: unknown, hash: string) => copied.push(hash)
  const authenticate = createAuthenticateElsewhere({
    chain: createChain([by]),
    directory: {
      findLogin: async () => undefined,
      countedName: async (name: string) => name,
      upgradePassword: copy,
      setPassword: copy,
      byTag: async () => undefined,
    },
    checkNewPassword: async () => 'password_too_short',
    shadows: { keep: async () => ({ kind: 'kept', account: kept }) },
    failedLogins: {
      pairOf: () => 'pair',
      allowance: () => 5,
      begin: async () => ({
        verdict: { kind: 'clear', known: false },
        settle: async () => {},
      }),
    },
    hasher: {
      isFree: () => true,
      enqueue: async (_: object, work: (hashing: object) => unknown) =>
        work({ hash: async () => 'a hash', verify: async () => false }),
    },
    monotonic: () => 0,
  } as unknown as ElsewhereOptions)
  const login = { name: 'ann', password: 'long', clientId: 'mobile', address: '::1' }
  const { tag, sessionsEpoch } = kept
  for (const passwordHash of ['!', 'another hash']) {
    kept = { ...kept, passwordHash }
    const outcome = await authenticate(login)
    t.match(outcome, { kind: 'ok', account: { tag, sessionsEpoch } }, 'as it was then')
  }
  t.same(copied, ['a hash', 'a hash'])
})

t.test(
  'looks are bounded: a few at once, so many that wait, so many remembered',
  async t => {
    let asked = 0
    const held = Promise.withResolvers<void>()
    let hold: Promise<void> | undefined = held.promise
    const recheck = createRecheck({
      directory: {
        async byTag() {
          asked += 1
          await hold
          return SHADOW
        },
      },
      shadows: { drop: async () => {}, refresh: async account => account },
      lookup: async () => ({ kind: 'unasked' }),
      find: () => undefined,
      policy: () => ({ grace: 0, recheck: 60_000 }),
      monotonic: () => 0,
    })
    const hear = (sub: string) => {
      const event = { type: 'refresh.rotated', sub }
      recheck.hear(event as Parameters<typeof recheck.hear>[0])
    }
    for (let user = 0; user < 1_010; user++) hear(`user ${user}`)
    t.equal(asked, 4)
    held.resolve()
    hold = undefined
    await recheck.settled()
    t.equal(asked, 1_004, 'the others had no place')
    t.notOk(recheck.isOverdue(userTag('user 0')), 'its directory is configured no more')
    for (let user = 0; user < 201_000; user++) {
      hear(`later ${user}`)
      if (user % 500 === 0) await recheck.settled()
    }
    await recheck.settled()
    const before = asked
    hear('user 0')
    await recheck.settled()
    t.equal(asked, before + 1, 'it was forgotten, and is looked at again')
  },
)

t.test(
  'what a proxy says for an app that is gone is no verdict, and no id is rounded',
  async t => {
    for (const [status, body] of [
      [404, undefined],
      [401, undefined],
      [200, { id: 2 ** 60, name: 'ann' }],
    ] as const) {
      const directory = createHttpDirectory({
        settings: {
          ...SETTINGS,
          type: 'http',
          url: 'https://app.example.com/login',
          lookupUrl: 'https://app.example.com/users',
          secrets: [Buffer.alloc(32, 9).toString('base64')],
          mayBePrivate: false,
        },
        post: async () => ({ status, body }),
        clock: () => 0,
        random: systemRandom,
      })
      const attempt = { name: 'ann', foldedName: 'ann', password: 'long' }
      t.match(
        await directory.verify(attempt, NOBODY),
        { kind: 'unavailable' },
        `${status}`,
      )
      t.match(await directory.lookup('17', NOBODY), { kind: 'unavailable' }, `${status}`)
    }
  },
)
