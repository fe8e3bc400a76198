// One thread of a crowd: see crowd.ts, which sends the messages.
import { parentPort, workerData } from 'node:worker_threads'
import { logIn, type Repeating } from './load.ts'

const { doors, users } = workerData
const fleet = await logIn(doors, users)
let load: Repeating | undefined
let reported = 0

const TOLD: Record<string, (pauseMs: number) => unknown> = {
  start(pauseMs) {
    load = fleet.keepRefreshing({ pauseMs })
  },
  stop: () => load?.stop(),
  report() {
    const answers = fleet.answers
      .slice(reported)
      .map(({ accessToken, ...answer }) => answer)
    reported = fleet.answers.length
    return { sessions: fleet.sessions, answers }
  },
}

parentPort?.on('message', async ({ what, pauseMs }) => {
  parentPort?.postMessage(await TOLD[what]?.(pauseMs))
})
parentPort?.postMessage('logged in')
