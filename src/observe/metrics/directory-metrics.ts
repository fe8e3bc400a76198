// What is measured of directories elsewhere: what they answered, how long it took, whether they answer.
import { Gauge, type Registry } from 'prom-client'
import { createDurations, createTally, type Observe } from './tally.ts'

/** One question that was answered, or wasn't. */
export interface DirectoryAnswer {
  /** Its name in the configuration. */
  readonly directory: string
  readonly operation: 'verify' | 'lookup'
  /** The kind of the answer; `refused`: it wasn't asked. */
  readonly outcome: string
  readonly ms: number
}

/** What may be noted of directories. */
export interface DirectoryCounts {
  countDirectoryAnswer(answer: DirectoryAnswer): void
  /** Notes whether the directory answers. */
  showDirectory(directory: string, isUp: boolean): void
}

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30]

/** Makes them, and the histogram, which is rendered by itself. */
export function createDirectoryMetrics(registry: Registry) {
  const up = new Gauge({
    name: 'latchkey_directory_up',
    help:
      '1 if the directory answers, 0 after five failures in a row; absent before ' +
      'the first change.',
    labelNames: ['directory'],
    registers: [registry],
  })
  const durations = createDurations({
    name: 'latchkey_directory_duration_seconds',
    help: 'Questions to external directories, including those that were not answered.',
    buckets: BUCKETS,
  })
  const answers = createTally(registry, {
    name: 'latchkey_directory_answers_total',
    help: 'Questions to external directories by directory, operation and outcome.',
    labelNames: ['directory', 'operation', 'outcome'],
    labelsOf(key) {
      const [directory = '', operation = '', outcome = ''] = key.split(' ')
      return { directory, operation, outcome }
    },
  })
  const series = new Map<string, Observe>()
  const counts: DirectoryCounts = {
    countDirectoryAnswer({ directory, operation, outcome, ms }) {
      answers(`${directory} ${operation} ${outcome}`)
      const observe = series.get(directory) ?? durations.series({ directory })
      series.set(directory, observe)
      if (outcome !== 'refused') observe(ms / 1000)
    },
    showDirectory(directory, isUp) {
      up.set({ directory }, isUp ? 1 : 0)
    },
  }
  return { ...counts, directoryDurations: durations }
}
