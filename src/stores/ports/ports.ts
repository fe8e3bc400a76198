// What the domain needs of a store, in the domain's words. Two adapters give it: sqlite/ and redis/.
// Every promise below may reject with StoreUnavailable, and with nothing else: a fault is never a verdict.
// Instants (`…At`, `…Until`) are milliseconds since the epoch by the store's own clock; spans (`…Ms`) are
// milliseconds.

import type { StoreCondition, StoreRisk } from './health.ts'
import type { Keys, Sightings } from './keys.ts'
import type { LoginAttempts } from './logins.ts'
import type { SecretLists } from './secret-lists.ts'
import type { NewStatusEntry, StatusEntry, StatusLists } from './status-lists.ts'

/**
 * The store failed, timed out or is known to be down. The caller answers 503; nothing may be concluded from
 * it.
 */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
  /**
   * For whoever runs the server, never for a client, and without a secret: what is the matter with what, and
   * what to do.
   */
  readonly reason: string

  constructor(cause: unknown, reason: string) {
    super(`the store is unavailable: ${reason}`, { cause })
    this.reason = reason
  }
}

/** Everything a server keeps, and the only thing that the domain knows of Redis or SQLite. */
export interface Store {
  readonly families: Families
  readonly accessTokens: AccessTokens
  readonly users: Users
  readonly loginAttempts: LoginAttempts
  readonly keys: Keys
  readonly replays: Replays
  readonly sightings: Sightings
  readonly secretLists: SecretLists
  readonly statusLists: StatusLists
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
  /** Lets go of every connection and timer. Resolves also when called twice. */
  close(): Promise<void>
}

/** What grants and introspection are told of a user, in the same round trip as the verdict. */
export interface User {
  readonly sub: string
  /** As the user writes it. */
  readonly name: string
  /** The scopes that the user may hold; null: whatever the client may ask for. */
  readonly scopes: readonly string[] | null
  readonly roles: readonly string[]
}

/** Where a family lives. */
export interface FamilyRef {
  readonly userTag: string
  readonly sid: string
}

/**
 * One login and all that descends from it (DESIGN §5). Its record has the same size from first to last
 * exchange.
 */
export interface Family extends FamilyRef {
  readonly clientId: string
  /** Thumbprint of the key that its refresh tokens are bound to (RFC 9449 §5); undefined: none. */
  readonly jkt: string | undefined
  /** Space-separated, as granted at login; never wider later. */
  readonly scope: string
  readonly audience: readonly string[]
  readonly startedAt: number
  /** Ends then unless it is refreshed before. */
  readonly idleUntil: number
  /** Ends then whatever happens. */
  readonly endsAt: number
}

export interface Login extends FamilyRef {
  readonly clientId: string
  readonly scope: string
  readonly audience: readonly string[]
  /**
   * The account's epoch when its password was checked: a login that lost a race against "end all sessions" is
   * refused.
   */
  readonly epoch: number
  readonly idleMs: number
  readonly absoluteMs: number
  /** Binds the family to a key (RFC 9449 §5). */
  readonly jkt?: string | undefined
  /** Where the status of its first access token is told; it is noted with the login. */
  readonly status?: NewStatusEntry | undefined
}

/** A refresh token whose tag was found right, and the policy under which it is judged. */
export interface Presented extends FamilyRef {
  readonly generation: number
  readonly clientId: string
  readonly idleMs: number
  readonly reuseGraceMs: number
  /** What a token presented after the grace does (R6): burn its unconfirmed successor, or end the family. */
  readonly lateRetry: 'burn' | 'refuse'
  /** What the client asks for, where it asks: more than was granted is refused, and the token isn't spent. */
  readonly scope?: readonly string[] | undefined
  readonly audience?: readonly string[] | undefined
  /** Thumbprint of the key that the client proved to hold (RFC 9449). */
  readonly jkt?: string | undefined
  /**
   * Where the status of the next access token is told; it is noted with the exchange, also with one that is
   * replayed.
   */
  readonly status?: NewStatusEntry | undefined
}

/** Why a family can't be used. Codes go to logs, metrics and audit events, never to the caller. */
export type Refusal =
  | 'family_unknown'
  | 'family_ended'
  | 'family_idle'
  | 'family_expired'
  | 'client_mismatch'
  | 'key_mismatch'
  | 'user_unknown'
  | 'user_disabled'
  | 'sessions_ended'

export type OpenOutcome =
  | { readonly kind: 'opened'; readonly family: Family; readonly user: User }
  | { readonly kind: 'refused'; readonly reason: Refusal }

/** The client asks for more than was granted at login. */
export type Wider = 'scope_wider' | 'audience_wider'

export type RotateOutcome =
  /** R4, R5, R6, R7: go on with `generation`. */
  | {
      readonly kind: 'rotated' | 'replayed' | 'late' | 'healed'
      readonly generation: number
      readonly family: Family
      readonly user: User
      /** R7: why what was done may not last; to be thrown once it was told. */
      readonly fault?: StoreUnavailable | undefined
    }
  /** R8: the family was ended by this call. `fault` as above. */
  | {
      readonly kind: 'reused'
      readonly family: Family
      readonly user: User
      readonly fault?: StoreUnavailable | undefined
    }
  /** R1, R2, R3, or asking for more: nothing changed. */
  | { readonly kind: 'refused'; readonly reason: Refusal | Wider }

export type PeekOutcome =
  | { readonly kind: 'active'; readonly family: Family; readonly user: User }
  | { readonly kind: 'refused'; readonly reason: Refusal | 'superseded' }

