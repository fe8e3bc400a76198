// Accounts move from the store to PostgreSQL while servers run on both: until the move has ended all are
// where they were, from then on where they are to be, for every server at the same instant.
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import type { MoveAccounts } from '../../src/stores/ports/people/move.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { openConnections } from '../../src/stores/postgres/database/connections.ts'
import { migrate } from '../../src/stores/postgres/database/migrations.ts'
import { createGate, MOVING } from '../../src/stores/postgres/moving/gate.ts'
import { createMove } from '../../src/stores/postgres/moving/move.ts'
import { createSettlement } from '../../src/stores/postgres/people/settle.ts'
import { withPostgres } from '../../src/stores/postgres/store.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { startPglite, type TestPostgres } from '../support/pglite.ts'
import { everyOne, presented, signIn, someAccount } from '../support/stores.ts'

const NEW = '$argon2id$second'
/** Somebody who looks at no bar. */
const QUIET = { show() {}, moved() {} }

interface World {
  readonly database: TestPostgres
  readonly sessions: Store
  readonly open: () => ReturnType<typeof withPostgres>
}

/** A store with accounts, and a database without. */
async function worldOf(t: Test, people: number): Promise<World> {
  const database = await startPglite()
  const sessions = createSqliteStore({ file: ':memory:', clock: systemClock })
  const accounts = Array.from({ length: people }, (_, at) => personOf(at))
  await sessions.directory.addAll(accounts)
  const opened: Array<{ readonly store: Store }> = []
  t.teardown(async () => {
    for (const { store } of opened) await store.close()
    await database.stop()
  })
  return {
    database,
    sessions,
    async open() {
      const one = await withPostgres(sessions, database.server)
      opened.push(one)
      return one
    },
  }
}

function personOf(at: number) {
  return someAccount(`p-${at}`, {
    roles: ['reader'],
    attributes: { email: `p-${at}@example.com`, note: 'a\0b' },
    uniqueValues: [
      { attribute: 'email', value: `p-${at}@example.com` },
      { attribute: 'badge', value: `\0${at}` },
    ],
    ...(at % 2 === 0 && { external: { directory: 'app', id: String(at) } }),
    ...(at % 3 === 0 && { pending: { email: 'next@example.com' } }),
  })
}

t.test('all are moved, as they were, and their sessions go on', async t => {
  const { open, sessions, database } = await worldOf(t, 450)
  const { store, move } = await open()
  const { directory } = store
  const before = await everyOne(sessions.directory.all())
  t.same(await everyOne(directory.all()), before, 'before it, all are in the store')
  t.equal(await directory.count(), 450)
  t.same(await move.state(), { isMoved: false, accounts: 450 })
  const { tag, foldedName } = personOf(7)
  t.match(await store.subjects.byTag(tag), { sub: 'p-7' })
  const session = await signIn(store, tag)
  const parts: number[] = []
  t.equal(await move.run({ ...QUIET, show: part => parts.push(part) }), 450)
  t.same(
    parts,
    parts.toSorted((one, other) => one - other),
  )
  t.equal(parts.at(-1), 1)
  t.same(await move.state(), { isMoved: true })
  t.equal(await directory.count(), 450)
  t.same(await everyOne(directory.all()), before)
  t.match(await directory.byValue({ attribute: 'badge', value: '\x007' }), { tag })
  t.equal((await directory.uniqueValuesOf(tag)).length, 2)
  t.match(await store.families.rotate(presented(session, 1)), { kind: 'rotated' })
  t.equal(await sessions.directory.byName(foldedName), undefined, 'no name is left')
  t.match(await sessions.directory.byTag(tag), { passwordHash: '!' }, 'nor a hash')
  t.same(await sessions.directory.uniqueValuesOf(tag), [])
  t.equal(await move.run(QUIET), undefined, 'again is as good as once')
  t.same(await database.run('SELECT FROM latchkey.touched'), [])
  t.equal(await directory.add(someAccount('late')), 'added')
  t.equal(await sessions.directory.byName('name of late'), undefined)
  await t.resolves(open(), 'a store of subjects is no store with accounts')
})

for (const when of ['before', 'meanwhile'] as const) {
  t.test(`what is written ${when} is not lost`, t => writtenTest(t, when))
}

