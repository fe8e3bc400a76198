// Preloaded (--import) into every process that is measured: tells, over the IPC channel, what CPU time it
// used and where.
import { type Profiler, Session } from 'node:inspector/promises'
import { quantile } from './verdict.ts'

/** What a measured process answers. */
export type MeterQuestion =
  'cpu' | 'loop-on' | 'loop-off' | 'loop' | 'rss' | 'profile-start' | 'profile-stop'

const session = new Session()
session.connect()

const TICK_MS = 10
/** By how much each tick was late, in ms. Node's own monitor counts the time between two watches, too. */
const late: number[] = []
let ticks: NodeJS.Timeout | undefined

const ANSWERS: Record<MeterQuestion, () => Promise<number | Profiler.Profile | null>> = {
  /** Microseconds of all threads, user and system. */
  async cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  async 'loop-on'() {
    let last = performance.now()
    ticks = setInterval(() => {
      const now = performance.now()
      late.push(Math.max(0, now - last - TICK_MS))
      last = now
    }, TICK_MS)
    return null
  },
  async 'loop-off'() {
    clearInterval(ticks)
    return null
  },
  /** By how much the event loop was late while it was watched, in ms: p99. The next watch begins anew. */
  async loop() {
    const p99 = quantile(late, 0.99)
    late.length = 0
    return Number.isNaN(p99) ? 0 : p99
  },
  /** Bytes of memory that are the process's now. */
  async rss() {
    return process.memoryUsage.rss()
  },
  async 'profile-start'() {
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: 200 })
    await session.post('Profiler.start')
    return null
  },
  async 'profile-stop'() {
    return (await session.post('Profiler.stop')).profile
  },
}

process.on('message', async (question: MeterQuestion | object) => {
  if (typeof question === 'string') process.send?.(await ANSWERS[question]())
})
// Waiting for questions is no reason to live on.
process.channel?.unref()
