// The contract of OutboxItems in stores/ports on both stores and on Redis Cluster: an item is there until
// somebody removes it, and with one worker at a time.
import t from 'tap'
import type { NewItem } from '../../src/stores/ports/outbox.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { STORES_AND_CLUSTER } from '../support/stores.ts'

const LEASE_MS = 60_000
const MOST = 100

const item = (id: string, way: NewItem['way'] = 'webhook'): NewItem => ({
  id,
  way,
  content: `content of ${id} with spaces, "quotes" and é\n`,
})

for (const { name, create } of STORES_AND_CLUSTER) {
  t.test(name, async t => {
    const { store, clock, fail, stop } = await create()
    t.teardown(stop)
    const { outbox } = store
    const idsOf = async (way: NewItem['way'] = 'webhook', limit = 10) =>
      (await outbox.take(way, limit, LEASE_MS)).map(({ id }) => id)
    /** Leaves nothing for the next test. */
    const empty = async () => {
      clock.advance(LEASE_MS)
      for (const way of ['webhook', 'mail'] as const) {
        for (const taken of await outbox.take(way, MOST, LEASE_MS)) {
          await outbox.remove(taken)
        }
      }
    }

    await t.test('an item comes as it was appended, with its age', async t => {
      t.equal(await outbox.append([item('a')], MOST), true)
      clock.advance(1500)
      t.strictSame(await outbox.take('webhook', 10, LEASE_MS), [
        { ...item('a'), tries: 1, ageMs: 1500 },
      ])
      await empty()
    })

    await t.test('it is leased to one worker at a time', async t => {
      await outbox.append([item('a')], MOST)
      const [first] = await outbox.take('webhook', 10, LEASE_MS)
      t.strictSame(await idsOf(), [], 'nobody else gets it')
      clock.advance(LEASE_MS - 1)
      t.strictSame(await idsOf(), [], 'nor a moment before the lease ends')
      clock.advance(1)
      const [second] = await outbox.take('webhook', 10, LEASE_MS)
      t.equal(second?.tries, 2, 'then somebody does')
      if (first === undefined || second === undefined) throw new Error('nothing came')
      t.equal(await outbox.remove(first), false, 'a lease that is over removes nothing')
      t.equal(await outbox.postpone(first, 0), false, 'and postpones nothing')
      t.strictSame(await idsOf(), [])
      t.equal(await outbox.remove(second), true)
      t.equal(await outbox.remove(second), false, 'it is gone')
      clock.advance(2 * LEASE_MS)
      t.strictSame(await idsOf(), [])
    })

    await t.test('a postponed item is due after the delay', async t => {
      await outbox.append([item('a')], MOST)
      const [first] = await outbox.take('webhook', 1, LEASE_MS)
      if (first === undefined) throw new Error('nothing came')
      t.equal(await outbox.postpone(first, 5000), true)
      clock.advance(4999)
      t.strictSame(await idsOf(), [])
      clock.advance(1)
      t.match(await outbox.take('webhook', 1, LEASE_MS), [{ tries: 2, ageMs: 5000 }])
      await empty()
    })

    await t.test('those that are due longest come first, up to the limit', async t => {
      for (const id of ['c', 'a', 'b']) {
        await outbox.append([item(id)], MOST)
        clock.advance(1)
      }
      t.strictSame(await idsOf('webhook', 2), ['c', 'a'])
      t.strictSame(await idsOf('webhook', 2), ['b'])
      await empty()
    })

    await t.test('each way has its own', async t => {
      await outbox.append([item('a'), item('b', 'mail')], MOST)
      t.strictSame(await idsOf('mail'), ['b'])
      t.strictSame(await idsOf('webhook'), ['a'])
      await empty()
    })

    await t.test('there are never more of a way than it may have', async t => {
      t.equal(await outbox.append([item('a'), item('b', 'mail')], 2), true)
      t.equal(await outbox.append([item('c'), item('d')], 2), false, 'all or none')
      t.equal(await outbox.append([item('c')], 2), true)
      t.equal(await outbox.append([item('d')], 2), false)
      t.equal(await outbox.append([item('d'), item('a')], 2), false)
      t.equal(
        await outbox.append([item('e', 'mail'), item('d')], 2),
        false,
        'both ways or none',
      )
      t.equal(
        await outbox.append([item('e', 'mail')], 2),
        true,
        'the other way has its own room',
      )
      t.equal(await outbox.append([item('f', 'mail')], 2), false)
      t.equal(await outbox.append([item('a')], 2), true, 'what is there is not added')
      const [taken] = await outbox.take('webhook', 1, LEASE_MS)
      if (taken === undefined) throw new Error('nothing came')
      t.equal(await outbox.append([item('d')], 2), false, 'leased ones count')
      await outbox.remove(taken)
      t.equal(await outbox.append([item('d')], 2), true)
      t.strictSame((await idsOf()).toSorted(), ['c', 'd'])
      await empty()
    })

    await t.test('an append whose answer was lost may be repeated', async t => {
      await outbox.append([item('a')], MOST)
      const [first] = await outbox.take('webhook', 1, LEASE_MS)
      await outbox.append([item('a'), item('b')], MOST)
      t.strictSame(await idsOf(), ['b'], 'what is leased stays leased')
      if (first !== undefined) await outbox.remove(first)
      await empty()
    })

    await t.test('the backlog says how many wait, and for how long', async t => {
      t.strictSame(await outbox.backlog('mail'), { length: 0, oldestMs: 0 })
      await outbox.append([item('a', 'mail')], MOST)
      clock.advance(2000)
      await outbox.append([item('b', 'mail'), item('c')], MOST)
      await outbox.take('mail', 1, LEASE_MS)
      clock.advance(1000)
      t.strictSame(await outbox.backlog('mail'), { length: 2, oldestMs: 3000 })
      await empty()
      t.strictSame(await outbox.backlog('mail'), { length: 0, oldestMs: 0 })
    })

    await t.test('a clock that ran backwards makes nothing younger than new', async t => {
      await outbox.append([item('a', 'mail')], MOST)
      clock.advance(-5000)
      t.match(await outbox.backlog('mail'), { oldestMs: 0 })
      t.strictSame(await idsOf('mail'), [], 'it comes when it is due')
      clock.advance(5000)
      t.match(await outbox.take('mail', 1, LEASE_MS), [{ ageMs: 0 }])
      await empty()
    })

    await t.test('workers at once get each item once', async t => {
      const ids = Array.from({ length: 40 }, (_, index) => `item-${index}`)
      await outbox.append(
        ids.map(id => item(id)),
        MOST,
      )
      const taken = await Promise.all(
        Array.from({ length: 20 }, () => outbox.take('webhook', 3, LEASE_MS)),
      )
      t.strictSame(
        taken
          .flat()
          .map(({ id }) => id)
          .toSorted(),
        ids.toSorted(),
      )
      await empty()
    })

    await t.test('a store that is away rejects with StoreUnavailable', async t => {
      await fail()
      const lease = { id: 'a', way: 'webhook', tries: 1 } as const
      const calls: ReadonlyArray<() => Promise<unknown>> = [
        () => outbox.append([item('a')], MOST),
        () => outbox.take('webhook', 1, LEASE_MS),
        () => outbox.remove(lease),
        () => outbox.postpone(lease, 1),
        () => outbox.backlog('webhook'),
      ]
      for (const call of calls) {
        await t.rejects(async () => {
          await call()
        }, StoreUnavailable)
      }
    })
  })
}
