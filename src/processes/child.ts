// A server process as Node's cluster gives it, as the supervisor wants it.
import type { ChildProcess } from 'node:child_process'
import type { FromServer, ToServer } from './messages.ts'
import type { Child, ChildEvents } from './supervisor.ts'

/** What is used of a process of the cluster. */
interface ClusterWorker {
  readonly process: Pick<ChildProcess, 'pid' | 'kill'>
  isConnected(): boolean
  on(event: 'message', heard: (message: FromServer) => void): unknown
  on(event: 'exit', ended: (code: number | null, signal: string | null) => void): unknown
  send(message: ToServer, done: () => void): unknown
}

/** Watches the process. */
export function childOf(worker: ClusterWorker, { message, exit }: ChildEvents): Child {
  worker.on('message', message)
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
