// A worker of the outbox in a process of its own, which a suite kills: STORE and HOOK are its arguments.
import { argv } from 'node:process'
import { monotonicClock, systemClock } from '../../../src/base/clock.ts'
import { systemRandom } from '../../../src/base/random.ts'
import { createWorker } from '../../../src/outbox/worker.ts'
import { openStore } from '../../../src/stores/open.ts'

/** Short, so that the next round needn't wait for what a killed worker has left. */
const LEASE_MS = 4_000

const [, , url = '', hook = ''] = argv
const { store } = await openStore({ url, clock: systemClock })
const { outbox } = store
const worker = createWorker({
  way: 'webhook',
  items: { ...outbox, take: (way, limit) => outbox.take(way, limit, LEASE_MS) },
  async deliver({ id }, signal) {
    const answer = await fetch(hook, { method: 'POST', body: id, signal })
    await answer.text()
    return 'delivered'
  },
  timeoutMs: () => LEASE_MS / 2,
  giveUpMs: () => Infinity,
  report() {},
  monotonic: monotonicClock,
  random: systemRandom,
})
setInterval(() => worker.work().catch(() => {}), 5)
