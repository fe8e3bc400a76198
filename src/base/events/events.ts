// The events that the domain emits. The audit log and the metrics (src/observe/) listen; the domain doesn't
// know them. No event holds a token, a password or a secret. src/observe/audit/audit-events.ts describes the
// events of the audit log.
import type { GroupChange, UserChange } from './changes.ts'
import type { MessageType } from './message-types.ts'
import type { Reason } from './reasons.ts'

/** What happened. */
export type Event = Routine | SecurityEvent

/** An event of every request, which the audit log leaves out. */
export type Routine =
  /** R4 and R5 of docs/architecture.md. */
  | (RefreshEvent & { readonly type: 'refresh.rotated' | 'refresh.replayed' })
  | {
      readonly type: 'introspected'
      readonly clientId: string
      readonly active: boolean
      readonly reason: Reason
    }

/** An event that the audit log records. */
export type SecurityEvent =
  | (LoginEvent & {
      readonly type: 'login.succeeded'
      readonly sub: string
      readonly sid: string
      readonly networkKnown: boolean
    })
  | (LoginEvent & {
      readonly type: 'login.failed'
      readonly reason: Reason
      readonly sub?: string
    })
  | (LoginEvent & {
      readonly type: 'login.throttled'
      readonly reason: Reason
      readonly retryAfterSeconds: number
      readonly sub?: string
    })
  | { readonly type: 'password.upgraded'; readonly sub: string }
  /** R6, R7 and R8. */
  | (RefreshEvent & {
      readonly type: 'refresh.late' | 'refresh.healed' | 'refresh.reused'
      readonly network: string
    })
  | {
      readonly type: 'refresh.refused'
      readonly clientId: string
      readonly network: string
      readonly reason: Reason
      readonly sid?: string
    }
  | {
      readonly type: 'client.refused'
      readonly reason: Reason
      /** How it meant to authenticate. */
      readonly method: ClientMethod
      /** The /24 or /64 that the request came from. */
      readonly network: string
      /** As the request named it: printable, and not too long. */
      readonly clientId?: string
      /** How many refusals this stands for; undefined: one, now. */
      readonly count?: number
      /** When the first and the last of them were. */
      readonly firstAt?: number
      readonly lastAt?: number
    }
  /** A client got a token of its own. */
  | {
      readonly type: 'token.issued'
      readonly clientId: string
      readonly network: string
      /** The token's id. */
      readonly jti: string
    }
  | {
      readonly type: 'token.revoked'
      readonly clientId: string
      readonly network: string
      readonly kind: 'access_token' | 'refresh_token'
      /** Absent: the token comes from no session. */
      readonly sid?: string
    }
  | {
      readonly type: 'revocation.refused'
      readonly clientId: string
      readonly network: string
      readonly reason: Reason
      /** Absent: the token comes from no session. */
      readonly sid?: string
    }
  | {
      readonly type: 'keys.changed'
      readonly kids: readonly string[]
      /** Absent: a server did it by itself. */
      readonly actor?: Actor
    }
  /** An operator ended one session. */
  | {
      readonly type: 'session.ended'
      readonly sub: string
      readonly sid: string
      readonly actor: Actor
    }
  | {
      readonly type: 'user.changed'
      readonly sub: string
      readonly change: UserChange
      /** Which attributes were changed; never their values. */
      readonly attributes?: readonly string[]
      /** Absent: a server did it by itself, which makes the demo user. */
      readonly actor?: Actor
    }
  /** A group of users, or who belongs to it. */
  | {
      readonly type: 'group.changed'
      /** Its id. */
      readonly group: string
      readonly change: GroupChange
      readonly actor?: Actor
    }
  /** Somebody asked for a new password. */
  | {
      readonly type: 'recovery.requested'
      /** As of a login. */
      readonly username: string
      readonly network: string
    }
  /** A ticket, or its code, was no good. */
  | {
      readonly type: 'ticket.refused'
      readonly purpose: 'verification' | 'recovery' | 'invitation'
      readonly network: string
      readonly reason: Reason
      /** Absent: it is nobody's. */
      readonly sub?: string
    }
  /** One import, also one that was cut short. */
  | {
      readonly type: 'users.imported'
      readonly imported: number
      readonly alreadyThere: number
      readonly refused: number
      /** Accounts that were there and were changed; absent: none. */
      readonly updated?: number
      readonly actor: Actor
    }
  /** All accounts were moved to another place. */
  | {
      readonly type: 'users.moved'
      readonly to: string
      readonly accounts: number
      readonly actor: Actor
    }
  /** A back-up took the place of what the store had. */
  | {
      readonly type: 'store.restored'
      /** When the back-up was taken, by the store's clock in milliseconds. */
      readonly takenAt: number
      readonly accounts: number
      readonly sessions: number
      readonly revocations: number
      /** Whether what the store had was given up for it. */
      readonly replaced: boolean
      readonly actor: Actor
    }
  /** A message was tried for notify.giveUp, or refused for good. */
  | {
      readonly type: 'message.abandoned'
      readonly way: 'webhook' | 'mail'
      readonly tries: number
      /** Why the last try failed: host, port and code. Absent: it could not be read here. */
      readonly error?: string
      /** Absent: it could not be read here. */
      readonly message?: MessageType
      /** Absent: it was asked for by a name. */
      readonly sub?: string
    }
  /** An account had enough notices of that type. */
  | {
      readonly type: 'message.withheld'
      readonly message: MessageType
      readonly sub: string
    }
  /** Servers go on without what the store has lost. */
  | { readonly type: 'store.accepted'; readonly actor: Actor }

/**
 * Who did it: at the command line the user of the operating system, at the management listener the client,
 * the operator's `sub` or the name of the static token.
 */
export type Actor = `${'cli' | 'client' | 'user' | 'token'}:${string}`

/** How a client authenticates, by its name in RFC 8414 and OpenID Connect Core §9. */
export type ClientMethod =
  'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none'

/** The fields of every event of a login. */
interface LoginEvent {
  readonly clientId: string
  /** A keyed hash of the name, or with log.usernames the name as it was typed. */
  readonly username: string
  /** The /24 or /64 that the login came from. */
  readonly network: string
}

/** The fields of every exchange of a refresh token. */
interface RefreshEvent {
  readonly clientId: string
  readonly sub: string
  readonly sid: string
}

/** The request in which something happened. */
export interface Origin {
  /** The log's lines about the request have it, too. */
  readonly id: string
  readonly headers: Readonly<Record<string, unknown>>
}

/** What is known of an account. */
export interface Known {
  readonly sub: string
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly emailVerified: boolean
  readonly pending?: { readonly signUp?: true } | undefined
}

/** What stands beside an event for whoever tells people and apps of it. No log gets it. */
export interface Aside {
  /** The account as it was. */
  readonly before?: Known
  /** Whose session it was; the event doesn't know the `sub`. */
  readonly userTag?: string
}

/** Notifies the listeners. Never throws and never waits. */
export type Emit = (event: Event, origin?: Origin, aside?: Aside) => void
