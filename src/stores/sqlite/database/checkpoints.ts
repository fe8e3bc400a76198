// Copying the log to the file waits for the disk, several times. A thread with a connection of its own does
// it; it is started when there is something to copy.
import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'

const THREAD = new URL(`checkpoint-thread${extname(import.meta.url)}`, import.meta.url)

/** Copies the log of one file. */
export interface Checkpoints {
  /** Resolves when it was tried; what couldn't be copied is the next time. */
  run(): Promise<void>
  close(): Promise<void>
}

/** Makes it; `source`: what the thread runs, for tests. */
export function createCheckpoints(file: string, source = THREAD): Checkpoints {
  let thread: Worker | undefined

  function start(): Worker {
    const started = new Worker(source, { workerData: file })
    // One that fell is replaced.
    started.on('error', () => {})
    started.on('exit', () => {
      thread = undefined
    })
    return started
  }

  let asked: Promise<unknown> = Promise.resolve()

  /** One question at a time: who waits for an answer keeps the process, and nobody else does. */
  function inTurn(ask: () => Promise<void> | undefined): Promise<void> {
    // A thread that can't be started copies nothing; the next time is another try.
    const answered = asked.then(ask).catch(() => {})
    asked = answered
    return answered
  }

  return {
    run: () =>
      inTurn(() => {
        thread ??= start()
        return tell(thread, 'copy', 'message')
      }),
    close: () => inTurn(() => thread && tell(thread, 'close', 'exit')),
  }
}

/** Sends a message and waits for what it brings about; nothing else keeps the process. */
async function tell(thread: Worker, message: string, answer: string): Promise<void> {
  thread.ref()
  thread.postMessage(message)
  const ended = new AbortController()
  const { signal } = ended
  await Promise.race([
    once(thread, answer, { signal }),
    once(thread, 'exit', { signal }),
  ]).catch(() => {})
  ended.abort()
  thread.unref()
}
