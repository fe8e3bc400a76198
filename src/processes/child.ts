// A server process as Node's cluster gives it, as the supervisor wants it.
import type { ChildProcess } from 'node:child_process'
import { endUntaken } from './handed-over.ts'
import { messageOf, type FromServer, type ToServer } from './messages.ts'
import type { Child, ChildEvents } from './ports.ts'

/** What is used of a process of the cluster. */
interface ClusterWorker {
  readonly process: Pick<ChildProcess, 'pid' | 'kill'> & Parameters<typeof endUntaken>[0]
  isConnected(): boolean
  on(event: 'message', heard: (message: FromServer) => void): unknown
  on(event: 'error', failed: (error: Error) => void): unknown
  on(event: 'exit', ended: (code: number | null, signal: string | null) => void): unknown
  send(message: ToServer, done: () => void): unknown
}

/**
 * Starts a process and watches it. One that the system doesn't start, for want of memory or process ids, is
 * one that has failed and ended: it may do so in a while, and the others are well.
 */
export function startChild(fork: () => ClusterWorker, events: ChildEvents): Child {
  try {
    return childOf(fork(), events)
  } catch (error) {
    // Not before the caller has the child.
    queueMicrotask(() => notStarted(error, events))
    return { pid: undefined, send() {}, kill() {} }
  }
}

function notStarted(error: unknown, { message, exit }: ChildEvents): void {
  message({ kind: 'failed', message: messageOf(error) })
  exit({ code: null, signal: null })
}

/** Watches the process. */
function childOf(worker: ClusterWorker, events: ChildEvents): Child {
  const { message, exit } = events
  endUntaken(worker.process)
  worker.on('message', message)
  worker.on('error', error => {
    // Of one that runs, it tells of a message that was not sent, or a signal: its end says more.
    if (worker.process.pid === undefined) notStarted(error, events)
  })
  worker.on('exit', (code, signal) => {
    exit({ code, signal })
  })
  return {
    pid: worker.process.pid,
    send(told) {
      // One that is about to end hears nothing more, and what can't be sent is no fault of ours.
      if (worker.isConnected()) worker.send(told, () => {})
    },
    kill: () => {
      worker.process.kill('SIGKILL')
    },
  }
}
