// What happened, for those who watch: the audit log and the metrics (observe/). The domain emits and doesn't care who listens.
// No event holds a token, a password or a secret.

/** Reason codes are shared by audit lines, logs and metrics; callers of the HTTP interface never see them. */
export type Event =
  | LoginEvent & { readonly type: 'login.succeeded', readonly sub: string, readonly sid: string, readonly networkKnown: boolean }
  | LoginEvent & { readonly type: 'login.failed', readonly reason: string, readonly sub?: string }
  | LoginEvent & { readonly type: 'login.throttled', readonly reason: string, readonly retryAfterSeconds: number }
  | { readonly type: 'password.upgraded', readonly sub: string }
  | {
    /** R4, R5, R6, R7 and R8 of DESIGN §5. */
    readonly type: 'refresh.rotated' | 'refresh.replayed' | 'refresh.late' | 'refresh.healed' | 'refresh.reused'
    readonly clientId: string
    readonly sub: string
    readonly sid: string
  }
  | { readonly type: 'refresh.refused', readonly clientId: string, readonly reason: string, readonly sid?: string }
  | { readonly type: 'client.refused', readonly reason: string, readonly clientId?: string }
  | { readonly type: 'token.revoked', readonly clientId: string, readonly kind: 'access_token' | 'refresh_token', readonly sid: string }
  | { readonly type: 'revocation.refused', readonly clientId: string, readonly reason: string, readonly sid: string }
  | { readonly type: 'introspected', readonly clientId: string, readonly active: boolean, readonly reason: string }
  | { readonly type: 'keys.changed', readonly kids: readonly string[] }
  | { readonly type: 'user.changed', readonly sub: string, readonly change: UserChange }
  /** One import, also one that was cut short. */
  | { readonly type: 'users.imported', readonly taken: number, readonly alreadyThere: number, readonly refused: number }

/** What every event of a login tells. */
interface LoginEvent {
  readonly clientId: string
  /** A keyed hash of the name, or with log.usernames the name as it was typed. */
  readonly username: string
  /** The /24 or /64 that the login came from. */
  readonly network: string
}

export type UserChange = 'added' | 'password' | 'disabled' | 'enabled' | 'access' | 'sessions_ended' | 'removed'

/** Tells whoever watches. Never throws and never waits. */
export type Emit = (event: Event) => void
