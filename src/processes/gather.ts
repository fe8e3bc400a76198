// Gathers the metrics of all processes into one answer. What a process that has ended had counted stays in
// the sums, as it was when it was last asked: a sum that fell would be a restart to whoever reads it.
import type { MetricsFormat } from '../observe/metrics/open-metrics.ts'
import {
  countsOf,
  mergeFamilies,
  parseFamilies,
  renderFamilies,
  type MetricFamily,
} from '../observe/metrics/merge.ts'

/** How long a process may take to say its own. */
const ANSWER_MS = 4_000

/** A server process whose metrics are gathered. */
export interface Counted {
  /** Asks for its metrics; the answer comes to `answered`. */
  readonly ask: (id: number) => void
}

/** The metrics of all. */
export interface Gather {
  /**
   * Asks the processes and answers with the sum. Of one that has ended, or doesn't answer in time, counts
   * what it said last.
   */
  render(processes: readonly Counted[], format: MetricsFormat): Promise<string>
  /** Takes an answer. */
  answered(process: Counted, id: number, text: string): void
  /** Keeps what a process that has ended had counted; it answers no more. */
  ended(process: Counted): void
}

/**
 * Makes it.
 *
 * @param own gives the metrics of the supervising process, in OpenMetrics' format
 */
export function createGather(own: () => Promise<string>, answerMs = ANSWER_MS): Gather {
  const last = new Map<Counted, readonly MetricFamily[]>()
  const asked = new Map<number, { readonly of: Counted; readonly done: () => void }>()
  let past: readonly MetricFamily[] = []
  let ids = 0

  function ask(process: Counted): Promise<void> {
    ids += 1
    const id = ids
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer)
        asked.delete(id)
        resolve()
      }
      const timer = setTimeout(done, answerMs)
      asked.set(id, { of: process, done })
      process.ask(id)
    })
  }

  return {
    async render(processes, format) {
      const [ours] = await Promise.all([own(), ...processes.map(ask)])
      const all = [...last.values(), parseFamilies(ours), past]
      return renderFamilies(mergeFamilies(all), format)
    },
    answered(process, id, text) {
      // Also one that comes too late: it is newer than the one before.
      last.set(process, parseFamilies(text))
      asked.get(id)?.done()
    },
    ended(process) {
      past = mergeFamilies([past, countsOf(last.get(process) ?? [])])
      last.delete(process)
      for (const { of, done } of asked.values()) if (of === process) done()
    },
  }
}