export interface EndRequest extends FamilyRef {
  /** Only this client may end it; null: an operator does. */
  readonly clientId: string | null
}

export type EndOutcome = 'ended' | 'already_ended' | 'family_unknown' | 'client_mismatch'

/** A living family, as an operator sees it. */
export interface Session extends Family {
  readonly generation: number
  /** How often R6 burned an unconfirmed successor. */
  readonly lateCount: number
}

/**
 * The refresh-token families. Each call is one atomic step; making it twice with the same arguments has the
 * effect of once.
 */
export interface Families {
  /**
   * Starts a family at generations prev 0, cur 1, if the user is still there, enabled and in the same epoch.
   * Durable when it resolves.
   */
  open(login: Login): Promise<OpenOutcome>
  /**
   * Rules R1 to R8 of DESIGN §5, in their order. Every exchange but a replay moves `idleUntil` on; a replay
   * changes nothing. Where R4 to R7 would go on, a client that asks for more than was granted is refused
   * instead; a reused token ends its family whatever it asks for. The status bits of an ended family's tokens
   * follow as soon as the store takes them: nobody repeats this call.
   */
  rotate(presented: Presented): Promise<RotateOutcome>
  /**
   * Whether the refresh token would be taken as current, changing nothing: R1 and R3, then `active` for t =
   * cur, for t = prev within the grace, and for what R7 would heal; else `superseded`. `clientId` isn't
   * compared: who may ask is the caller's question.
   */
  peek(
    presented: Omit<
      Presented,
      'clientId' | 'lateRetry' | 'idleMs' | 'scope' | 'audience' | 'jkt' | 'status'
    >,
  ): Promise<PeekOutcome>
  /**
   * Ends the family, leaving a tombstone until its absolute end, and sets the status bits of its living
   * tokens, also when it had ended before. Durable when it resolves. Another client's call changes nothing.
   */
  end(request: EndRequest): Promise<EndOutcome>
  /** The living families of a user, the newest first; empty for an unknown user. */
  list(userTag: string): Promise<readonly Session[]>
}

/** Where an access token is judged. */
export interface AccessTokenRef extends FamilyRef {
  readonly jti: string
}

export type CheckOutcome =
  | { readonly kind: 'active'; readonly user: User }
  | { readonly kind: 'refused'; readonly reason: Refusal | 'token_revoked' }

/** The revocation list, and the question that it exists for. */
export interface AccessTokens {
  /**
   * Puts the token on the list until it would have expired, and sets its status bit where it has one. Durable
   * when it resolves; repeating it is harmless.
   */
  revoke(
    token: AccessTokenRef & {
      readonly expiresAt: number
      readonly status?: StatusEntry | undefined
    },
  ): Promise<void>
  /**
   * Whether the token lives: it isn't on the list, its family is known and neither ended nor past its ends,
   * its user enabled and in the family's epoch. (No access token is made to outlive its family.) Signature
   * and times were checked by the caller.
   */
  check(token: AccessTokenRef): Promise<CheckOutcome>
}

/** A user with what only authentication may see. */
export interface Account extends User {
  /** `userTag(sub)`. */
  readonly tag: string
  /** The name as it is compared (users/names/names.ts); unique. */
  readonly foldedName: string
  /** A PHC string. */
  readonly passwordHash: string
  readonly disabled: boolean
  /**
   * Counts "end all sessions": families of an earlier epoch are dead. Starts at 1, or later after a removed
   * account of the same `sub`.
   */
  readonly epoch: number
  readonly createdAt: number
}

export type NewAccount = Omit<Account, 'epoch' | 'createdAt'>

/**
 * The accounts. A call that names an unknown tag changes nothing and answers false. What ends sessions sets
 * the status bits of their living tokens, too.
 */
export interface Users {
  /** Adds the account; `name_taken` changes nothing. */
  add(account: NewAccount): Promise<'added' | 'name_taken'>
  /** Adds several accounts, each as `add` does, and tells which of them were added. */
  addAll(accounts: readonly NewAccount[]): Promise<ReadonlySet<NewAccount>>
  byName(foldedName: string): Promise<Account | undefined>
  byTag(tag: string): Promise<Account | undefined>
  /** Sets the hash and ends all sessions, in one step. Durable when it resolves. */
  setPassword(tag: string, passwordHash: string): Promise<boolean>
  /** Replaces the hash if it still is `from`; sessions live on. False when it wasn't. */
  upgradePassword(tag: string, from: string, to: string): Promise<boolean>
  /** Disabling ends all sessions in the same step; enabling brings none back. Durable when it resolves. */
  setDisabled(tag: string, disabled: boolean): Promise<boolean>
  /** What the user may hold from the next token on. */
  setAccess(tag: string, access: Pick<User, 'scopes' | 'roles'>): Promise<boolean>
  /** Ends every session of the user. Durable when it resolves. */
  endSessions(tag: string): Promise<boolean>
  /** Removes the account, its name and with them every session. Durable when it resolves. */
  remove(tag: string): Promise<boolean>
  /**
   * Every account, in no order that can be relied on; one that is added or removed meanwhile may be missing.
   */
  all(): AsyncIterable<Account>
}

/** What may be used once: the ids of DPoP proofs (RFC 9449 §11.1) and of client assertions (RFC 7523 §3). */
export interface Replays {
  /**
   * Takes note of an id for `forMs`, at least 1.
   *
   * @returns whether it is the first time. Repeating a call whose answer was lost says false: a proof is made
   * anew
   */
  once(id: string, forMs: number): Promise<boolean>
}
