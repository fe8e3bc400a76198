// Checks a name and a password: in turn, throttled, and so that no refusal tells why.
import { monotonicClock, type Monotonic } from '../base/clock.ts'
import type { Emit, Origin } from '../base/events/events.ts'
import type { Account } from '../stores/ports/directory.ts'
import type { ThrottledBy } from '../stores/ports/login-attempts.ts'
import type { Barred } from './directory/external.ts'
import type { Directory } from './directory/directory.ts'
import { createTimePadding } from './failed-logins/time-padding.ts'
import { networksOf } from './failed-logins/network.ts'
import type { Hashing, PasswordHasher } from './hashing/hasher.ts'
import type { QueueRequest } from './hashing/queue.ts'
import { asChecked, mustChangePassword, noteRequiredChange } from './required-change.ts'
import type { Credentials, FailedLogins } from './failed-logins/failed-logins.ts'

/** A try to log in. */
export interface LoginTry extends Credentials {
  /** Whose password it should be, where that is known already; `name` is its name then. */
  readonly account?: Account
  readonly clientId: string
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal
  /** The request as audit events name it. */
  readonly origin?: Origin
}

/** What comes of it. */
export type Authentication =
  /** `known`: the user logged in from this network before. */
  | { readonly kind: 'ok'; readonly account: Account; readonly known: boolean }
  | {
      readonly kind: 'refused'
      readonly reason:
        | 'user_unknown'
        | 'password_wrong'
        | 'user_disabled'
        | 'user_unverified'
        | 'password_repeated'
        | 'directory_name_taken'
        | Barred['reason']
      readonly sub?: string
    }
  | {
      readonly kind: 'throttled'
      readonly by: ThrottledBy
      readonly retryAfterMs: number
      readonly sub?: string
    }

/**
 * Checks a name and a password. Every refusal takes the time of a wrong password, but a repeated one, which
 * costs nothing whether the name exists or not. A hash of an old cost or of another algorithm is made anew on
 * the way. Rejects with StoreUnavailable, and with OAuthError temporarily_unavailable when no turn is to be
 * had in time.
 */
export type Authenticate = (login: LoginTry) => Promise<Authentication>

export interface AuthenticateOptions {
  readonly directory: Pick<
    Directory,
    'findLogin' | 'countedName' | 'verify' | 'upgradePassword' | 'byTag' | 'changePending'
  >
  readonly hasher: PasswordHasher
  readonly failedLogins: FailedLogins
  readonly emit: Emit
  /** A clock that never goes back; milliseconds. */
  readonly monotonic?: Monotonic
}

/** A verdict, and how long it took to look at the password. */
interface Judged {
  readonly outcome: Authentication
  readonly tookMs?: number
}

/** Makes the check. */
export function createAuthenticate(options: AuthenticateOptions): Authenticate {
  const { directory, hasher, failedLogins, monotonic = monotonicClock } = options
  const timePadding = createTimePadding(monotonic)
  const upgrade = createUpgrade(options)

  async function look(
    hashing: Hashing,
    account: Account | undefined,
    password: string,
  ): Promise<Judged> {
    const startedAt = monotonic()
    const isRight = await directory.verify({ account, password, hashing })
    const tookMs = monotonic() - startedAt
    timePadding.observe(
      tookMs,
      hasher.needsUpgrade(account?.passwordHash ?? hasher.dummyHash),
    )
    return { outcome: verdictOf(account, isRight), tookMs }
  }

  async function judge(hashing: Hashing, login: LoginTry): Promise<Judged> {
    const found = login.account ?? (await directory.findLogin(login.name))
    const { verdict, settle } = await failedLogins.begin(login, found)
    if (verdict.kind === 'throttled') {
      return { outcome: { ...verdict, ...subOf(found) } }
    }
    if (verdict.kind === 'repeated') {
      return { outcome: refused('password_repeated', found) }
    }
    const judged = await look(hashing, found, login.password).catch(
      async (error: unknown) => {
        await settle('withdrawn')
        throw error
      },
    )
    const { outcome } = judged
    await settle(outcome.kind === 'ok' ? 'succeeded' : 'failed')
    if (outcome.kind !== 'ok') return judged
    const account = await upgrade(hashing, outcome.account, login)
    return { outcome: { ...outcome, account, known: verdict.known } }
  }

  const placeOf = createPlaceOf(options)

  return async login => {
    const { outcome, tookMs } = await hasher.enqueue(await placeOf(login), hashing =>
      judge(hashing, login),
    )
    // After the turn, which is somebody else's by now.
    if (tookMs !== undefined) await timePadding.pad(tookMs)
    return outcome
  }
}

/** Makes the function that says where a login stands among those that hash. */
export function createPlaceOf({
  directory,
  hasher,
  failedLogins,
}: Pick<AuthenticateOptions, 'hasher' | 'failedLogins'> & {
  readonly directory: Pick<Directory, 'countedName'>
}): (login: LoginTry) => Promise<QueueRequest> {
  const isWelcome = async (login: LoginTry) =>
    failedLogins.isWelcome({ ...login, name: await directory.countedName(login.name) })

  return async login => {
    const { clientId, address, signal } = login
    return {
      lane: [clientId, ...networksOf(address).toReversed()],
      // Where nobody waits it makes no difference, and the question is saved.
      known: !hasher.isFree() && (await isWelcome(login)),
      key: { id: failedLogins.pairOf(login), atOnce: failedLogins.allowance() },
      ...(signal !== undefined && { signal }),
    }
  }
}

function verdictOf(account: Account | undefined, isRight: boolean): Authentication {
  if (account === undefined) return refused('user_unknown', account)
  if (!isRight) return refused('password_wrong', account)
  if (account.disabled) return refused('user_disabled', account)
  return account.pending?.signUp === true
    ? refused('user_unverified', account)
    : { kind: 'ok', account, known: false }
}

type Refused = Extract<Authentication, { kind: 'refused' }>

function refused(reason: Refused['reason'], account: Account | undefined): Refused {
  return { kind: 'refused', reason, ...subOf(account) }
}

function subOf(account: Account | undefined): { readonly sub?: string } {
  return account === undefined ? {} : { sub: account.sub }
}

/**
 * Makes a hash anew that isn't of today's cost, once: of many logins at once one takes the trouble, and one
 * of all servers succeeds. Resolves to the account; to another version of it where that was noted.
 */
function createUpgrade({ directory, hasher, emit }: AuthenticateOptions) {
  const upgrading = new Set<string>()

  /** It is the same password still. */
  async function keepMark(account: Account): Promise<Account> {
    await noteRequiredChange(directory, account, true)
    return asChecked(directory, account)
  }

  return async (
    hashing: Hashing,
    account: Account,
    { password, origin }: LoginTry,
  ): Promise<Account> => {
    const { sub, tag, passwordHash } = account
    if (upgrading.has(tag) || !hasher.needsUpgrade(passwordHash)) return account
    upgrading.add(tag)
    try {
      const better = await hashing.hash(password)
      // False when another server's login was faster: it has told.
      if (!(await directory.upgradePassword(account, better))) return account
      emit({ type: 'password.upgraded', sub }, origin)
      return mustChangePassword(account)
        ? await keepMark({ ...account, passwordHash: better })
        : account
    } finally {
      upgrading.delete(tag)
    }
  }
}
