// The contract of one-time tickets, and of what ends all sessions but one, on both stores and on a cluster.
import { hash } from 'node:crypto'
import t, { type Test } from 'tap'
import type { NewTicket, PresentedTicket } from '../../src/stores/ports/people/tickets.ts'
import { andPostgres } from '../support/postgres-stores.ts'
import {
  notePending,
  addSomeone,
  presented,
  signIn,
  STORES_AND_CLUSTER,
  type TestStore,
} from '../support/stores.ts'

const MINUTE = 60_000
const TTL = 30 * MINUTE
const ADDRESS = 'hash of an address'

for (const { name, create } of andPostgres(STORES_AND_CLUSTER)) {
  t.test(`tickets in ${name}`, async t => {
    const world = await create()
    t.teardown(() => world.stop())
    await t.test('taken once', t => takenOnceTest(t, world))
    await t.test('two redemptions at once', t => raceTest(t, world))
    await t.test('which are no good', t => refusedTest(t, world))
    await t.test('made void', t => voidTest(t, world))
    await t.test('codes', t => codesTest(t, world))
    await t.test('verifies attributes', t => attributesTest(t, world))
    await t.test('what is pending', t => pendingTest(t, world))
    await t.test('an account that its user deletes', t => deletionTest(t, world))
    await t.test('all sessions but one', t => keepsTest(t, world))
    await t.test('many expired ones', t => sweepTest(t, world))
  })
}

let made = 0

function someTicket(tag: string, changes: Partial<NewTicket> = {}): NewTicket {
  made += 1
  return {
    tag,
    purpose: 'recovery',
    hash: hash('sha256', `ticket ${made}`, 'base64url'),
    sessionsEpoch: 1,
    address: ADDRESS,
    forMs: TTL,
    codeTries: 5,
    ...changes,
  }
}

function shown({ tag, purpose, hash, address }: NewTicket): PresentedTicket {
  return { tag, purpose, hash, codes: [], address }
}

function byCode({ tag, purpose, address }: NewTicket, ...codes: string[]) {
  return { tag, purpose, hash: '', codes, address }
}

function newPassword(ticket: PresentedTicket, version = 0) {
  return { ticket, passwordHash: '$argon2id$second', provesAddress: false, version }
}

async function takenOnceTest(t: Test, { store, clock }: TestStore): Promise<void> {
  const { tickets, directory, families } = store
  const tag = await addSomeone(store)
  const ref = await signIn(store, tag)
  const ticket = someTicket(tag)
  t.equal(await tickets.make(ticket), clock() + TTL, 'says when it expires')
  t.equal(await tickets.look(shown(ticket)), undefined)
  t.equal(await tickets.look(shown(ticket)), undefined, 'a look takes nothing')
  t.same(await tickets.setPassword(newPassword(shown(ticket), 7)), { kind: 'superseded' })
  t.same(await tickets.setPassword(newPassword(shown(ticket))), { kind: 'changed' })
  t.match(await directory.byTag(tag), {
    passwordHash: '$argon2id$second',
    sessionsEpoch: 2,
    version: 1,
    emailVerified: false,
  })
  t.match(await families.rotate(presented(ref, 1)), { reason: 'sessions_ended' })
  t.same(await tickets.setPassword(newPassword(shown(ticket), 1)), {
    kind: 'ticket_refused',
    reason: 'ticket_unknown',
  })
  t.match(await directory.byTag(tag), { version: 1 })
}

async function raceTest(t: Test, { store }: TestStore): Promise<void> {
  for (let round = 0; round < 10; round++) {
    const tag = await addSomeone(store)
    const ticket = someTicket(tag)
    await store.tickets.make(ticket)
    const outcomes = await Promise.all(
      Array.from({ length: 5 }, () =>
        store.tickets.setPassword(newPassword(shown(ticket))),
      ),
    )
    t.equal(outcomes.filter(({ kind }) => kind === 'changed').length, 1, 'one wins')
    t.match(await store.directory.byTag(tag), { version: 1, sessionsEpoch: 2 })
  }
}

async function refusedTest(t: Test, world: TestStore): Promise<void> {
  const { tickets } = world.store
  const [tag, other] = [await addSomeone(world.store), await addSomeone(world.store)]
  const ticket = someTicket(tag)
  await tickets.make(ticket)
  for (const wrong of [
    { ...shown(ticket), hash: hash('sha256', 'another', 'base64url') },
    { ...shown(ticket), purpose: 'verification' as const },
    { ...shown(ticket), tag: other },
    { ...shown(ticket), tag: 'nobody' },
  ]) {
    t.equal(await tickets.look(wrong), 'ticket_unknown')
    t.match(await tickets.setPassword(newPassword(wrong)), { kind: /refused|unknown/ })
  }
  const elsewhere = { ...shown(ticket), address: 'hash of another' }
  t.equal(await tickets.look(elsewhere), 'ticket_outdated', 'for another address')
  t.equal(await tickets.look(shown(ticket)), undefined, 'and it is still good')
  world.clock.advance(TTL)
  t.match(await tickets.look(shown(ticket)), /ticket_(expired|unknown)/)
  t.match(await tickets.setPassword(newPassword(shown(ticket))), {
    kind: 'ticket_refused',
  })
  t.equal(await tickets.make(someTicket('nobody')), undefined)
  t.equal(await tickets.make(someTicket(tag, { sessionsEpoch: 2 })), undefined)
}