async function writtenTest(t: Test, when: 'before' | 'meanwhile'): Promise<void> {
  const { open } = await worldOf(t, 20)
  const [one, two] = [await open(), await open()]
  const [a, b, c, d] = [0, 1, 2, 3].map(personOf)
  if (!a || !b || !c || !d) throw new Error('nobody')
  const { directory, subjects, tickets } = two.store
  let steps = 0
  const meanwhile = async () => {
    t.equal(await directory.setPassword(a.tag, NEW), true)
    t.equal(await directory.remove(b.tag), true)
    const swap = { name: 'Swapped', foldedName: c.foldedName }
    t.equal(await directory.rename({ tag: c.tag, name: 'C', foldedName: 'c' }), 'renamed')
    t.equal(await directory.rename({ tag: d.tag, ...swap }), 'renamed')
    t.equal(await directory.add(someAccount('new')), 'added')
    t.equal(
      (await directory.addAll([someAccount('new-1'), someAccount('new-2')])).size,
      2,
    )
    t.equal(await subjects.setAccess(d.tag, { scopes: ['x'], roles: ['y'] }), true)
    t.equal(await subjects.setDisabled(c.tag, true), true)
    t.equal(await directory.upgradePassword(d.tag, '$argon2id$first', NEW), true)
    t.equal(await directory.adopt(a.tag), true)
    const ref = { tag: a.tag, purpose: 'recovery' as const, hash: 'no', codes: [] }
    const ticket = { ...ref, address: 'x' }
    t.match(
      await tickets.setPassword({
        ticket,
        passwordHash: NEW,
        provesAddress: false,
        version: 0,
      }),
      { kind: /ticket_refused|superseded/ },
    )
    const { attributes, emailVerified, uniqueValues } = a
    const change = { tag: a.tag, version: 0, attributes, emailVerified, uniqueValues }
    t.match(await tickets.setAttributes({ ...change, ticket }), {
      kind: /ticket_refused|superseded/,
    })
    t.match(await directory.setAttributes(change), { kind: 'superseded' })
  }
  if (when === 'before') await meanwhile()
  const running = one.move.run({ ...QUIET, show: () => (steps += 1) })
  if (when === 'meanwhile') await meanwhile()
  await running
  t.ok(steps > 0)
  for (const { store } of [one, two]) {
    const people = store.directory
    t.match(await people.byTag(a.tag), { passwordHash: NEW, external: undefined })
    t.equal(await people.byTag(b.tag), undefined)
    t.match(await people.byName('c'), { tag: c.tag, disabled: true })
    t.match(await people.byName(c.foldedName), { tag: d.tag, roles: ['y'] })
    t.match(await people.byName('name of new'), { sub: 'new' })
    t.equal(await people.count(), 22)
    t.match(await store.subjects.byTag(d.tag), { roles: ['y'], name: 'Swapped' })
    t.match(await people.search({ prefix: 'c', limit: 5 }), [{ text: 'c' }])
    await people.settle()
  }
}

t.test('what was copied between its note and its write is copied again', async t => {
  const { database, sessions } = await worldOf(t, 1)
  const { tag } = personOf(0)
  const connections = await openConnections(database.server)
  await migrate(connections)
  let consumed = 0
  const { writing } = createGate({
    ...connections,
    async ask(statement) {
      const rows = await connections.ask(statement)
      // A move comes in between, once.
      if (consumed === 0) await connections.ask({ text: 'DELETE FROM latchkey.touched' })
      consumed += 1
      return rows
    },
  })
  const here = async () => false
  const there = () => sessions.directory.setPassword(tag, NEW)
  t.equal(await writing([tag, tag], { there, here }), true)
  t.match(await database.run('SELECT tag FROM latchkey.touched'), [{ tag }])
  t.equal(consumed, 2)
  await connections.close()
})

const NEVER = { at: 0, deed: async () => {} }

