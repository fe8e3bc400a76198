// Which requests needn't wait for Redis to tell how many there were.
import t from 'tap'
import { createBufferedCounter } from '../../src/http/callers/limits/buffered-counts.ts'
import type {
  AddressCount,
  AddressRequests,
} from '../../src/stores/ports/address-counts.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { until } from '../support/until.ts'

const WINDOW_MS = 60_000
const ADDRESS = '192.0.2.1'

interface Question extends PromiseWithResolvers<readonly AddressCount[]> {
  readonly requests: readonly AddressRequests[]
}

/** A store whose answers come when the test says so, and the counter over it. */
function setScene() {
  const questions: Question[] = []
  let now = 1000
  const count = createBufferedCounter(
    {
      add(requests) {
        const answer = Promise.withResolvers<readonly AddressCount[]>()
        questions.push({
          ...answer,
          requests: requests.map(({ address, requests, windowMs }) => ({
            address,
            requests,
            windowMs,
          })),
        })
        return answer.promise
      },
    },
    () => now,
  )

  async function question(place: number): Promise<Question> {
    await until(async () => questions.length > place)
    return questions[place] as Question
  }

  return {
    questions,
    question,
    count: (max: number, address = ADDRESS) => count(address, WINDOW_MS, max),
    /** Counts a request; undefined: it waits for the store. */
    async request(max: number): Promise<AddressCount | undefined> {
      const counted = count(ADDRESS, WINDOW_MS, max)
      counted.catch(() => {})
      return Promise.race([
        counted,
        new Promise<undefined>(resolve => {
          setImmediate(() => resolve(undefined))
        }),
      ])
    },
    pass(ms: number) {
      now += ms
    },
    async answer(place: number, counted: number, endsInMs = WINDOW_MS) {
      const { resolve, promise } = await question(place)
      resolve([{ count: counted, endsInMs }])
      await promise
    },
  }
}

t.test(
  'a sixteenth of the limit passes before the store has answered, and no more',
  async t => {
    const { request, question, questions } = setScene()
    t.same(await request(32), { count: 1, endsInMs: WINDOW_MS })
    t.same(await request(32), { count: 2, endsInMs: WINDOW_MS })
    t.equal(await request(32), undefined)
    t.same(
      (await question(0)).requests,
      [{ address: ADDRESS, requests: 3, windowMs: WINDOW_MS }],
      'all are counted by one question',
    )
    t.equal(questions.length, 1)
  },
)

t.test('what nobody waits for is counted a moment later, together', async t => {
  const { count, question, questions } = setScene()
  for (const address of [ADDRESS, '192.0.2.2', ADDRESS]) await count(1000, address)
  t.equal(questions.length, 0)
  t.match((await question(0)).requests, [
    { address: ADDRESS, requests: 2 },
    { address: '192.0.2.2', requests: 1 },
  ])
})

t.test('a small limit is exact: every request waits for its own place', async t => {
  const { count, question } = setScene()
  const counted = ['192.0.2.1', '192.0.2.2', '192.0.2.1'].map(address =>
    count(15, address),
  )
  const { requests, resolve } = await question(0)
  t.match(requests, [{ requests: 2 }, { requests: 1 }])
  resolve([
    { count: 9, endsInMs: 100 },
    { count: 4, endsInMs: 200 },
  ])
  t.same(await Promise.all(counted), [
    { count: 8, endsInMs: 100 },
    { count: 4, endsInMs: 200 },
    { count: 9, endsInMs: 100 },
  ])
})

t.test('what other replicas have counted is known after the first answer', async t => {
  const { request, answer } = setScene()
  await request(32)
  await answer(0, 14, 40_000)
  t.same(await request(32), { count: 15, endsInMs: 40_000 })
  t.same(await request(32), { count: 16, endsInMs: 40_000 })
  await answer(1, 16)
  t.equal(await request(32), undefined, 'from half of the limit on, it waits')
})

t.test('a window that is over begins anew', async t => {
  const { request, answer, pass } = setScene()
  await request(32)
  await answer(0, 33, 5000)
  t.equal(await request(32), undefined)
  await answer(1, 34, 5000)
  pass(4999)
  t.equal(await request(32), undefined)
  pass(1)
  t.same(await request(32), { count: 1, endsInMs: WINDOW_MS })
})

t.test('without an answer nobody gets more than that share of a window', async t => {
  const { request, count, question, pass } = setScene()
  const fault = new StoreUnavailable(new Error('gone'), 'gone')
  for (const place of [0, 1]) {
    t.match(await request(32), { count: place + 1 })
    ;(await question(place)).reject(fault)
  }
  const refused = count(32)
  ;(await question(2)).reject(fault)
  await t.rejects(refused, fault)
  pass(WINDOW_MS)
  t.match(await request(32), { count: 1 })
})