async function voidTest(t: Test, { store }: TestStore): Promise<void> {
  const { tickets, directory, subjects } = store
  const voiding: Array<(tag: string) => Promise<unknown>> = [
    tag => directory.setPassword(tag, '$argon2id$other'),
    tag => subjects.endSessions(tag),
    tag => subjects.setDisabled(tag, true),
    tag => subjects.endOtherSessions(tag, 'kept'),
    tag =>
      directory.changePassword({ tag, passwordHash: 'x', version: 0, keeps: 'kept' }),
  ]
  for (const act of voiding) {
    const tag = await addSomeone(store)
    const all = [someTicket(tag), someTicket(tag, { purpose: 'verification' })]
    for (const ticket of all) await tickets.make(ticket)
    await act(tag)
    for (const ticket of all) {
      t.equal(await tickets.look(shown(ticket)), 'ticket_outdated')
    }
  }
  const tag = await addSomeone(store)
  const [older, newer] = [someTicket(tag), someTicket(tag)]
  const elsewhere = someTicket(tag, { purpose: 'invitation' })
  for (const ticket of [older, elsewhere, newer]) await tickets.make(ticket)
  t.equal(await tickets.look(shown(older)), 'ticket_unknown', 'asked for once more')
  t.equal(await tickets.look(shown(newer)), undefined)
  t.equal(await tickets.look(shown(elsewhere)), undefined, 'of another purpose')
  await tickets.setPassword(newPassword(shown(newer)))
  t.equal(await tickets.look(shown(elsewhere)), 'ticket_outdated', 'goes with that')
  const again = someTicket(tag, { sessionsEpoch: 2 })
  await tickets.make(again)
  await directory.remove(tag)
  t.equal(await tickets.look(shown(again)), 'ticket_unknown', 'goes with the account')
}

async function codesTest(t: Test, { store }: TestStore): Promise<void> {
  const { tickets } = store
  const tag = await addSomeone(store)
  const ticket = someTicket(tag, { code: 'right' })
  await tickets.make(ticket)
  t.equal(await tickets.look(byCode(ticket, 'old', 'right')), undefined)
  for (let tries = 0; tries < 4; tries++) {
    t.equal(await tickets.look(byCode(ticket, 'wrong')), 'ticket_code_wrong')
  }
  t.equal(await tickets.look(byCode(ticket, 'right')), undefined, 'after four')
  t.equal(await tickets.look(byCode(ticket, 'wrong')), 'ticket_code_wrong')
  t.equal(await tickets.look(byCode(ticket, 'right')), 'ticket_code_wrong', 'after five')
  t.equal(await tickets.look(shown(ticket)), undefined, 'the ticket itself lives on')
  const next = someTicket(tag, { code: 'next' })
  await tickets.make(next)
  t.same(await tickets.setPassword(newPassword(byCode(next, 'next'))), {
    kind: 'changed',
  })
  const without = someTicket(tag, { sessionsEpoch: 2 })
  await tickets.make(without)
  t.equal(await tickets.look(byCode(without, '')), 'ticket_code_wrong', 'there is none')
}

async function attributesTest(t: Test, { store }: TestStore): Promise<void> {
  const { tickets, directory } = store
  const valueOf = (value: string) => ({ attribute: 'email', value })
  const tag = await addSomeone(store, {
    attributes: { email: 'old@example.com' },
    uniqueValues: [valueOf('old@example.com')],
    pending: { email: 'new@example.com' },
  })
  const ticket = someTicket(tag, { purpose: 'verification' })
  await tickets.make(ticket)
  const change = {
    tag,
    version: 0,
    attributes: { email: 'new@example.com' },
    emailVerified: true,
    uniqueValues: [valueOf('new@example.com')],
    pending: null,
    ticket: shown(ticket),
  }
  t.match(await tickets.setAttributes({ ...change, version: 3 }), { kind: 'superseded' })
  t.match(
    await tickets.setAttributes({ ...change, ticket: { ...shown(ticket), hash: 'no' } }),
    { kind: 'ticket_refused', reason: 'ticket_unknown' },
  )
  t.match(await directory.byValue(valueOf('old@example.com')), { tag })
  t.equal(await directory.byValue(valueOf('new@example.com')), undefined)
  t.match(await tickets.setAttributes(change), { kind: 'changed' })
  const after = await directory.byValue(valueOf('new@example.com'))
  t.match(after, { tag, emailVerified: true, sessionsEpoch: 1, version: 1 })
  t.equal(after?.pending, undefined)
  t.equal(await directory.byValue(valueOf('old@example.com')), undefined)
  t.match(await tickets.setAttributes({ ...change, version: 1 }), {
    kind: 'ticket_refused',
  })
  const rival = await addSomeone(store, {
    uniqueValues: [valueOf('theirs@example.com')],
  })
  const next = someTicket(tag, { purpose: 'verification' })
  await tickets.make(next)
  const theirs = {
    ...change,
    version: 1,
    uniqueValues: [valueOf('theirs@example.com')],
    ticket: shown(next),
  }
  t.match(await tickets.setAttributes(theirs), { kind: 'value_taken' })
  t.equal(await tickets.look(shown(next)), undefined, 'and the ticket is not spent')
  await directory.remove(rival)
  t.match(await tickets.setAttributes(theirs), { kind: 'changed' })
}

