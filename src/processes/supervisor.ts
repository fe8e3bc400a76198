// Keeps so many server processes running, each with the same configuration. It answers no request itself and
// opens no store: it starts them, replaces those that end or hang, hands on what an operator asks of them,
// and gathers their metrics.
import type { Config } from '../config/schema.ts'
import type { ReplaceReason } from '../observe/metrics/process-metrics.ts'
import { createGather, type Counted } from './gather.ts'
import type { FromServer } from './messages.ts'
import type { Child, Exit, Supervisor, SupervisorOptions } from './ports.ts'

/** How often each process is to be asked whether it still turns its event loop, in milliseconds. */
export const PING_EVERY_MS = 5_000
/** A process that leaves so many questions in a row without an answer hangs. */
const UNANSWERED = 6
/** So does one that has started for so long when a reload waits for it. */
const STARTS_WITHIN_MS = UNANSWERED * PING_EVERY_MS
/** How long the first replacement waits; each further one twice as long. */
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 30_000
/** A process that was ready for so long didn't end by how it starts. */
const SOUND_MS = 60_000

/** A place that always has a process, or is about to have one. */
interface Place {
  /** How many processes in a row ended before they were sound. */
  failures: number
}

interface Running extends Counted {
  readonly child: Child
  readonly place: Place
  readonly ended: PromiseWithResolvers<void>
  /** Whether it was given a configuration. */
  isTold: boolean
  readyAt: number | undefined
  /** Questions in a row that it left without an answer. */
  unanswered: number
  /** Why it was told to end, or could not start. */
  reason: ReplaceReason
  fault: string | undefined
  /** Resolved by its next word about a configuration. */
  settled: PromiseWithResolvers<void> | undefined
}

/** Makes it; nothing runs yet. */
export function createSupervisor({
  count,
  fork,
  log,
  metrics,
  wait,
  monotonic,
}: SupervisorOptions): Supervisor {
  const running = new Set<Running>()
  const gather = createGather(metrics.render)
  const started = Promise.withResolvers<void>()
  let phase: 'starting' | 'serving' | 'stopping' = 'starting'
  let config: Config | undefined
  let clean = true

  function launch(place: Place): void {
    const child = fork({
      message: message => heard(one, message),
      exit: how => exited(one, how),
    })
    const one: Running = {
      child,
      place,
      ended: Promise.withResolvers(),
      isTold: false,
      readyAt: undefined,
      unanswered: 0,
      reason: 'ended',
      fault: undefined,
      settled: undefined,
      ask: id => child.send({ kind: 'measure', id }),
    }
    running.add(one)
  }

  function heard(one: Running, message: FromServer): void {
    // What is read of one that has ended comes too late.
    if (!running.has(one)) return
    one.unanswered = 0
    switch (message.kind) {
      case 'up':
        up(one)
        break
      case 'ready':
        one.readyAt = monotonic()
        if (ready().length === count) started.resolve()
        break
      case 'failed':
        one.fault = message.message
        break
      case 'refused':
        // The others have it: one that goes on with the old one would answer otherwise than they do.
        one.fault = message.message
        one.reason = 'refused'
        one.child.send({ kind: 'stop' })
        one.settled?.resolve()
        break
      case 'applied':
        one.settled?.resolve()
        break
      case 'metrics':
        gather.answered(one, message.id, message.text)
        break
      case 'scrape':
        gather.render(ready(), message.format).then(text => {
          one.child.send({ kind: 'measured', id: message.id, text })
        })
        break
      case 'pong':
        break
    }
  }

  function up(one: Running): void {
    if (phase === 'stopping') {
      // It was told before, too, and did not hear it yet.
      one.child.send({ kind: 'stop' })
    } else if (config !== undefined) {
      one.isTold = true
      one.child.send({ kind: 'start', config })
    }
  }

  function exited(one: Running, how: Exit): void {
    running.delete(one)
    gather.ended(one)
    one.settled?.resolve()
    one.ended.resolve()
    // One that was not ready yet had nothing to answer.
    if (phase === 'stopping') clean &&= how.code === 0 || one.readyAt === undefined
    else if (phase === 'starting') giveUp(one, how)
    else replace(one, how)
  }

  /** The first that can't start says why; the others would say the same. */
  function giveUp({ fault, child }: Running, { code, signal }: Exit): void {
    phase = 'stopping'
    const ends = `the server process ${child.pid} ended (${signal ?? `exit code ${code}`})`
    const others = [...running]
    for (const other of others) other.child.kill()
    Promise.all(others.map(({ ended }) => ended.promise)).then(() => {
      started.reject(new Error(fault ?? ends))
    })
  }

  function replace({ child, place, readyAt, reason, fault }: Running, how: Exit): void {
    const isSound = readyAt !== undefined && monotonic() - readyAt >= SOUND_MS
    const waitMs = Math.min(
      FIRST_WAIT_MS * 2 ** (isSound ? 0 : place.failures),
      LONGEST_WAIT_MS,
    )
    place.failures = isSound ? 0 : place.failures + 1
    metrics.countReplaced(reason)
    log.error(
      { ended: child.pid, ...how, reason, fault, waitMs },
      'a server process has ended and is replaced; what it was answering is lost',
    )
    wait(waitMs).then(() => {
      if (phase === 'serving') launch(place)
    })
  }

  async function applyTo(one: Running, next: Config): Promise<void> {
    one.settled = Promise.withResolvers()
    one.child.send({ kind: 'apply', config: next })
    if (one.readyAt === undefined) {
      wait(STARTS_WITHIN_MS).then(() => {
        if (running.has(one) && one.readyAt === undefined) endHung(one)
      })
    }
    await one.settled.promise
  }

  function endHung(one: Running): void {
    one.reason = 'hung'
    one.child.kill()
  }

  const told = () => [...running].filter(({ isTold }) => isTold)
  const ready = () => [...running].filter(({ readyAt }) => readyAt !== undefined)

  return {
    async start(given) {
      config = given
      for (let index = 0; index < count; index += 1) launch({ failures: 0 })
      await started.promise
      phase = 'serving'
      log.info(
        { processes: ready().map(({ child }) => child.pid) },
        'the server processes are ready',
      )
    },
    async apply(next) {
      config = next
      await Promise.all(told().map(one => applyTo(one, next)))
    },
    reopen() {
      for (const { child } of running) child.send({ kind: 'reopen' })
    },
    ping() {
      for (const one of told()) {
        if (one.unanswered === UNANSWERED) endHung(one)
        else {
          one.unanswered += 1
          one.child.send({ kind: 'ping' })
        }
      }
    },
    async stop(withinMs) {
      phase = 'stopping'
      const left = [...running]
      for (const { child } of left) child.send({ kind: 'stop' })
      const timer = setTimeout(() => {
        for (const { child } of running) child.kill()
      }, withinMs)
      await Promise.all(left.map(({ ended }) => ended.promise))
      clearTimeout(timer)
      if (!clean) throw new Error('a server process did not end as it should')
    },
  }
}
