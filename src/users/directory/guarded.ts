// Bounds a directory elsewhere: how many questions are open, how long one may take, and that a directory that
// doesn't answer is left alone but for a question a second. Logins and looks between them are left alone each
// by itself: a lookup that is set up wrong keeps nobody from logging in. None of it holds a place among those
// that hash.
import type { Monotonic } from '../../base/clock.ts'
import type {
  ExternalSettings,
  Lookup,
  NamedDirectory,
  Unavailable,
  Verdict,
} from './external.ts'

/** What is asked. */
export type Operation = 'verify' | 'lookup'

/** One question that was answered, or wasn't. */
export interface Answered {
  readonly directory: string
  readonly operation: Operation
  /** The verdict's kind. */
  readonly outcome: string
  readonly ms: number
}

/** Notified of what happens to directories. */
export interface DirectoryWatch {
  answered(answer: Answered): void
  /** Called when a directory stops to answer, with the fault, and when it answers again. */
  changed(directory: string, fault: string | undefined): void
}

/** A directory within its bounds. */
export interface GuardedDirectory extends NamedDirectory {
  /** For how long all questions have failed, from the first failure to the last one; milliseconds. */
  downForMs(): number
}

interface GuardOptions {
  readonly directory: NamedDirectory
  readonly watch: DirectoryWatch
  readonly monotonic: Monotonic
}

/** So many failures in a row, and the directory is left alone. */
const FAILURES = 5
/** But for one question in so many milliseconds. */
const PROBE_MS = 1_000

/** So many who were looked up in a row are gone, and none is known: then their table is, and not they. */
const MOST_GONE = 10

/** Puts bounds around a directory. */
export function guardDirectory({
  directory,
  watch,
  monotonic,
}: GuardOptions): GuardedDirectory {
  const { settings } = directory
  const health = createHealth({ settings, watch, monotonic })
  const rollCall = createRollCall()
  let inFlight = 0

  async function ask<Answer extends { readonly kind: string }>(
    operation: Operation,
    signal: AbortSignal,
    question: (signal: AbortSignal) => Promise<Answer | Unavailable>,
  ): Promise<Answer | Unavailable> {
    const startedAt = monotonic()
    const answer = (outcome: string) => {
      const ms = monotonic() - startedAt
      watch.answered({ directory: settings.name, operation, outcome, ms })
    }
    if (inFlight >= settings.maxInFlight) {
      answer('refused')
      const fault = `${settings.maxInFlight} questions (maxInFlight) are open`
      return { kind: 'unavailable', scope: 'busy', fault }
    }
    if (!health.mayAsk(operation)) {
      answer('refused')
      return unavailable('it is left alone for a second after failures')
    }
    inFlight += 1
    try {
      const said = await within(settings.timeout, signal, question)
      if (!isUnanswered(said, signal)) health.note(operation, faultIn(said))
      answer(said.kind)
      return said
    } finally {
      inFlight -= 1
    }
  }

  return {
    settings,
    givesHashes: directory.givesHashes,
    verify: (attempt, signal) =>
      ask('verify', signal, async within =>
        rollCall.login(await directory.verify(attempt, within)),
      ),
    lookup: (id, signal) =>
      ask('lookup', signal, async within =>
        rollCall.look(await directory.lookup(id, within)),
      ),
    close: () => directory.close(),
    downForMs: health.downForMs,
  }
}

/** Hears of everybody whom the directory knows, or no more. */
interface RollCall {
  login(verdict: Verdict): Verdict
  /** Believes that somebody has gone only as long as not everybody has. */
  look(found: Lookup): Lookup
}

function createRollCall(): RollCall {
  let gone = 0
  return {
    login(verdict) {
      if (verdict.kind !== 'unknown' && verdict.kind !== 'unavailable') gone = 0
      return verdict
    },
    look(found) {
      if (found.kind === 'found') gone = 0
      if (found.kind !== 'gone') return found
      gone += 1
      if (gone <= MOST_GONE) return found
      return unavailable(
        `it has none of the last ${gone} users who were looked up: is its table whole?`,
      )
    },
  }
}

function unavailable(fault: string): Unavailable {
  return { kind: 'unavailable', fault }
}

/** Whether it says nothing of the directory: nobody waited, or no connection was free. */
function isUnanswered(
  said: { readonly kind: string; readonly scope?: Unavailable['scope'] },
  signal: AbortSignal,
): boolean {
  return said.kind === 'unavailable' && (signal.aborted || said.scope === 'busy')
}

/** The directory's fault; undefined: it has answered, be it that it can't answer this question. */
function faultIn(said: {
  readonly kind: string
  readonly scope?: Unavailable['scope']
  readonly fault?: string
}): string | undefined {
  return said.kind === 'unavailable' && said.scope === undefined ? said.fault : undefined
}

/** Waits no longer than the deadline, whatever the directory does with its signal. */
async function within<Answer>(
  timeoutMs: number,
  signal: AbortSignal,
  question: (signal: AbortSignal) => Promise<Answer | Unavailable>,
): Promise<Answer | Unavailable> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const { promise, resolve } = Promise.withResolvers<Unavailable>()
  const giveUp = () => {
    resolve(unavailable(`no answer within ${timeoutMs} ms (timeout)`))
  }
  deadline.addEventListener('abort', giveUp, { once: true })
  const asked = deadline.aborted
    ? Promise.resolve(unavailable('nobody waits for the answer any more'))
    : Promise.race([question(deadline), promise])
  return asked
    .catch((error: unknown) =>
      unavailable(`a fault: ${error instanceof Error ? error.name : 'unknown'}`),
    )
    .finally(() => {
      deadline.removeEventListener('abort', giveUp)
    })
}

interface Health {
  mayAsk(operation: Operation): boolean
  /** Notes a failure by its fault, or undefined for an answer. */
  note(operation: Operation, fault: string | undefined): void
  downForMs(): number
}

/** Leaves alone what has failed so often in a row. */
interface Breaker {
  mayAsk(): boolean
  note(hasFailed: boolean): void
}

function createBreaker(monotonic: Monotonic): Breaker {
  let [failures, probedAt] = [0, 0]
  return {
    mayAsk() {
      if (failures < FAILURES) return true
      if (monotonic() - probedAt < PROBE_MS) return false
      probedAt = monotonic()
      return true
    },
    note(hasFailed) {
      failures = hasFailed ? failures + 1 : 0
      if (failures === FAILURES) probedAt = monotonic()
    },
  }
}

function createHealth({
  settings,
  watch,
  monotonic,
}: Pick<GuardOptions, 'watch' | 'monotonic'> & {
  readonly settings: ExternalSettings
}): Health {
  const breakers: Readonly<Record<Operation, Breaker>> = {
    verify: createBreaker(monotonic),
    lookup: createBreaker(monotonic),
  }
  // Of all questions: one answer of any kind says that it is there.
  let failures = 0
  let [firstFailureAt, lastFailureAt] = [0, 0]
  return {
    mayAsk: operation => breakers[operation].mayAsk(),
    note(operation, fault) {
      breakers[operation].note(fault !== undefined)
      const wasDown = failures >= FAILURES
      if (fault === undefined) {
        failures = 0
        if (wasDown) watch.changed(settings.name, undefined)
        return
      }
      lastFailureAt = monotonic()
      if (failures === 0) firstFailureAt = lastFailureAt
      failures += 1
      if (failures === FAILURES) watch.changed(settings.name, fault)
    },
    downForMs: () => (failures === 0 ? 0 : lastFailureAt - firstFailureAt),
  }
}
