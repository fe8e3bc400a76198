// A process of a bench: how it is started, asked and ended. It ends with the stack that it is put on.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Profiler } from 'node:inspector'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { endWithUs } from '../test/support/children.ts'
import type { MeterQuestion } from './meter.ts'
import { pin, type Role } from './pinning.ts'

export const HERE = new URL('./', import.meta.url).pathname
const READY_ATTEMPTS = 3_000

/** A process whose CPU time can be asked for. */
export interface Measured {
  readonly url: string
  readonly pid: number
  /** Microseconds since the start, all threads. */
  cpu(): Promise<number>
  /** Has the event loop's delays counted, or no longer. */
  watchLoop(isWatched: boolean): Promise<unknown>
  /** By how much the event loop was late while it was watched: p99, milliseconds. */
  loop(): Promise<number>
  /** Bytes of memory that are its now. */
  rss(): Promise<number>
  /** A V8 CPU profile of the work. */
  profiled(work: () => Promise<unknown>): Promise<Profiler.Profile>
}

export interface StartOptions {
  readonly args?: readonly string[]
  readonly output?: number | 'inherit'
  /** What runs before the module. */
  readonly execArgv?: string[]
}

export const METERED = { execArgv: ['--import', join(HERE, 'meter.ts')] }

/** Starts a module; its path begins at this folder. */
export function start(
  parts: AsyncDisposableStack,
  module: string,
  { args = [], output = 'inherit', execArgv = [] }: StartOptions = {},
): ChildProcess {
  const child = endWithUs(
    fork(resolve(HERE, module), args, {
      execArgv,
      // As the image has it.
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'production',
        MALLOC_ARENA_MAX: '1',
        NODE_OPTIONS: '--max-semi-space-size=8',
      },
      stdio: ['ignore', output, output, 'ipc'],
    }),
  )
  parts.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  return child
}

/** Starts a process that answers one question at a time; a text tells what went wrong. */
export function startWorker<Question extends object, Answer>(
  parts: AsyncDisposableStack,
  module: string,
  options: StartOptions = {},
): (question: Question) => Promise<Answer> {
  const child = start(parts, module, options)
  pin(child.pid, 'load')
  return question => ask(child, question)
}

/** What can be asked of a process that was started with METERED, once it answers at `readyUrl`. */
export async function measured(
  child: ChildProcess,
  url: string,
  {
    readyUrl = url,
    isReady = (status: number) => status === 200,
    role = 'server',
  }: Ready,
): Promise<Measured> {
  await answering(child, readyUrl, isReady)
  // Not before: what it makes of the number of cores it makes as in production.
  pin(child.pid, role)
  const question = <Answer>(question: MeterQuestion) => ask<Answer>(child, question)
  return {
    url,
    pid: Number(child.pid),
    cpu: () => question('cpu'),
    watchLoop: isWatched => question(isWatched ? 'loop-on' : 'loop-off'),
    loop: () => question('loop'),
    rss: () => question('rss'),
    async profiled(work) {
      await question('profile-start')
      await work()
      return question('profile-stop')
    },
  }
}

/** When a server is ready, and where it runs then. */
export interface Ready {
  readonly readyUrl?: string
  readonly isReady?: (status: number) => boolean
  readonly role?: Role
}

/** One question at a time. An answer that is a text tells what went wrong. */
export async function ask<Answer>(
  child: ChildProcess,
  question: object | MeterQuestion,
): Promise<Answer> {
  child.send(question)
  const settled = new AbortController()
  const answered = once(child, 'message', settled).then(([answer]) => answer)
  const ended = once(child, 'exit', settled).then(
    ([code]) => `the process ended with ${code}`,
  )
  const answer = await Promise.race([answered, ended])
  settled.abort()
  if (typeof answer === 'string') throw new Error(answer)
  return answer
}

async function answering(
  child: ChildProcess,
  url: string,
  isReady: (status: number) => boolean,
): Promise<void> {
  for (let attempt = 0; attempt < READY_ATTEMPTS; attempt++) {
    const status = await fetch(url).then(
      answer => answer.status,
      () => 0,
    )
    if (isReady(status)) return
    if (child.exitCode !== null) break
    await wait(20)
  }
  throw new Error(`nothing answers at ${url}`)
}
