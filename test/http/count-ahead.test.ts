// Which requests needn't wait for Redis to tell how many there were.
import t from 'tap'
import { createCountAhead } from '../../src/http/count-ahead.ts'
import type { AddressCount } from '../../src/stores/ports-addresses.ts'
import { StoreUnavailable } from '../../src/stores/ports.ts'

const WINDOW_MS = 60_000
const ADDRESS = '192.0.2.1'

/** A store whose answers come when the test says so, and the counter over it. */
function setScene () {
  const asked: Array<PromiseWithResolvers<AddressCount>> = []
  let now = 1000
  const count = createCountAhead({
    hit () {
      const answer = Promise.withResolvers<AddressCount>()
      asked.push(answer)
      return answer.promise
    },
  }, () => now)
  return {
    asked,
    /** Counts a request; undefined: it waits for the store. */
    async request (max: number): Promise<AddressCount | undefined> {
      const counted = count(ADDRESS, WINDOW_MS, max)
      counted.catch(() => {})
      return Promise.race([counted, new Promise<undefined>(resolve => { setImmediate(() => resolve(undefined)) })])
    },
    count: (max: number) => count(ADDRESS, WINDOW_MS, max),
    pass (ms: number) { now += ms },
    async answer (place: number, counted: number, endsInMs = WINDOW_MS) {
      asked[place]?.resolve({ count: counted, endsInMs })
      await asked[place]?.promise
    },
  }
}

t.test('a sixteenth of the limit passes before the store has answered, and no more', async t => {
  const { request, asked } = setScene()
  t.same(await request(32), { count: 1, endsInMs: WINDOW_MS })
  t.same(await request(32), { count: 2, endsInMs: WINDOW_MS })
  t.equal(await request(32), undefined)
  t.equal(asked.length, 3, 'each was counted')
})

t.test('a small limit is exact: every request waits', async t => {
  const { request, count, answer } = setScene()
  t.equal(await request(15), undefined)
  const second = count(15)
  await answer(1, 2, 100)
  t.same(await second, { count: 2, endsInMs: 100 }, 'and is told what the store says')
})

t.test('what other replicas have counted is known after the first answer', async t => {
  const { request, answer } = setScene()
  await request(32)
  await answer(0, 14, 40_000)
  t.same(await request(32), { count: 15, endsInMs: 40_000 })
  t.same(await request(32), { count: 16, endsInMs: 40_000 })
  await answer(1, 15)
  await answer(2, 16)
  t.equal(await request(32), undefined, 'from half of the limit on, it waits')
})

t.test('a window that is over begins anew', async t => {
  const { request, answer, pass } = setScene()
  await request(32)
  await answer(0, 33, 5000)
  t.equal(await request(32), undefined)
  pass(4999)
  t.equal(await request(32), undefined)
  pass(1)
  t.same(await request(32), { count: 1, endsInMs: WINDOW_MS })
})

t.test('without an answer nobody gets more than that share of a window', async t => {
  const { request, count, asked, pass } = setScene()
  const fault = new StoreUnavailable(new Error('gone'))
  for (const place of [0, 1]) {
    t.match(await request(32), { count: place + 1 })
    asked[place]?.reject(fault)
  }
  for (const place of [2, 3]) {
    const refused = count(32)
    asked[place]?.reject(fault)
    await t.rejects(refused, fault)
  }
  pass(WINDOW_MS)
  t.match(await request(32), { count: 1 })
})
