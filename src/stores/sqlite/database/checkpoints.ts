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

/** Makes it. */
export function createCheckpoints(file: string): Checkpoints {
  let thread: Worker | undefined

  function start(): Worker {
    const started = new Worker(THREAD, { workerData: file })
    // One that fell is replaced.
    started.on('error', () => {})
    started.on('exit', () => {
      thread = undefined
    })
    return started
  }

  /** Sends a message and waits for what it brings about; nothing else keeps the process. */
  async function ask(message: string, answer: string): Promise<void> {
    if (thread === undefined) return
    const asked = thread
    asked.ref()
    asked.postMessage(message)
    const ended = new AbortController()
    const { signal } = ended
    await Promise.race([
      once(asked, answer, { signal }),
      once(asked, 'exit', { signal }),
    ]).catch(() => {})
    ended.abort()
    asked.unref()
  }

  return {
    run() {
      thread ??= start()
      return ask('copy', 'message')
    },
    close: () => ask('close', 'exit'),
  }
}
