// Preloaded (--import) into every process that is measured: tells, over the IPC channel, what CPU time it
// used and where.
import { type Profiler, Session } from 'node:inspector/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What a measured process answers. */
export type MeterQuestion =
  'cpu' | 'loop-on' | 'loop-off' | 'loop' | 'rss' | 'profile-start' | 'profile-stop'

const session = new Session()
session.connect()

const TICK_MS = 10
const loop = monitorEventLoopDelay({ resolution: TICK_MS })

const ANSWERS: Record<MeterQuestion, () => Promise<number | Profiler.Profile | null>> = {
  /** Microseconds of all threads, user and system. */
  async cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  async 'loop-on'() {
    loop.enable()
    return null
  },
  async 'loop-off'() {
    loop.disable()
    return null
  },
  /** By how much the event loop was late while that was counted, in ms: p99. The next count begins anew. */
  async loop() {
    const p99 = loop.count === 0 ? 0 : loop.percentile(99) / 1e6 - TICK_MS
    loop.reset()
    return Math.max(0, p99)
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
