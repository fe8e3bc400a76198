// Deleted accounts that wait: what comes of a login or another server in the same moment, and how all
// accounts are walked through.
import t from 'tap'
import type { Aside, Emit, Event } from '../../src/base/events/events.ts'
import { createDeletions } from '../../src/self-service/removal/deletions.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import type { Pending } from '../../src/stores/ports/directory.ts'
import { createHandClock } from '../support/clock.ts'
import { addSomeone, notePending, someAccount } from '../support/stores.ts'

const ORIGIN = { id: '1', headers: {} }
const MINUTE = 60_000

t.test('of a login and an erasure at once one is first', async t => {
  const clock = createHandClock()
  const store = createSqliteStore({ file: ':memory:', clock })
  t.teardown(() => store.close())
  const { directory } = store
  const events: Event[] = []
  const asides: Array<Aside | undefined> = []
  const emit: Emit = (event, _origin, aside) => {
    events.push(event)
    asides.push(aside)
  }
  const options = { clock, graceMs: 0, emit }
  const tag = await addSomeone(store)
  const read = async () => {
    const account = await directory.byTag(tag)
    if (account === undefined) throw new Error('there is no account')
    return account
  }
  const plain = createDeletions({ ...options, directory })
  await plain.cancel(await read(), ORIGIN)
  t.same(events, [], 'an account that nobody has deleted')
  await notePending(directory, tag, { email: 'next@example.com' })
  t.equal(await plain.begin(await read()), 'changed')
  const seen = await read()
  await plain.cancel(seen, ORIGIN)
  const kept: Pending = { email: 'next@example.com' }
  t.same((await read()).pending, kept, 'what else it waits for stays')
  await plain.cancel(seen, ORIGIN)
  t.equal(events.length, 1, 'once')

  t.equal(await plain.begin(await read()), 'changed')
  const late = createDeletions({
    ...options,
    directory: {
      ...directory,
      async page(page) {
        const found = await directory.page(page)
        // The login comes between the look and the deed.
        for (const account of found) await plain.cancel(account, ORIGIN)
        return found
      },
    },
  })
  await late.sweep()
  t.match(await read(), { disabled: false, pending: kept }, 'the login was first')
  t.equal(await plain.begin(await read()), 'changed')
  const gone = createDeletions({
    ...options,
    directory: { ...directory, remove: async () => false },
  })
  await gone.sweep()
  t.match(await read(), { disabled: true }, 'nobody logs in any more')
  t.notOk(events.some(event => 'change' in event && event.change === 'removed'))
  const next = createDeletions({ ...options, directory })
  await next.sweep()
  t.equal(await directory.byTag(tag), undefined, 'the next server erases it')
  t.match(events.at(-1), { change: 'removed' })
  t.match(asides.at(-1), { before: { tag } }, 'whoever is to be told is known')
})

t.test('a page each time, and a rest after the last one', async t => {
  const clock = createHandClock()
  const store = createSqliteStore({ file: ':memory:', clock })
  t.teardown(() => store.close())
  const { directory } = store
  const pending = { deleteAt: 1 }
  for (let place = 0; place < 450; place++) {
    const name = `u${1000 + place}`
    const isDeleted = place === 0 || place === 449
    await directory.add(
      someAccount(name, { name, foldedName: name, ...(isDeleted && { pending }) }),
    )
  }
  let pages = 0
  const { sweep } = createDeletions({
    directory: {
      ...directory,
      page(page) {
        pages += 1
        return directory.page(page)
      },
    },
    clock,
    graceMs: 0,
    emit: () => {},
  })
  const counts = []
  for (let round = 0; round < 5; round++) {
    await sweep()
    counts.push(await directory.count())
  }
  t.same(counts, [449, 449, 448, 448, 448])
  t.equal(pages, 3, 'then it rests')
  clock.advance(MINUTE)
  await sweep()
  t.equal(pages, 4, 'and begins anew')
})
