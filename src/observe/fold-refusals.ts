// Clients that are refused again and again, folded: the first few refusals are written at once, those that
// follow as one line a minute with their number. Who sends wrong secrets must not fill the disk, nor make the
// server write a line for each.
import type { Clock } from '../base/clock.ts'
import type { Emit, Event, Origin } from '../base/events/events.ts'
import type { Reason } from '../base/events/reasons.ts'

type Refusal = Extract<Event, { type: 'client.refused' }>

export interface FoldOptions {
  readonly emit: Emit
  readonly clock: Clock
  /** For how long refusals are folded; milliseconds. */
  readonly foldMs?: number
  /** How many kinds of them are told apart at once. */
  readonly most?: number
}

export interface FoldedAudit {
  readonly emit: Emit
  /** Writes what is still to be written. */
  close(): void
}

/** Refusals of one kind. */
interface Fold {
  readonly key: string
  /** How many were written at once. */
  written: number
  latest: Refusal
  origin: Origin | undefined
  count: number
  firstAt: number
  lastAt: number
  /** Whether all of them named the client that the latest one names. */
  isOneClient: boolean
  readonly timer: NodeJS.Timeout
}

const FOLD_MS = 60_000
const AT_ONCE = 3
/** Reasons that come before a client is looked up: the id may be anything. */
const MADE_UP: ReadonlySet<Reason> = new Set<Reason>([
  'client_missing',
  'client_unknown',
  'client_two_methods',
  'client_two_ids',
  'assertion_type_unknown',
  'assertion_malformed',
  'malformed_request',
])
const MOST = 10_000

/** Makes the fold. */
export function foldRefusals({
  emit,
  clock,
  foldMs = FOLD_MS,
  most = MOST,
}: FoldOptions): FoldedAudit {
  const folds = new Map<string, Fold>()

  function begin(key: string, event: Refusal): void {
    const fold: Fold = {
      key,
      ...empty(event),
      written: 1,
      timer: setInterval(() => end(fold), foldMs).unref(),
    }
    folds.set(key, fold)
    // Maps keep the order in which things came in: the oldest goes first.
    for (const oldest of folds.values()) {
      if (folds.size <= most) break
      remove(oldest)
    }
  }

  /** Writes the fold, and goes on with the next one; where nothing came there is no next. */
  function end(fold: Fold): void {
    if (fold.count === 0) remove(fold)
    else {
      write(fold)
      Object.assign(fold, empty(fold.latest))
    }
  }

  function remove(fold: Fold): void {
    clearInterval(fold.timer)
    folds.delete(fold.key)
    if (fold.count > 0) write(fold)
  }

  function write({ latest, origin, count, firstAt, lastAt, isOneClient }: Fold): void {
    const { clientId, ...rest } = latest
    emit(
      {
        ...rest,
        ...(isOneClient && clientId !== undefined && { clientId }),
        count,
        firstAt,
        lastAt,
      },
      origin,
    )
  }

  return {
    emit(event, origin) {
      if (event.type !== 'client.refused') {
        emit(event, origin)
        return
      }
      const key = keyOf(event)
      const fold = folds.get(key)
      if (fold !== undefined && fold.written === AT_ONCE) {
        add(fold, event, { now: clock(), origin })
        return
      }
      emit(event, origin)
      if (fold === undefined) begin(key, event)
      else fold.written += 1
    },
    close() {
      for (const fold of [...folds.values()]) remove(fold)
    },
  }
}

/** When an event came, and from where. */
interface Seen {
  readonly now: number
  readonly origin: Origin | undefined
}

function add(fold: Fold, event: Refusal, seen: Seen): void {
  const { now, origin } = seen
  if (fold.count === 0) fold.firstAt = now
  fold.lastAt = now
  fold.isOneClient &&= fold.count === 0 || event.clientId === fold.latest.clientId
  fold.count += 1
  fold.latest = event
  fold.origin = origin
}

function empty(latest: Refusal) {
  return {
    latest,
    origin: undefined,
    count: 0,
    firstAt: 0,
    lastAt: 0,
    isOneClient: true,
  }
}

// Guesses at a registered client are told apart from others: they mustn't hide among ids that somebody made
// up, of which there may be any number.
function keyOf({ network, reason, clientId }: Refusal): string {
  return JSON.stringify([network, reason, ...(MADE_UP.has(reason) ? [] : [clientId])])
}
