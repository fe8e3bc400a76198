// What the core is made of.
import type { Clock, Monotonic } from '../base/clock.ts'
import type { Emit } from '../base/events/events.ts'
import type { Random } from '../base/random.ts'
import type { KeySource } from '../keys/external/key-source.ts'
import type { Outgoing } from '../self-service/outgoing.ts'
import type { AddressCounts } from '../stores/ports/address-counts.ts'
import type { Store } from '../stores/ports/store.ts'
import type { IsBreached } from '../users/new-password.ts'
import type { Instruments } from './instruments.ts'
import type { CoreSettings } from './settings.ts'

/** What createCore is given. */
export interface CoreOptions {
  readonly settings: CoreSettings
  readonly store: Store
  /** Where all replicas count together; default: each counts by itself. */
  readonly addressCounts?: AddressCounts | undefined
  /** By which tokens are dated and judged. */
  readonly clock: Clock
  /** The store's clock; default: it is asked, and nobody listens in. */
  readonly storeNow?: () => Promise<number>
  /** Milliseconds of a clock that only runs forward; default: the process's own. */
  readonly monotonic?: Monotonic
  /** Default: the system's. */
  readonly random?: Random
  /** Told of what happens: the metrics and the audit log hear of it. */
  readonly emit: Emit
  /** Keys that are kept elsewhere; undefined: the ring makes its own. */
  readonly source?: KeySource | undefined
  /** Whether a password stands on a list of breached ones; default: there is no list. */
  readonly isBreached?: IsBreached
  /** Takes what self-service sends; default: the outbox. */
  readonly outgoing?: Outgoing
  /** Default: nothing is measured. */
  readonly instruments?: Instruments
}

/** The same, with what was left out of it. */
export interface ComposeOptions extends CoreOptions {
  readonly instruments: Instruments
  readonly monotonic: Monotonic
  readonly random: Random
}