/** A move that does something before one of its steps that nobody writes beside: 1 is its first. */
async function moveWith(
  t: Test,
  { database, sessions }: World,
  { at, deed }: { readonly at: number; readonly deed: () => Promise<unknown> },
): Promise<MoveAccounts> {
  const connections = await openConnections(database.server)
  t.teardown(() => connections.close())
  let steps = 0
  return createMove({
    connections: {
      ...connections,
      // With ten million accounts that would take longer than a statement may.
      ask(statement) {
        t.notMatch(statement.text, /count\(/)
        return connections.ask(statement)
      },
      async within(texts, work) {
        if (texts.includes(MOVING)) steps += 1
        if (texts.includes(MOVING) && steps === at) await deed()
        return connections.within(texts, work)
      },
    },
    sessions,
    gate: createGate(connections),
    settlement: createSettlement(connections, sessions),
  })
}

t.test('of two moves one moves, and the other one changes nothing', async t => {
  for (const at of [1, 2]) {
    const world = await worldOf(t, 3)
    const { store, move } = await world.open()
    const { tag, foldedName } = personOf(1)
    const late = await moveWith(t, world, {
      at,
      async deed() {
        t.equal(await move.run(QUIET), 3)
        t.equal(await store.directory.setPassword(tag, NEW), true)
        // It noted the change before it heard of the switch, and made it after that.
        const noted = await world.database.run('SELECT tag FROM latchkey.touched')
        t.same(noted, [{ tag }])
      },
    })
    t.equal(await late.run(QUIET), undefined)
    t.match(await store.directory.byName(foldedName), { passwordHash: NEW })
    t.equal(await store.directory.count(), 3)
  }
})

t.test('a move ends where another one has begun since', async t => {
  const world = await worldOf(t, 3)
  const { store, move } = await world.open()
  const stop = new Error('stopped')
  const stopped = {
    ...QUIET,
    show: () => {
      throw stop
    },
  }
  const late = await moveWith(t, world, {
    at: 2,
    deed: () => t.rejects(move.run(stopped), stop),
  })
  await t.rejects(late.run(QUIET), /another `latchkey users move` has begun/)
  t.match(await move.state(), { isMoved: false, accounts: 3 })
  t.equal(await move.run(QUIET), 3)
  t.equal(await store.directory.count(), 3)
})

t.test('who has gone between two tries to move stays gone', async t => {
  const { open, sessions } = await worldOf(t, 3)
  const { store, move } = await open()
  const stop = new Error('stopped')
  await t.rejects(
    move.run({
      ...QUIET,
      show: () => {
        throw stop
      },
    }),
    stop,
  )
  const { tag, foldedName } = personOf(1)
  // By a server that has no store.accounts yet.
  t.equal(await sessions.directory.remove(tag), true)
  t.equal(await move.run(QUIET), 2)
  t.equal(await store.directory.byName(foldedName), undefined)
  t.equal(await sessions.directory.byTag(tag), undefined)
})

t.test('a page in which two have one name is read again', async t => {
  const world = await worldOf(t, 2)
  const { page } = world.sessions.directory
  let reads = 0
  const swapping = (most: number): Store => ({
    ...world.sessions,
    directory: {
      ...world.sessions.directory,
      async page(options) {
        reads += 1
        const found = await page(options)
        const [first] = found
        return reads > most
          ? found
          : found.map(one => ({ ...one, foldedName: first?.foldedName ?? '' }))
      },
    },
  })
  const never = await moveWith(t, { ...world, sessions: swapping(Infinity) }, NEVER)
  await world.open()
  await t.rejects(never.run(QUIET), /23505/)
  t.equal(reads, 3)
  reads = 0
  const once = await moveWith(t, { ...world, sessions: swapping(1) }, NEVER)
  t.equal(await once.run(QUIET), 2)
})

t.test('many that were written meanwhile', async t => {
  const { open, sessions } = await worldOf(t, 3)
  const { store, move } = await open()
  const many = Array.from({ length: 450 }, (_, at) => someAccount(`many-${at}`))
  await store.directory.addAll(many)
  await store.directory.settle()
  t.equal(await move.run(QUIET), 453)
  t.equal(await store.directory.count(), 453)
  t.equal(await sessions.directory.count(), 453)
})

t.test('a move that is interrupted is gone on with', async t => {
  const { open, database } = await worldOf(t, 450)
  const { store, move } = await open()
  const stop = new Error('stopped')
  await t.rejects(
    move.run({
      ...QUIET,
      show() {
        throw stop
      },
    }),
    stop,
  )
  t.match(await move.state(), { isMoved: false })
  t.match(await store.directory.byTag(personOf(3).tag), { sub: 'p-3' })
  await store.directory.remove(personOf(3).tag)
  let told = 0
  const switches: number[] = []
  await t.rejects(
    move.run({
      show(part) {
        if (part > 0.5) throw stop
        told += 1
      },
      moved: accounts => switches.push(accounts),
    }),
    stop,
  )
  t.ok(told > 0)
  t.same(switches, [449], 'the switch is told of when it is made')
  t.same(await move.state(), { isMoved: true })
  await t.resolves(open(), 'servers start meanwhile')
  t.equal(await move.run(QUIET), undefined)
  t.equal(await store.directory.count(), 449)
  t.same(await database.run('SELECT FROM latchkey.accounts WHERE unsettled'), [])
})

t.test('a store with accounts that nobody moved there is refused', async t => {
  const { open, database } = await worldOf(t, 1)
  const { move } = await open()
  await move.run(QUIET)
  const known = createSqliteStore({ file: ':memory:', clock: systemClock })
  await known.directory.add(personOf(0))
  const { store } = await withPostgres(known, database.server)
  t.match(await store.directory.byTag(personOf(0).tag), { sub: 'p-0' }, 'one that is')
  await store.close()
  const other = createSqliteStore({ file: ':memory:', clock: systemClock })
  await other.directory.add(someAccount('own'))
  await t.rejects(withPostgres(other, database.server), {
    name: 'StoreUnavailable',
    message: /store\.url has accounts/,
  })
  await other.close()
})
