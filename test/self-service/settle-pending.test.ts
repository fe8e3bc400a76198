// What an account waits for, while others change the account, on both stores: a deletion that is taken back
// is taken back, and nothing else loses it.
import t from 'tap'
import type { Event } from '../../src/base/events/events.ts'
import { createDeletions } from '../../src/self-service/removal/deletions.ts'
import { settlePending } from '../../src/users/settle-pending.ts'
import { serverOn, STORES } from '../conformance/helpers.ts'

const BUSY = { status: 503, code: 'temporarily_unavailable' }
const ORIGIN = { id: '1', headers: {} }

for (const store of STORES) {
  t.test(store, async t => {
    const server = await serverOn(t, store)
    const { accounts, clock } = server
    const { directory } = server.store
    const read = async () => {
      const account = await accounts.find('alice')
      if (account === undefined) throw new Error('there is no account')
      return account
    }
    const events: Event[] = []
    const emit = (event: Event) => {
      events.push(event)
    }
    const parts = { clock, graceMs: 1000, emit }
    const { begin, cancel } = createDeletions({ ...parts, directory })
    const write = (role: string) =>
      accounts.setAccess('alice', { scopes: null, roles: [role] })

    t.equal(await begin(await read()), 'changed')
    const seen = await read()
    await write('one')
    const never = createDeletions({
      ...parts,
      directory: { ...directory, changePending: async () => 'superseded' as const },
    })
    await t.rejects(never.cancel(seen, ORIGIN), BUSY, 'no login meanwhile')
    t.ok((await read()).pending?.deleteAt)
    await cancel(seen, ORIGIN)
    t.equal((await read()).pending, undefined, 'the newest version is taken back')
    t.match(events, [{ change: 'deletion_cancelled' }])
    await cancel(seen, ORIGIN)
    t.equal(events.length, 1, 'once')

    t.equal(await begin(await read()), 'changed')
    const before = await read()
    t.equal(await begin(before), 'changed')
    await cancel(before, ORIGIN)
    t.ok((await read()).pending?.deleteAt, 'of a login before it was deleted again')
    const propose = settlePending(directory, before.tag, ({ pending }) => ({
      ...pending,
      email: 'next@example.com',
    }))
    t.equal(await propose, 'changed')
    t.match((await read()).pending, { deleteAt: Number, email: 'next@example.com' })
    t.match(await accounts.keep('alice'), { kind: 'done' })
    t.same((await read()).pending, { email: 'next@example.com' })

    t.equal(await begin(await read()), 'changed')
    server.clock.advance(2000)
    const locked = createDeletions({
      ...parts,
      directory: {
        ...directory,
        async remove() {
          const late = { kind: 'refused', reason: 'changed_meanwhile' }
          t.same(await accounts.keep('alice'), late, 'it is being erased')
          return false
        },
      },
    })
    await locked.sweep()
    t.match(await read(), { disabled: true })
    await createDeletions({ ...parts, directory }).sweep()
    t.equal(await accounts.find('alice'), undefined, 'the next server erases it')
  })
}
