// How the store is, for operators: whether it takes writes, and what about its set-up puts the data at risk.
// Tells the log and the metrics.
import type { Clock } from '../base/clock.ts'
import { every } from '../base/repeat.ts'
import type { Store } from './ports/store.ts'
import type { StoreUnavailable } from './ports/unavailable.ts'
import type { StoreCheck, StoreCondition, StoreRisk } from './ports/health.ts'

/** Further apart, and times are judged wrongly; milliseconds. */
const CLOCK_TOLERANCE_MS = 5_000

const PROBE_MS = 5_000
const INSPECT_MS = 60_000
const NOTICE_MS = 1_000

/** What to do about a store that has lost its data. */
export const LOST_ADVICE =
  'everything is answered 503 until the back-up is restored, or `latchkey store accept`, or the end of ' +
  'store.lossPeriod (docs/operations.md, Restore)'

export interface StoreWatchOptions {
  readonly store: Store
  /** This server's clock. */
  readonly clock: Clock
  readonly log: { warn(message: string): void }
  readonly metrics: {
    setStoreUp(up: boolean): void
    showStore(condition: () => StoreCondition): void
    setStoreRisks(checks: readonly StoreCheck[]): void
  }
}

export interface StoreWatch {
  /** Looks at how the store is set up, and warns of what is new. Never rejects. */
  inspect(): Promise<void>
  /** Tries a write. Never rejects. */
  probe(): Promise<void>
  /** Tells the log when the store is found to have lost its data, and when that is over. */
  notice(): void
  /** For probes. */
  state(): StoreState
}

/** `lost` is worse than `failing`, which is that the last write wasn't taken. */
export interface StoreState {
  readonly store: 'ok' | 'failing' | 'lost'
  /** What is the matter, and what to do. */
  readonly advice?: string
}

/** Makes the watch. The store was reached just now. */
export function createStoreWatch({
  store,
  clock,
  log,
  metrics,
}: StoreWatchOptions): StoreWatch {
  let failing: string | undefined
  let wasLost = false
  let known: ReadonlySet<StoreCheck> = new Set()
  metrics.setStoreUp(true)
  metrics.showStore(() => store.condition())

  function judge(risks: readonly StoreRisk[]): void {
    for (const { check, advice } of risks) if (!known.has(check)) log.warn(advice)
    known = new Set(risks.map(({ check }) => check))
    metrics.setStoreRisks([...known])
  }

  /** `reason`: why it takes no writes; undefined: it does. */
  function report(reason: string | undefined): void {
    if (reason !== failing) {
      log.warn(
        reason === undefined
          ? 'the store takes writes again'
          : `the store takes no writes: ${reason}`,
      )
    }
    failing = reason
    metrics.setStoreUp(reason === undefined)
  }

  return {
    // A store that fails is told of by the probe.
    inspect: () => risksOf(store, clock).then(judge, () => {}),
    probe: () =>
      store.probe().then(
        () => report(undefined),
        ({ reason }: StoreUnavailable) => report(reason),
      ),
    notice() {
      const { isLost } = store.condition()
      if (isLost !== wasLost) {
        log.warn(
          isLost
            ? `the store has lost its data: ${LOST_ADVICE}`
            : "the store's data is back, or its loss is accepted, or its time is over: what is unknown " +
                'is refused from now on',
        )
      }
      wasLost = isLost
    },
    state() {
      if (store.condition().isLost) return { store: 'lost', advice: LOST_ADVICE }
      return failing === undefined
        ? { store: 'ok' }
        : { store: 'failing', advice: failing }
    },
  }
}

/**
 * Starts the watch: looks at the store at once and again and again.
 *
 * @param parts takes the timers, to be ended with the server
 */
export async function startStoreWatch(
  options: StoreWatchOptions,
  parts: AsyncDisposableStack,
): Promise<StoreWatch> {
  const watch = createStoreWatch(options)
  await watch.inspect()
  parts.defer(every(PROBE_MS, watch.probe))
  parts.defer(every(INSPECT_MS, watch.inspect))
  parts.defer(every(NOTICE_MS, async () => watch.notice()))
  return watch
}

/**
 * What puts the store's data at risk, a clock that differs from ours included. Rejects with StoreUnavailable.
 */
export async function risksOf(store: Store, clock: Clock): Promise<readonly StoreRisk[]> {
  const before = clock()
  const now = await store.now()
  const apartMs = Math.abs(now - (before + clock()) / 2)
  const clockRisk: StoreRisk = {
    check: 'clock',
    advice:
      `the clocks of this server and of the store are ${Math.round(apartMs / 1000)} s apart: ` +
      'synchronise both (NTP)',
  }
  return [
    ...(apartMs > CLOCK_TOLERANCE_MS ? [clockRisk] : []),
    ...(await store.inspect()),
  ]
}

/** Risks that an operator has taken. */
export interface AllowedRisks {
  readonly allowEviction: boolean
  readonly allowNoAuthentication: boolean
}

/**
 * Lets a server start in spite of these risks, or not.
 *
 * @throws Error that says what to set
 */
export function refuseRisks(
  risks: readonly StoreRisk[],
  { allowEviction, allowNoAuthentication }: AllowedRisks,
): void {
  const refused = risks.filter(
    ({ check }) =>
      (check === 'eviction' && !allowEviction) ||
      (check === 'authentication' && !allowNoAuthentication),
  )
  if (refused.length > 0) throw new Error(refused.map(({ advice }) => advice).join('\n'))
}