async function pendingTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory, tickets } = store
  const tag = await addSomeone(store, { pending: { signUp: true } })
  t.same((await directory.byTag(tag))?.pending, { signUp: true })
  t.equal(
    await notePending(directory, tag, { signUp: true, email: 'a@example.com' }),
    'changed',
  )
  t.same((await directory.byTag(tag))?.pending, { signUp: true, email: 'a@example.com' })
  const ticket = someTicket(tag)
  await tickets.make(ticket)
  const proof = { ...newPassword(shown(ticket), 1), provesAddress: true }
  t.same(await tickets.setPassword(proof), { kind: 'changed' })
  const after = await directory.byTag(tag)
  t.match(after, { emailVerified: true })
  t.equal(after?.pending, undefined)
  t.equal(await notePending(directory, tag, null), 'changed')
  t.equal(await notePending(directory, 'nobody', null), 'user_unknown')
}

async function deletionTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory, families } = store
  const tag = await addSomeone(store)
  const own = await signIn(store, tag)
  const change = { tag, pending: { deleteAt: 1234 }, endsSessions: true }
  t.equal(await directory.changePending({ ...change, version: 7 }), 'superseded')
  t.equal(
    await directory.changePending({ ...change, tag: 'nobody', version: 0 }),
    'user_unknown',
  )
  t.match(await families.rotate(presented(own, 1)), { kind: 'rotated' }, 'as it was')
  t.equal(await directory.changePending({ ...change, version: 0 }), 'changed')
  t.match(await families.rotate(presented(own, 2)), { reason: 'sessions_ended' })
  t.match(await directory.byTag(tag), { pending: { deleteAt: 1234 }, disabled: false })
  const back = { tag, pending: null, endsSessions: false }
  const dead = { ...back, disabled: true as const }
  const outcomes = await Promise.all([
    directory.changePending({ ...back, version: 1 }),
    directory.changePending({ ...dead, version: 1 }),
  ])
  t.same(outcomes.toSorted(), ['changed', 'superseded'], 'of two at once one is first')
  t.equal(await directory.changePending({ ...dead, version: 2 }), 'changed')
  const after = await directory.byTag(tag)
  t.match(after, { disabled: true, version: 3 })
  t.equal(after?.pending, undefined)
}

async function keepsTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory, families, subjects } = store
  const tag = await addSomeone(store)
  const [own, other] = [await signIn(store, tag), await signIn(store, tag)]
  const change = { tag, passwordHash: '$argon2id$new', version: 0, keeps: own.sid }
  t.equal(await directory.changePassword({ ...change, version: 4 }), 'superseded')
  t.equal(await directory.changePassword(change), 'changed')
  t.match(await directory.byTag(tag), { passwordHash: '$argon2id$new', version: 1 })
  t.match(await families.rotate(presented(own, 1)), { kind: 'rotated' })
  t.match(await families.rotate(presented(other, 1)), { reason: 'sessions_ended' })
  t.same(
    (await families.list(tag)).map(({ sid }) => sid),
    [own.sid],
  )
  t.equal(await directory.changePassword({ ...change, tag: 'nobody' }), 'user_unknown')

  t.equal(await subjects.endOtherSessions(tag, other.sid), true)
  t.match(
    await families.rotate(presented(other, 1)),
    { reason: 'sessions_ended' },
    'a dead session does not come back',
  )
  t.match(await families.rotate(presented(own, 2)), { reason: 'sessions_ended' })
  t.equal(await subjects.endOtherSessions('nobody', own.sid), false)
}

async function sweepTest(t: Test, { store, clock }: TestStore): Promise<void> {
  const tags = await Promise.all(Array.from({ length: 25 }, () => addSomeone(store)))
  for (const tag of tags) await store.tickets.make(someTicket(tag, { forMs: MINUTE }))
  clock.advance(2 * MINUTE)
  const last = someTicket(String(tags[0]), { purpose: 'verification' })
  await store.tickets.make(last)
  t.equal(await store.tickets.look(shown(last)), undefined)
}
