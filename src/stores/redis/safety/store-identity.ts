// Whether the store is still the one that it was. A random id, written once, tells it from a Redis that came
// back empty: that one knows no family and no revocation, which is no verdict. Then everything is refused
// until the data is back, or an operator or a time limit accepts the loss. Meanwhile every server puts back
// the revocations that it knows of.
import { monotonicClock, type Monotonic } from '../../../base/clock.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import { createIdentityRecords, type IdentityRecordsOptions } from './identity-records.ts'
import { createKnownIdentity } from './known-identity.ts'

/** How often in a row a doubt is looked into. */
const DOUBTS = 3
/**
 * For how long after the store's data came back what isn't there is no verdict: the question may have been
 * answered just before. Longer than an answer may be on its way; milliseconds.
 */
const SETTLE_MS = 1000

export interface StoreIdentityOptions extends IdentityRecordsOptions {
  /** Puts back what this server knows. */
  readonly restore: () => Promise<unknown>
  /** Called whenever the store is found to have lost its data, and when that is over. */
  readonly report: (isLost: boolean) => void
  /** Default: the system's. */
  readonly monotonic?: Monotonic
}

export interface StoreIdentity {
  /**
   * Checks whether the store is the one that it was, and acts on it if it isn't. After a restart with data of
   * another time revocations are put back; after a loss everything is refused.
   *
   * @throws StoreUnavailable when it can't be known
   */
  verify(): Promise<void>
  /**
   * To be called when something isn't there that might be.
   *
   * @throws StoreUnavailable where that is no verdict
   */
  doubt(): Promise<void>
}

/** Makes the watch over the store's identity. */
export function createStoreIdentity({
  restore,
  report,
  monotonic = monotonicClock,
  ...options
}: StoreIdentityOptions): StoreIdentity {
  const records = createIdentityRecords(options)
  let [isLost, isReportedLost] = [false, false]
  let knownProcesses: ReadonlySet<string> = new Set()
  let mustRestore = false
  /** When its data came back, by the monotonic clock. */
  let backAt = -Infinity

  function reportChange(isLostNow: boolean): void {
    if (isLostNow !== isReportedLost) report((isReportedLost = isLostNow))
  }

  const identity = createKnownIdentity({
    records,
    isLost: () => isLost,
    foundLoss() {
      isLost = true
      reportChange(true)
    },
  })

  async function noticeRestart(): Promise<void> {
    const ids = await records.processIds()
    mustRestore ||= [...ids].some(id => !knownProcesses.has(id))
    knownProcesses = new Set([...knownProcesses, ...ids])
  }

  async function check(): Promise<void> {
    // All at once: after a connection was lost every call waits for this.
    const [marks, isMarkedLost] = await Promise.all([
      records.read(),
      records.isLost(),
      noticeRestart(),
    ])
    const wasKnown = identity.isKnown()
    const isNew = await identity.adopt(marks)
    mustRestore ||= isNew
    isLost = isNew ? await records.isLost() : isMarkedLost
    if (isLost) reportChange(true)
    // Before anything is answered: what was revoked since the back-up must not live for a moment.
    if (mustRestore) await restore()
    mustRestore = false
    if (isLost) return
    if (isReportedLost || (isNew && wasKnown)) backAt = monotonic()
    identity.settle()
    reportChange(false)
  }

  // Many may ask at once; all of them wait for one check.
  let running: Promise<void> | undefined
  function verify(): Promise<void> {
    running ??= check().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    verify,
    async doubt() {
      // Joining a check that was already running proves nothing new.
      const isSame = async () => identity.isIn(await records.read())
      for (let times = 0; times < DOUBTS && !(await isSame()); times++) await verify()
      // A check that takes over another server's mark knows the mark before it knows of the loss.
      await running
      if (isLost) throw lossFault()
      if (monotonic() - backAt < SETTLE_MS) throw returnFault()
    },
  }
}

/** Why nothing is concluded of a store that has just come back. */
function returnFault(): StoreUnavailable {
  const message =
    'its data has just come back: what was missing a moment ago may be there'
  return new StoreUnavailable(new Error(message), message)
}

/** Why a store that lost its data is refused. */
export function lossFault(): StoreUnavailable {
  return new StoreUnavailable(
    new Error('the store has lost its data'),
    'it has lost its data: restore the back-up, or run `latchkey store accept` ' +
      '(docs/operations.md, Restore)',
  )
}
