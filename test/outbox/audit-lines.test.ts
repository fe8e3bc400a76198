// What commands leave for the servers' audit log, on both stores and on Redis Cluster: each line is written
// once, by one of the servers, and none is lost while the store goes away.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { systemRandom } from '../../src/base/random.ts'
import {
  createAuditLines,
  MOST_LINES,
  UnreadableLines,
  type AuditLinesOptions,
} from '../../src/outbox/audit-lines.ts'
import { createEnvelope } from '../../src/outbox/envelope.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { STORES_AND_CLUSTER } from '../support/stores.ts'

const LEASE_MS = 600_000
const DAY = 86_400_000

const envelopeOf = (secrets = [randomBytes(32).toString('base64url')]) =>
  createEnvelope<string>(secrets, () => true, 'audit-lines')

/** Its outbox, from which nothing can be taken away until it comes back. */
function awayFor({ outbox }: Store) {
  let isAway = true
  const remove: typeof outbox.remove = async lease => {
    if (isAway) throw new StoreUnavailable(undefined, 'away')
    return outbox.remove(lease)
  }
  return {
    items: { ...outbox, remove },
    comeBack() {
      isAway = false
    },
  }
}

for (const { name, create } of STORES_AND_CLUSTER) {
  t.test(name, async t => {
    const { store, clock, fail, stop } = await create()
    t.teardown(stop)
    const envelope = envelopeOf()
    const made = (more: Partial<AuditLinesOptions> = {}) =>
      createAuditLines({ items: store.outbox, envelope, random: systemRandom, ...more })
    /** Somebody who takes over, and what they have written. */
    const server = (more: Partial<AuditLinesOptions> = {}) => {
      const written: string[] = []
      const lines = made(more)
      return { written, takeOver: () => lines.takeOver(line => written.push(line)) }
    }
    const leave = made().leave

    await t.test('each line is written by one of several servers, in order', async t => {
      const lines = Array.from({ length: 250 }, (_, at) => `line ${at}\n`)
      t.equal(await leave(lines), 250)
      const servers = [server(), server(), server()]
      await Promise.all(servers.map(({ takeOver }) => takeOver()))
      await servers[0]?.takeOver()
      const all = servers.flatMap(({ written }) => written)
      t.strictSame(all.toSorted(), lines.toSorted())
      for (const { written } of servers) {
        const places = written.map(line => Number(line.slice('line '.length)))
        t.strictSame(
          places,
          places.toSorted((a, b) => a - b),
        )
      }
    })

    await t.test('a store that goes away has no line written twice', async t => {
      await leave(['a'])
      const { items, comeBack } = awayFor(store)
      const { written, takeOver } = server({ items })
      await t.rejects(takeOver(), StoreUnavailable)
      clock.advance(LEASE_MS)
      await t.rejects(takeOver(), StoreUnavailable)
      comeBack()
      clock.advance(LEASE_MS)
      await takeOver()
      t.strictSame(written, ['a'])
      t.equal((await store.outbox.backlog('audit')).length, 0)
    })

    await t.test('a line that stays there holds up none of the others', async t => {
      const lines = Array.from({ length: 150 }, (_, at) => `line ${at}\n`)
      await leave(lines)
      let tries = 0
      const remove: Store['outbox']['remove'] = async lease => {
        tries += 1
        if (tries === 1) throw new StoreUnavailable(undefined, 'away')
        return store.outbox.remove(lease)
      }
      const { written, takeOver } = server({ items: { ...store.outbox, remove } })
      await t.rejects(takeOver(), StoreUnavailable)
      t.strictSame(written, lines.slice(0, 100), 'what is leased is written')
      await takeOver()
      t.strictSame(written, lines, 'the rest as soon as the store is back')
      t.equal((await store.outbox.backlog('audit')).length, 0)
    })

    await t.test('once it is back, other servers find nothing of it', async t => {
      await leave(['a'])
      const { items, comeBack } = awayFor(store)
      const { written, takeOver } = server({ items })
      await t.rejects(takeOver(), StoreUnavailable)
      comeBack()
      await takeOver()
      clock.advance(LEASE_MS)
      const other = server()
      await other.takeOver()
      t.strictSame([...written, ...other.written], ['a'])
    })

    await t.test('a line that a server can not open waits for one that can', async t => {
      await leave(['a'])
      const stranger = server({ envelope: envelopeOf() })
      await t.rejects(stranger.takeOver(), UnreadableLines)
      t.strictSame(stranger.written, [])
      clock.advance(LEASE_MS)
      const { written, takeOver } = server()
      await takeOver()
      t.strictSame(written, ['a'])
    })

    await t.test('what nobody can open is given up after a week', async t => {
      await leave(['a'])
      const { takeOver } = server({ envelope: envelopeOf() })
      clock.advance(7 * DAY)
      await t.rejects(takeOver(), UnreadableLines)
      t.equal((await store.outbox.backlog('audit')).length, 1)
      clock.advance(LEASE_MS)
      await t.rejects(takeOver(), UnreadableLines)
      t.equal((await store.outbox.backlog('audit')).length, 0)
    })

    await t.test('nobody puts a message in the place of a line', async t => {
      const secret = randomBytes(32).toString('base64url')
      const content = createEnvelope([secret], () => true).seal('line_1', {
        type: 'ticket.recovery',
        whom: { name: 'alice' },
        at: 1,
      })
      await store.outbox.append([{ id: 'line_1', way: 'audit', content }], 10)
      const { written, takeOver } = server({ envelope: envelopeOf([secret]) })
      await t.rejects(takeOver(), UnreadableLines)
      t.strictSame(written, [])
      clock.advance(8 * DAY)
      await t.rejects(takeOver(), UnreadableLines)
    })

    await t.test('so many wait, and no more', async t => {
      const most = Array.from({ length: MOST_LINES - 50 }, (_, at) => String(at))
      t.equal(await leave(most), most.length)
      const more = Array.from({ length: 60 }, (_, at) => `more ${at}`)
      t.equal(await leave(more), 0, 'a hundred are left together, or none')
      t.equal(await leave(more.slice(0, 50)), 50)
      t.equal(await leave(['one']), 0)
      const { written, takeOver } = server()
      await takeOver()
      t.equal(written.length, MOST_LINES)
    })

    await t.test('without the store', async t => {
      await fail()
      await t.rejects(leave(['a']), StoreUnavailable)
      await t.rejects(server().takeOver(), StoreUnavailable)
    })
  })
}
