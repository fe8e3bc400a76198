// What the domain needs of a store, in the domain's words. Two adapters give it: sqlite/ and redis/.
// Each port has a file of its own. Every promise may reject with StoreUnavailable, and with nothing else.
// Instants (`…At`, `…Until`) are milliseconds since the epoch by the store's own clock; spans (`…Ms`) are
// milliseconds.
import type { AccessTokens } from './access-tokens.ts'
import type { AccountsHome } from './documents/accounts-home.ts'
import type { BuiltInDirectory } from './directory.ts'
import type { Families } from './families.ts'
import type { StoreCondition, StoreRisk } from './health.ts'
import type { Groups } from './documents/groups.ts'
import type { Keys } from './documents/keys.ts'
import type { LoginAttempts } from './login-attempts.ts'
import type { OutboxItems } from './outbox.ts'
import type { LoginRefusals } from './logins/refusals.ts'
import type { Replays } from './replays.ts'
import type { SecretLists } from './documents/secret-lists.ts'
import type { Sightings } from './documents/sightings.ts'
import type { StatusLists } from './status-lists.ts'
import type { Subjects } from './subjects.ts'
import type { Tickets } from './people/tickets.ts'

/** Everything a server keeps, and the only thing that the domain knows of Redis or SQLite. */
export interface Store {
  readonly families: Families
  readonly accessTokens: AccessTokens
  readonly subjects: Subjects
  readonly directory: BuiltInDirectory
  readonly loginAttempts: LoginAttempts
  readonly loginRefusals: LoginRefusals
  readonly keys: Keys
  readonly replays: Replays
  readonly sightings: Sightings
  readonly secretLists: SecretLists
  readonly groups: Groups
  readonly accountsHome: AccountsHome
  readonly statusLists: StatusLists
  readonly tickets: Tickets
  readonly outbox: OutboxItems
  /** The store's own clock. */
  now(): Promise<number>
  /** Writes and removes a mark: resolves when the store takes writes. */
  probe(): Promise<void>
  /** Looks at how the store is set up; empty when nothing is amiss. */
  inspect(): Promise<readonly StoreRisk[]>
  /**
   * In how many milliseconds a loss of data ends by itself that nobody has accepted; undefined: nothing is
   * lost.
   */
  lossEndsInMs(): Promise<number | undefined>
  /** What is known of the store right now, without asking it. */
  condition(): StoreCondition
  /**
   * Lets the servers go on without what the store has lost; false when nothing was, or somebody has done it
   * already.
   */
  acceptLoss(): Promise<boolean>
  /**
   * Brings what earlier releases have left into this release's form, where that would lock them out and is
   * not done at the start; resolves to how many records were carried over.
   */
  upgrade(): Promise<number>
  /** Lets go of every connection and timer. Resolves also when called twice. */
  close(): Promise<void>
}
