// More clients than one event loop can play: fleets (load.ts) in threads of their own, which leave the test's
// thread to its proxies.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Test } from 'tap'
import type { Answer, Door, Session } from './load.ts'

export interface Report {
  /** As they are now. */
  readonly sessions: readonly Session[]
  /** Those since the last report, by the clock of all threads. */
  readonly answers: ReadonlyArray<Omit<Answer, 'accessToken'>>
}

export interface Crowd {
  /** Lets every session refresh again and again, with such a pause after each answer. */
  start(pauseMs: number): Promise<void>
  stop(): Promise<void>
  report(): Promise<Report>
}

/** Logs one session in for each name, spread over the threads. They end with the test. */
export async function startCrowd(
  t: Test,
  doors: readonly Door[],
  users: readonly string[],
  threads = 2,
): Promise<Crowd> {
  const { PATH } = process.env
  const workers = Array.from(
    { length: threads },
    (_, thread) =>
      new Worker(new URL('./crowd-thread.ts', import.meta.url), {
        // Without the loaders of tap.
        execArgv: [],
        env: { PATH },
        workerData: {
          doors: doors.map(({ url }) => ({ url })),
          users: users.filter((_, user) => user % threads === thread),
        },
      }),
  )
  t.teardown(() => Promise.all(workers.map(worker => worker.terminate())))
  await Promise.all(workers.map(worker => once(worker, 'message')))

  const tell = (message: { readonly what: string; readonly pauseMs?: number }) =>
    Promise.all(
      workers.map(async worker => {
        worker.postMessage(message)
        const [reply] = await once(worker, 'message')
        return reply
      }),
    )
  return {
    async start(pauseMs) {
      await tell({ what: 'start', pauseMs })
    },
    async stop() {
      await tell({ what: 'stop' })
    },
    async report() {
      const reports: Report[] = await tell({ what: 'report' })
      return {
        sessions: reports.flatMap(({ sessions }) => sessions),
        answers: reports.flatMap(({ answers }) => answers).sort((a, b) => a.at - b.at),
      }
    },
  }
}
