// The primary killed under Sentinel, together with what is on its way to its replicas, while a worker sends
// what waits in the outbox: whatever was acknowledged arrives, and what arrives twice is counted.
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { monotonicClock, systemClock } from '../../src/base/clock.ts'
import { systemRandom } from '../../src/base/random.ts'
import { createWorker } from '../../src/outbox/worker.ts'
import { openStore } from '../../src/stores/open.ts'
import { PATIENT } from '../support/until.ts'
import { FULL, figure } from './support/figures.ts'
import { msUntil } from './support/load.ts'
import { repeated } from './support/recipients.ts'
import { replicaOf, startWatched } from './support/sentinels.ts'

const ROUNDS = FULL ? 20 : 2
/** How many are noted in one call, and how long the next one waits. */
const BATCH = 4
const PAUSE_MS = 20
/** Each is on its way so long: a kill meets some. */
const DELIVERY_MS = 15
const AT_ONCE = 8
const LEASE_MS = 3_000

t.test(`the primary killed ${ROUNDS} times while the outbox is sent`, async t => {
  const watched = await startWatched(t)
  await watched.settled(2)
  const { store } = await openStore({
    ...PATIENT,
    url: watched.url,
    replicas: 1,
    clock: systemClock,
  })
  t.teardown(() => store.close())
  const { outbox } = store
  const arrived = new Map<string, number>()
  const acknowledged: string[] = []
  let refused = 0

  const worker = createWorker({
    way: 'webhook',
    items: { ...outbox, take: (way, limit) => outbox.take(way, limit, LEASE_MS) },
    async deliver({ id }) {
      await wait(DELIVERY_MS)
      arrived.set(id, (arrived.get(id) ?? 0) + 1)
      return 'delivered'
    },
    timeoutMs: () => LEASE_MS / 2,
    giveUpMs: () => Infinity,
    report() {},
    monotonic: monotonicClock,
    random: systemRandom,
  })
  const working = setInterval(() => worker.work().catch(() => {}), 10)
  t.teardown(async () => {
    clearInterval(working)
    await worker.stop(0)
  })

  const ending = new AbortController()
  async function keepAppending(): Promise<void> {
    for (let place = 0; !ending.signal.aborted; place++) {
      const ids = Array.from({ length: BATCH }, (_, each) => `${place}-${each}`)
      const items = ids.map(id => ({ id, way: 'webhook' as const, content: '' }))
      // Whoever asked is told 503, and asks again as somebody new.
      const isNoted = await outbox.append(items, 100_000).catch(() => false)
      if (isNoted) acknowledged.push(...ids)
      else refused += 1
      await wait(PAUSE_MS)
    }
  }
  const appending = keepAppending()

  for (let round = 0; round < ROUNDS; round++) {
    const primary = await watched.settled(2)
    const before = acknowledged.length
    await msUntil(() => acknowledged.length > before + 40, 30_000)
    await primary.fall()
    const resumed = acknowledged.length
    await msUntil(() => acknowledged.length > resumed + BATCH, 60_000)
    await primary.rise(replicaOf(await watched.settled(0)))
  }
  ending.abort()
  await appending
  const isEmpty = async () =>
    (await outbox.backlog('webhook').catch(() => undefined))?.length === 0
  t.ok((await msUntil(isEmpty, 60_000)) < Infinity, 'nothing waits for ever')

  const lost = acknowledged.filter(id => !arrived.has(id))
  const twice = repeated(arrived)
  figure(t, {
    fault: `primary and its 50 ms replication link killed under Sentinel, ${ROUNDS} times, outbox`,
    figure:
      `${lost.length} of ${acknowledged.length} acknowledged messages lost, ${twice.length} came more ` +
      `than once, ${refused} calls refused meanwhile`,
    mustShow: `0 lost, at most ${AT_ONCE} a kill more than once`,
    holds: lost.length === 0 && twice.length <= AT_ONCE * ROUNDS,
  })
  t.comment(`more than once: ${twice.join(', ')}`)
  t.ok(acknowledged.length > ROUNDS * 40, 'much was sent')
})
