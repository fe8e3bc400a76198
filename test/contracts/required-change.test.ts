// A password that must be changed: the mark is stored with the account, stays whatever else changes, and ends
// with the password, however another one is set. In every store.
import { hash } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Account, BuiltInDirectory } from '../../src/stores/ports/directory.ts'
import {
  mustChangePassword,
  noteRequiredChange,
} from '../../src/users/required-change.ts'
import { andPostgres } from '../support/postgres-stores.ts'
import {
  addSomeone,
  notePending,
  signIn,
  STORES_AND_CLUSTER,
  type TestStore,
} from '../support/stores.ts'

const SECOND = '$argon2id$second'

for (const { name, create } of andPostgres(STORES_AND_CLUSTER)) {
  t.test(`passwords that must be changed in ${name}`, async t => {
    const world = await create()
    t.teardown(() => world.stop())
    await t.test('noted and taken away', t => noteTest(t, world))
    await t.test('ended by another password', t => endTest(t, world))
    await t.test('whatever else changes', t => stayTest(t, world))
  })
}

async function read(directory: BuiltInDirectory, tag: string): Promise<Account> {
  const account = await directory.byTag(tag)
  if (account === undefined) throw new Error('nobody')
  return account
}

async function marked({ store }: TestStore, changes = {}): Promise<Account> {
  const { directory } = store
  const tag = await addSomeone(store, changes)
  await noteRequiredChange(directory, await read(directory, tag), true)
  return read(directory, tag)
}

async function noteTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory } = store
  const tag = await addSomeone(store)
  const before = await read(directory, tag)
  t.equal(mustChangePassword(before), false)
  t.equal(await noteRequiredChange(directory, before, false), false, 'nothing is noted')
  t.equal(await noteRequiredChange(directory, before, true), true)
  t.equal(await noteRequiredChange(directory, before, true), false, 'once')
  const after = await read(directory, tag)
  t.equal(mustChangePassword(after), true)
  t.match(after, { version: 1, sessionsEpoch: before.sessionsEpoch, disabled: false })
  t.notMatch(JSON.stringify(after.pending), after.passwordHash)
  const earlier = { tag, passwordHash: '$argon2id$earlier' }
  t.equal(await noteRequiredChange(directory, earlier, false), false, 'of another one')
  t.equal(await noteRequiredChange(directory, after, false), true)
  t.equal((await read(directory, tag)).pending, undefined)
  await notePending(directory, tag, { email: 'next@example.com' })
  await noteRequiredChange(directory, after, true)
  await noteRequiredChange(directory, after, false)
  t.same((await read(directory, tag)).pending, { email: 'next@example.com' })
  t.equal(await noteRequiredChange(directory, { ...after, tag: 'nobody' }, true), false)
}

async function endTest(t: Test, world: TestStore): Promise<void> {
  const { directory, tickets } = world.store
  const ways: Record<string, (account: Account) => Promise<unknown>> = {
    'by an operator': ({ tag }) => directory.setPassword(tag, SECOND),
    'by its user': async ({ tag, version }) => {
      const { sid: keeps } = await signIn(world.store, tag)
      return directory.changePassword({ tag, passwordHash: SECOND, version, keeps })
    },
    'by SCIM, or an import': ({ tag, version, attributes, emailVerified }) =>
      directory.change({
        tag,
        version,
        attributes,
        emailVerified,
        uniqueValues: [],
        passwordHash: SECOND,
        endsSessions: true,
      }),
    'by a ticket': async ({ tag, version, sessionsEpoch }) => {
      const ticket = {
        tag,
        purpose: 'recovery' as const,
        hash: hash('sha256', tag, 'base64url'),
        sessionsEpoch,
        address: 'hash of an address',
        forMs: 60_000,
        codeTries: 5,
      }
      await tickets.make(ticket)
      return tickets.setPassword({
        ticket: { ...ticket, codes: [] },
        passwordHash: SECOND,
        provesAddress: false,
        version,
      })
    },
  }
  for (const [way, set] of Object.entries(ways)) {
    const account = await marked(world)
    t.equal(mustChangePassword(account), true)
    await set(account)
    const after = await read(directory, account.tag)
    t.match(after, { passwordHash: SECOND }, way)
    t.equal(mustChangePassword(after), false, way)
  }
}

async function stayTest(t: Test, world: TestStore): Promise<void> {
  const { directory, subjects } = world.store
  const external = { directory: 'app', id: '1' }
  const { tag, pending, passwordHash } = await marked(world, { external })
  const must = async () => mustChangePassword(await read(directory, tag))
  t.equal(await directory.adopt(tag), true)
  t.equal(await must(), true, 'adopted')
  await subjects.setDisabled(tag, true)
  await subjects.setDisabled(tag, false)
  await subjects.setAccess(tag, { scopes: ['a'], roles: ['b'] })
  const name = `other of ${tag}`
  t.equal(await directory.rename({ tag, name, foldedName: name }), 'renamed')
  const { version } = await read(directory, tag)
  const attributes = { plan: 'gold' }
  const change = { tag, version, attributes, emailVerified: true, uniqueValues: [] }
  t.same(await directory.setAttributes(change), { kind: 'changed' })
  t.equal(await must(), true, 'other attributes')
  await notePending(directory, tag, { ...pending, deleteAt: 1 })
  t.equal(await must(), true, 'to be erased')
  const account = await read(directory, tag)
  t.equal(await directory.upgradePassword(tag, passwordHash, SECOND), true)
  t.equal(await noteRequiredChange(directory, { tag, passwordHash: SECOND }, true), true)
  t.equal(await must(), true, 'the same password under a better hash')
  t.match(await read(directory, tag), { pending: { deleteAt: 1 } })
  t.equal(await noteRequiredChange(directory, account, true), false)
}
