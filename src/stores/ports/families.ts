// What refresh-token families need of a store (store.ts has the rest).
import type { NewStatusEntry } from './status-lists.ts'
import type { StoreUnavailable } from './unavailable.ts'
import type { User } from './subjects.ts'

/** Where a family lives. */
export interface FamilyRef {
  readonly userTag: string
  readonly sid: string
}

/**
 * One login and all that descends from it (docs/architecture.md). Its record has the same size from first to
 * last exchange.
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

/** What the owner of a session recognises it by, as it was at the login. */
export interface Device {
  /** As the user or the app called it; at most 64 characters. */
  readonly name: string | undefined
  /** The family of the User-Agent: `Firefox`, `okhttp`. */
  readonly userAgent: string | undefined
  /** The /24 or /64 that the login came from. */
  readonly network: string | undefined
}

/** The device of a session that an earlier release opened. */
export const NO_DEVICE: Device = {
  name: undefined,
  userAgent: undefined,
  network: undefined,
}

export interface Login extends FamilyRef {
  readonly clientId: string
  readonly scope: string
  readonly audience: readonly string[]
  /**
   * The subject's epoch when its password was checked: a login that lost a race against "end all sessions" is
   * refused.
   */
  readonly sessionsEpoch: number
  readonly idleMs: number
  readonly absoluteMs: number
  /** Binds the family to a key (RFC 9449 §5). */
  readonly jkt?: string | undefined
  /** Default: NO_DEVICE. No text in it holds a NUL. */
  readonly device?: Device | undefined
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

/** A living family, as its owner and an operator see it. */
export interface Session extends Family {
  readonly device: Device
  /** The login, or the last exchange that was no replay. */
  readonly lastUsedAt: number
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
   * Rules R1 to R8 of docs/architecture.md, in their order. Every exchange but a replay moves `idleUntil` on;
   * a replay changes nothing. Where R4 to R7 would go on, a client that asks for more than was granted is
   * refused instead; a reused token ends its family whatever it asks for. The status bits of an ended
   * family's tokens follow as soon as the store takes them: nobody repeats this call.
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
  /**
   * The tag of the user whose family has that sid, be it living or ended; undefined when no family is kept
   * under it. Walks over the store's sessions once: for an operator who knows no more.
   */
  ownerOf(sid: string): Promise<string | undefined>
}
