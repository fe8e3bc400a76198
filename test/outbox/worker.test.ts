// The worker on both stores: each item once at a time, again after a failure, given up in the end; and what a
// stop does to what is on its way.
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { DeliveryFailed } from '../../src/outbox/delivery.ts'
import { createWorker, delayAfter, type WorkerOptions } from '../../src/outbox/worker.ts'
import type { TakenItem } from '../../src/stores/ports/outbox.ts'
import { STORES } from '../support/stores.ts'
import { until } from '../support/until.ts'

const MINUTE = 60_000

t.test('each delay is twice as long, up to ten minutes, and half of it by chance', t => {
  t.strictSame(
    [1, 2, 3, 9, 10, 11, 60].map(tries => delayAfter(tries, 1)),
    [2_000, 4_000, 8_000, 512_000, 600_000, 600_000, 600_000],
  )
  t.strictSame(
    [1, 2, 11].map(tries => delayAfter(tries, 0)),
    [1_000, 2_000, 300_000],
  )
  t.end()
})

for (const { name, create } of STORES) {
  t.test(name, async t => {
    const { store, clock, stop } = await create()
    t.teardown(stop)
    const { outbox } = store
    let made = 0

    /** Appends so many items for the next test. */
    const append = async (count: number) => {
      const items = Array.from({ length: count }, () => {
        made += 1
        return { id: `item-${made}`, way: 'webhook' as const, content: '' }
      })
      await outbox.append(items, 1000)
    }
    const length = async () => (await outbox.backlog('webhook')).length

    /** A worker with what it said. */
    const workerOf = (t: Test, deliver: WorkerOptions['deliver'], more = {}) => {
      const reports: string[] = []
      const errors: unknown[] = []
      const worker = createWorker({
        way: 'webhook',
        items: outbox,
        deliver,
        timeoutMs: () => 30_000,
        giveUpMs: () => 10 * MINUTE,
        report: (result, item, error) => {
          reports.push(`${result} ${item.tries}`)
          if (error !== undefined) errors.push(error)
        },
        monotonic: clock,
        random: { fraction: () => 1 },
        ...more,
      })
      t.teardown(() => worker.stop(0))
      return { worker, reports, errors }
    }
    const delivered = async () => 'delivered' as const

    await t.test('what is delivered is gone, and so is what nobody can get', async t => {
      await append(2)
      const { worker, reports } = workerOf(t, async ({ id }) =>
        id.endsWith('1') ? 'dropped' : 'delivered',
      )
      await worker.work()
      await until(async () => (await length()) === 0)
      t.strictSame(reports.toSorted(), ['delivered 1', 'dropped 1'])
    })

    await t.test('never more than eight at once, and all in the end', async t => {
      await append(50)
      let [now, most] = [0, 0]
      const { worker, reports } = workerOf(t, async () => {
        now += 1
        most = Math.max(most, now)
        await wait(2)
        now -= 1
        return 'delivered'
      })
      await Promise.all([worker.work(), worker.work()])
      await until(async () => (await length()) === 0)
      t.equal(most, 8)
      t.equal(reports.length, 50)
    })

    await t.test('what is appended during a look goes out with it', async t => {
      await append(1)
      let appended: Promise<void> | undefined
      const { worker, reports } = workerOf(t, delivered, {
        items: {
          ...outbox,
          async take(...args: Parameters<typeof outbox.take>) {
            const taken = await outbox.take(...args)
            // The first answer of the store is on its way when the second item is told of.
            appended ??= append(1).then(() => {
              worker.work().then()
            })
            await appended
            return taken
          },
        },
      })
      await worker.work()
      await until(async () => (await length()) === 0)
      t.strictSame(reports, ['delivered 1', 'delivered 1'])
    })

    await t.test('what fails comes again, and is given up in the end', async t => {
      await append(1)
      const { worker, reports, errors } = workerOf(t, async () => {
        throw new Error('down')
      })
      const doWork = async () => {
        const before = reports.length
        await worker.work()
        await until(() => reports.length > before)
      }
      await doWork()
      clock.advance(1_999)
      await worker.work()
      t.strictSame(reports, ['failed 1'], 'not before its time')
      for (let tries = 0; (await length()) > 0; tries++) {
        if (tries > 20) throw new Error('it is never given up')
        clock.advance(10 * MINUTE)
        await doWork()
      }
      t.match(reports, ['failed 1', /^(failed|abandoned) 2$/])
      t.match(reports.at(-1), /^abandoned/)
      t.match(errors, [{ message: 'down' }])
    })

    await t.test('the last try is when the time is over, not long after', async t => {
      await append(1)
      const { worker, reports } = workerOf(
        t,
        async () => {
          throw new Error('down')
        },
        { giveUpMs: () => 5_000 },
      )
      for (const ms of [0, 2_000, 3_000]) {
        clock.advance(ms)
        const before = reports.length
        await worker.work()
        await until(() => reports.length > before)
      }
      t.strictSame(reports, ['failed 1', 'failed 2', 'abandoned 3'])
    })

    await t.test('what is refused for good is given up at once', async t => {
      await append(1)
      const { worker, reports } = workerOf(t, async () => {
        throw new DeliveryFailed('no such mailbox', { isFinal: true })
      })
      await worker.work()
      await until(async () => (await length()) === 0)
      await until(() => reports.length === 1)
      t.strictSame(reports, ['abandoned 1'])
    })

    await t.test('a stop lets what is on its way arrive', async t => {
      await append(1)
      const { worker, reports } = workerOf(t, async () => {
        await wait(20)
        return 'delivered'
      })
      await worker.work()
      await worker.stop(120_000)
      t.strictSame(reports, ['delivered 1'])
      t.equal(await length(), 0)
      await append(1)
      await worker.work()
      t.equal(await length(), 1, 'and takes nothing more')
      const next = workerOf(t, delivered)
      await next.worker.work()
      await until(async () => (await length()) === 0)
    })

    await t.test('what does not arrive in the grace is handed back at once', async t => {
      await append(1)
      const { worker, reports } = workerOf(t, (_item, signal) => {
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')))
        })
      })
      await worker.work()
      await worker.stop(1)
      t.strictSame(reports, [])
      const next = workerOf(t, delivered)
      await next.worker.work()
      await until(async () => (await length()) === 0)
      t.strictSame(next.reports, ['delivered 2'], 'and nobody waits for the lease')
    })

    await t.test('what a stop finds being taken is handed back, too', async t => {
      await append(1)
      const { worker } = workerOf(t, (_item, signal) => {
        return new Promise((_resolve, reject) => {
          if (signal.aborted) reject(new Error('aborted'))
          signal.addEventListener('abort', () => reject(new Error('aborted')))
        })
      })
      const working = worker.work()
      await worker.stop(1)
      await working
      t.strictSame(
        (await outbox.take('webhook', 1, MINUTE)).map(({ tries }) => tries),
        [2],
      )
      clock.advance(MINUTE)
      const next = workerOf(t, delivered)
      await next.worker.work()
      await until(async () => (await length()) === 0)
    })

    await t.test('a try that takes too long is told so', async t => {
      await append(1)
      const { worker, reports } = workerOf(
        t,
        (_item, signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason))
          }),
        { timeoutMs: () => 20 },
      )
      await worker.work()
      // Its timer keeps nothing alive.
      await until(() => reports.length === 1)
      t.strictSame(reports, ['failed 1'])
      clock.advance(10 * MINUTE)
      const next = workerOf(t, delivered)
      await next.worker.work()
      await until(async () => (await length()) === 0)
    })

    await t.test('a webhook that is down for ten minutes', async t => {
      const ITEMS = 60
      const first = made
      await append(ITEMS)
      const downUntil = clock() + 10 * MINUTE
      const arrived = new Map<string, number>()
      let tried = 0
      const { worker, reports } = workerOf(
        t,
        async ({ id }) => {
          tried += 1
          const isDown = clock() < downUntil
          // Of three that fail one has arrived: its answer was lost.
          if (!isDown || Number(id.split('-')[1]) % 3 === 0) {
            arrived.set(id, (arrived.get(id) ?? 0) + 1)
          }
          if (isDown) throw new DeliveryFailed('status 503')
          return 'delivered'
        },
        { giveUpMs: () => 24 * 60 * MINUTE },
      )
      let waitedMs = 0
      while ((await length()) > 0 && waitedMs < 60 * MINUTE) {
        await worker.work()
        // What is on its way is written down.
        await until(() => reports.length === tried)
        clock.advance(MINUTE / 12)
        waitedMs += MINUTE / 12
      }
      t.equal(await length(), 0, 'nothing waits for ever')
      const ids = Array.from({ length: ITEMS }, (_, place) => `item-${first + place + 1}`)
      t.strictSame([...arrived.keys()].toSorted(), ids.toSorted(), 'nothing is lost')
      t.notOk(
        reports.some(report => report.startsWith('abandoned')),
        'or given up',
      )
      t.equal(reports.filter(report => report.startsWith('delivered')).length, ITEMS)
      t.ok(waitedMs <= 20 * MINUTE, 'ten minutes after it is back all have arrived')
      const twice = [...arrived.values()].filter(times => times > 1).length
      t.equal(twice, ITEMS / 3, 'those whose answer was lost come again, and no others')
      t.comment(`${ITEMS} items, ${twice} more than once, ${waitedMs / MINUTE} minutes`)
    })

    await t.test(
      'a lease that went to another worker is not ended by the first',
      async t => {
        await append(1)
        let other: readonly TakenItem[] = []
        const { worker, reports } = workerOf(t, async () => {
          clock.advance(5 * MINUTE)
          other = await outbox.take('webhook', 1, MINUTE)
          throw new DeliveryFailed('too late', { isFinal: true })
        })
        await worker.work()
        await worker.stop(120_000)
        t.strictSame(reports, [], 'the second one says what becomes of it')
        t.equal(await length(), 1)
        for (const item of other) await outbox.remove(item)
      },
    )

    await t.test('a store that is away is said, and breaks nothing', async t => {
      await append(1)
      const { worker, reports } = workerOf(t, async () => {
        await store.close()
        return 'delivered'
      })
      await worker.work()
      await worker.stop(120_000)
      t.strictSame(reports, ['delivered 1'])
      const next = workerOf(t, delivered)
      await t.rejects(next.worker.work(), { name: 'StoreUnavailable' })
      await next.worker.stop(0)
    })
  })
}
