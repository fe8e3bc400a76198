// A directory elsewhere: whoever knows names and checks passwords, but keeps no sessions. It is asked at
// login and, beside refreshes, whether somebody is still there. Each kind of directory gives this port in a
// file or a folder of its own here; guarded.ts bounds it and chain.ts puts several in an order.
import type { ExternalId } from '../../stores/ports/directory.ts'

/** What a directory says of somebody. */
export interface Identity {
  /** What stays when everything else changes. 1 to 255 characters. */
  readonly externalId: string
  /** As the directory writes it. */
  readonly name: string
  readonly disabled: boolean
  /** By the names of attributes here; what isn't declared, or isn't valid, is left out. */
  readonly attributes: Readonly<Record<string, unknown>>
  /** Undefined: the directory doesn't say. */
  readonly emailVerified: boolean | undefined
  /** Whether an attribute (or `email_verified`) of which it says nothing stays as it is; default: none. */
  readonly keeps?: (attribute: string) => boolean
  /** Undefined: the directory doesn't say, and what was set here stays. */
  readonly roles?: readonly string[] | undefined
}

/** The directory didn't answer, or nothing that makes sense. Never a verdict. */
export interface Unavailable {
  readonly kind: 'unavailable'
  /**
   * What it is about, where the directory isn't away: `busy`, so many questions are open already,
   * or no connection was free; `question`, it refuses this one, and may answer others.
   */
  readonly scope?: 'busy' | 'question'
  /** For the log: names the fault, never a name, a password or a secret. */
  readonly fault: string
}

/** Nobody may log in with that name, whether or not the password is right: the directory says why. */
export interface Barred {
  readonly kind: 'barred'
  readonly reason:
    | 'user_disabled'
    | 'user_expired'
    | 'user_locked'
    | 'user_barred_now'
    | 'password_expired'
    | 'password_must_change'
}

/** What a directory says of a name and a password. */
export type Verdict =
  | { readonly kind: 'ok'; readonly identity: Identity }
  /** The directory gives the hash, and Latchkey checks the password. */
  | {
      readonly kind: 'hash'
      readonly identity: Identity
      readonly passwordHash: string
      /** What stands behind the password in what was hashed. */
      readonly pepper: string
    }
  | { readonly kind: 'wrong' | 'unknown' }
  | Barred
  | Unavailable

/** What a directory says of an id; `unasked`: it can't be asked. */
export type Lookup =
  | { readonly kind: 'found'; readonly identity: Identity }
  | { readonly kind: 'gone' | 'unasked' }
  | Unavailable

/** A name and a password that are to be checked. */
export interface ExternalAttempt {
  /** As it was typed, without what surrounded it. */
  readonly name: string
  /** As names are compared here. */
  readonly foldedName: string
  /** Never empty, without NUL, at most MAX_PASSWORD_BYTES long. */
  readonly password: string
}

/** A directory elsewhere. No promise rejects for a fault of the directory: that is `unavailable`. */
export interface ExternalDirectory {
  /** Checks a name and a password. `signal` aborts at the deadline, or when nobody waits any more. */
  verify(attempt: ExternalAttempt, signal: AbortSignal): Promise<Verdict>
  /** Asks for what is known of an id now. */
  lookup(externalId: string, signal: AbortSignal): Promise<Lookup>
  /** Lets go of every connection. */
  close(): Promise<void>
}

/** What the configuration says of any directory. */
export interface ExternalSettings {
  /** Stands in the store, in metrics and in logs. */
  readonly name: string
  /** `copy`: the password is kept here, as a hash, after the first login. */
  readonly migrate: 'none' | 'copy'
  /** `external`: `sub` is the directory's id. */
  readonly sub: 'own' | 'external'
  /** The scopes that its users may hold; undefined: whatever the client may ask for. */
  readonly scopes?: readonly string[] | undefined
  /** The deadline of one question, with the wait for a connection; milliseconds. */
  readonly timeout: number
  /** How many questions may be open at once. */
  readonly maxInFlight: number
}

/** A directory with what the configuration says of it. */
export interface NamedDirectory extends ExternalDirectory {
  readonly settings: ExternalSettings
  /** Whether it gives hashes: `verify` never says `ok` or `wrong`. */
  readonly givesHashes: boolean
  /** Whether it bears to be asked for an id that it has never given; an app may fail at one. */
  readonly takesAnyId?: true
}

/** A longer password is wrong, and no directory is asked. */
export const MAX_PASSWORD_BYTES = 1024

/** Whether an account is the shadow of that id. */
export function isShadowOf(
  external: ExternalId | undefined,
  { directory, id }: ExternalId,
): boolean {
  return external?.directory === directory && external.id === id
}
