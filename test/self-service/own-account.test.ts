// What the store may say of an account at the very moment of a change: that it has gone, or is another one.
import t from 'tap'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createRequireFresh } from '../../src/self-service/fresh-proof.ts'
import {
  createOwnAccount,
  type OwnAccountOptions,
} from '../../src/self-service/own-account.ts'
import { NO_WAY_OUT } from '../../src/self-service/outgoing.ts'
import { mayGet } from '../../src/self-service/pending.ts'
import type { Owner } from '../../src/self-service/owner.ts'
import { createOwnerOf } from '../../src/http/public/account/owner-of.ts'
import { declarationsOf } from '../../src/users/attributes/declarations.ts'
import type { AccountOutcome } from '../../src/users/change-account.ts'
import type { Account } from '../../src/stores/ports/directory.ts'
import { createHandClock } from '../support/clock.ts'
import { addSomeone, someAccount } from '../support/stores.ts'

const GONE = { status: 401, code: 'invalid_token' }
const CONFLICT = { status: 409, code: 'conflict' }

t.test('an account that changes meanwhile', async t => {
  const store = createSqliteStore({ file: ':memory:', clock: createHandClock() })
  t.teardown(() => store.close())
  const tag = await addSomeone(store)
  const account = await store.directory.byTag(tag)
  if (account === undefined) throw new Error('there is no account')
  const owner: Owner = {
    account,
    sid: 'sid',
    authenticatedAt: 0,
    clientId: 'web',
    scheme: 'Bearer',
    address: '192.0.2.1',
    signal: new AbortController().signal,
    origin: { id: '1', headers: {} },
  }
  let changed: 'superseded' | 'user_unknown' = 'superseded'
  let set: AccountOutcome = { kind: 'refused', reason: 'changed_meanwhile' }
  let found: Account | undefined = account
  let declarations = declarationsOf({ a: { list: false, unique: false, self: true } })
  const parts: OwnAccountOptions = {
    directory: {
      changePassword: async () => changed,
      byTag: async () => found,
      changePending: async () => 'superseded',
    },
    outgoing: NO_WAY_OUT,
    verifies: true,
    checkClaims: () => undefined,
    subjects: { endOtherSessions: async () => false },
    families: store.families,
    hasher: {
      async hash(_, turn) {
        t.strictSame(turn, {
          lane: ['self-service', '192.0.2.0/24'],
          known: true,
          signal: owner.signal,
        })
        return 'hash'
      },
    },
    checkNewPassword: async () => undefined,
    minPasswordLength: () => 8,
    declarations: () => declarations,
    requireFresh: async ({ account }) => account,
    deletions: undefined,
    as: () => ({
      accounts: {
        change: async () => set,
        removeBySub: async () => ({ kind: 'refused', reason: 'user_unknown' }),
      },
      sessions: { end: async () => 'session_unknown' },
    }),
    emit: () => t.fail('nothing has happened'),
  }
  const own = createOwnAccount(parts)
  const owns = createOwnAccount({
    ...parts,
    deletions: { begin: async () => changed },
  })
  const password = { password: 'new', currentPassword: undefined }
  const attributes = {
    changes: { a: 'b' },
    currentPassword: undefined,
    isSpent: async () => false,
  }
  await t.rejects(own.setPassword(owner, password), CONFLICT)
  await t.rejects(own.change(owner, attributes), CONFLICT)
  await t.rejects(owns.remove(owner, undefined), CONFLICT)
  changed = 'user_unknown'
  await t.rejects(owns.remove(owner, undefined), GONE)
  set = { kind: 'refused', reason: 'user_unknown' }
  await t.rejects(own.setPassword(owner, password), GONE)
  await t.rejects(own.change(owner, attributes), GONE)
  await t.rejects(own.endOthers(owner), GONE)
  await t.rejects(own.remove(owner, undefined), GONE)
  const owned = { status: 400, code: 'directory_owns' }
  set = { kind: 'refused', reason: 'directory_owns' }
  await t.rejects(own.change(owner, attributes), owned)
  const external = { directory: 'crm', id: '1' }
  const elsewhere = { ...owner, account: { ...owner.account, external } }
  await t.rejects(own.setPassword(elsewhere, password), owned)
  declarations = declarationsOf({ email: { list: false, unique: false, self: true } })
  const address = { ...attributes, changes: { email: 'a@example.com' } }
  await t.rejects(own.change(elsewhere, address), owned)
  await t.rejects(own.change(owner, address), CONFLICT, 'others change it all the while')
  found = undefined
  await t.rejects(own.change(owner, address), GONE)
  for (const purpose of ['recovery', 'verification', 'invitation'] as const) {
    t.ok(mayGet(account, purpose))
    t.notOk(mayGet(elsewhere.account, purpose), `no ticket for ${purpose}`)
  }
  declarations = declarationsOf({})
  await t.rejects(own.change(owner, attributes), {
    status: 400,
    code: 'attribute_not_self',
    message: 'the attribute a: one of none is expected',
  })
})

t.test(
  'an account that goes between the look at its token and the one at it',
  async t => {
    const ownerOf = createOwnerOf({
      issuer: 'https://id.example.com',
      base: 'https://id.example.com',
      prefix: '',
      accounts: { bySub: async () => undefined },
      sessionLimit: () => ({ max: 1, window: 1 }),
      tokenHolder: async () => ({
        user: undefined,
        claims: {
          iss: 'https://id.example.com',
          sub: 'sub',
          aud: 'https://id.example.com',
          client_id: 'web',
          iat: 1,
          exp: 2,
          jti: 'jti',
          sid: 'sid',
          auth_time: 1,
        },
      }),
    })
    const { fastify } = await import('fastify')
    const app = fastify()
    app.get('/', async (request, reply) => {
      await t.rejects(ownerOf(request, reply), GONE)
      return ''
    })
    await app.inject('/')
    await app.close()
  },
)

t.test("another person's right password proves nothing", async t => {
  const account: Account = {
    ...someAccount('ann'),
    sessionsEpoch: 1,
    createdAt: 0,
    updatedAt: 0,
    version: 0,
  }
  const reasons: unknown[] = []
  const proofOf = (known: Account) =>
    createRequireFresh({
      authenticate: async () => ({ kind: 'ok', account: known, known: false }),
      nameInLogs: name => name,
      emit: event => reasons.push(Object(event).reason),
      clock: () => 3_600_000,
    })
  const owner = {
    account,
    sid: 'sid',
    authenticatedAt: 0,
    clientId: 'web',
    scheme: 'Bearer' as const,
    address: '192.0.2.1',
    signal: new AbortController().signal,
    origin: { id: '1', headers: {} },
  }
  const other = { ...account, ...someAccount('bob') }
  await t.rejects(proofOf(other)(owner, 'the password of bob'), {
    code: 'insufficient_user_authentication',
  })
  t.same(reasons, ['password_wrong'])
  await t.resolves(proofOf(account)(owner, 'her own'))
})
