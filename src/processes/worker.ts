// One of several server processes: a server like any other, at ports that it shares. The supervising process
// gives it its configuration and tells it when to end.
import type { Worker } from 'node:cluster'
import type { RunningServer, ServerOptions } from '../server.ts'
import { createLink } from './link.ts'
import type { ToServer } from './messages.ts'
import { longestStopMs, stopWithGrace, SIGNALS } from './stop.ts'

/** What it is made of. */
export interface WorkerOptions {
  /** Of this process. */
  readonly worker: Pick<Worker, 'send' | 'on'>
  readonly start: (
    options: Pick<ServerOptions, 'config' | 'allMetrics'>,
  ) => Promise<RunningServer>
  readonly process: Pick<NodeJS.Process, 'on' | 'exit'>
}

/** Serves until the supervising process says that it is enough; when that one is gone, Node ends this one. */
export function serveAsWorker({ worker, start, process }: WorkerOptions): void {
  // They are the supervising process's to answer.
  for (const signal of SIGNALS) process.on(signal, () => {})
  const link = createLink({
    send: message =>
      new Promise(resolve => {
        worker.send(message, () => resolve())
      }),
    start: async (config, allMetrics) => {
      const server = await start({ config, allMetrics })
      const stop = stopWithGrace({
        stop: server.close,
        withinMs: longestStopMs(config),
        log: server.app.log,
        skip: [...SIGNALS],
      })
      return { ...server, stop }
    },
    end: () => process.exit(1),
  })
  worker.on('message', (message: ToServer) => link(message))
  worker.send({ kind: 'up' })
}
