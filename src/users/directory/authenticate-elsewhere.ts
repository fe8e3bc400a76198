// A login with directories elsewhere: an account of ours is checked as always, anybody else by the directory.
// Asking one holds no place among those that hash, and a refusal takes as long as the slowest of late.
import type { Monotonic } from '../../base/clock.ts'
import { clientClosedRequest, temporarilyUnavailable } from '../../oauth/errors.ts'
import type { Account } from '../../stores/ports/directory.ts'
import {
  createPlaceOf,
  type Authenticate,
  type Authentication,
  type LoginTry,
} from '../authenticate.ts'
import {
  createCopyPassword,
  createReviewPassword,
  type ReviewOptions,
} from '../copied-password.ts'
import type { FailedLogins } from '../failed-logins/failed-logins.ts'
import { checkByOwnName, resultOf } from '../failed-logins/own-name.ts'
import { createTimePadding, LONGEST_MS } from '../failed-logins/time-padding.ts'
import type { PasswordHasher } from '../hashing/hasher.ts'
import { NO_PASSWORD } from '../hashing/no-password.ts'
import type { Chain, ChainVerdict } from './chain.ts'
import type { Directory } from './directory.ts'
import { isShadowOf, type Identity, type Unavailable } from './external.ts'
import type { GuardedDirectory } from './guarded.ts'
import type { Shadows } from './shadows.ts'

export interface AuthenticateElsewhereOptions extends ReviewOptions {
  /** Checks accounts of ours. */
  readonly local: Authenticate
  readonly directory: Pick<
    Directory,
    | 'findLogin'
    | 'countedName'
    | 'upgradePassword'
    | 'setPassword'
    | 'byTag'
    | 'changePending'
  >
  readonly chain: Chain
  readonly shadows: Shadows
  readonly failedLogins: FailedLogins
  readonly hasher: PasswordHasher
  /** Milliseconds. */
  readonly monotonic: Monotonic
}

/** What is known of a login. */
interface Asked {
  readonly login: LoginTry
  /** What has the name here; undefined: nothing yet. */
  readonly shadow: Account | undefined
}

type Hash = Extract<ChainVerdict, { kind: 'hash' }>
type Right = Extract<ChainVerdict, { identity: Identity }>

/** The password was looked at by its copy, and lets nobody in while the directory is away. */
interface Away {
  readonly kind: 'away'
}

/** How long callers are asked to wait while a directory is away; seconds. */
const RETRY_AFTER_SECONDS = 2

/** Makes the check. */
export function createAuthenticateElsewhere(
  options: AuthenticateElsewhereOptions,
): Authenticate {
  const { local, directory, chain, failedLogins, monotonic } = options
  const judge = createJudge(options)
  const padding = createTimePadding(monotonic, { longestMs: longestCheck(chain) })

  async function checkElsewhere(asked: Asked): Promise<Authentication> {
    const { login, shadow } = asked
    const { verdict, settle } = await failedLogins.begin(login, shadow)
    if (verdict.kind === 'throttled') return { ...verdict, ...subOf(shadow) }
    if (verdict.kind === 'repeated') return refused('password_repeated', shadow)
    try {
      const outcome = await judge(asked)
      if (outcome.kind !== 'away') {
        // Who is unknown here may sign up elsewhere with that very password: counted, but not recognised.
        if (shadow || outcome.kind !== 'refused') await settle(resultOf(outcome))
        return outcome.kind === 'ok' ? { ...outcome, known: verdict.known } : outcome
      }
    } catch (error) {
      await settle('withdrawn')
      throw error
    }
    // It stays counted as a failure, but not as one that is recognised: it may be right when the directory is
    // back, and until then the very same try gets the very same answer.
    throw directoryAway()
  }

  return async asked => {
    // A directory may tell spellings apart. One rule for all names: none tells whose it is.
    const login = { ...asked, spelling: asked.name }
    const account = login.account ?? (await directory.findLogin(login.name))
    const startedAt = monotonic()
    const owner = account?.external?.directory
    // Who signed up here and proved nothing yet is nobody of ours: a directory may know them better.
    const isOurs =
      account !== undefined &&
      account.pending?.signUp !== true &&
      chain.find(String(owner)) === undefined
    const outcome = await (isOurs
      ? local(login)
      : checkElsewhere({ login, shadow: account }))
    const tookMs = monotonic() - startedAt
    if (outcome.kind === 'refused' && outcome.reason !== 'password_repeated') {
      padding.observe(tookMs, true)
      await padding.pad(tookMs)
    }
    return outcome
  }
}

/** For how long a check may last: all directories may be asked, each as long as it is given; milliseconds. */
function longestCheck({ directories }: Chain): number {
  const all = directories.reduce((sum, { settings }) => sum + settings.timeout, 0)
  return Math.max(LONGEST_MS, all)
}

/** Makes the step that asks and decides. Throws temporarily_unavailable while a directory is away. */
function createJudge(options: AuthenticateElsewhereOptions) {
  const { chain, hasher, failedLogins } = options
  const placeOf = createPlaceOf(options)
  const welcome = createWelcome(options)
  const givesHashes = chain.directories.some(each => each.givesHashes)
  const keepsCopies = chain.directories.some(
    ({ settings }) => settings.migrate === 'copy',
  )

  async function verify(login: LoginTry, hash: string, pepper = ''): Promise<boolean> {
    return hasher.enqueue(await placeOf(login), hashing =>
      hashing.verify(hash, login.password + pepper),
    )
  }

  /**
   * Only the right password gets in by its copy, and only where its own directory is away; every other login
   * gets the same answer. Those whose password was looked at count as failures.
   */
  async function whileAway(
    { login, shadow }: Asked,
    { by, scope }: Unavailable & { readonly by: GuardedDirectory },
  ): Promise<Authentication | Away> {
    if (!keepsCopies || scope !== undefined) throw directoryAway()
    const own = shadow?.external?.directory === by.settings.name ? shadow : undefined
    const isRight = await verify(login, own?.passwordHash ?? NO_PASSWORD)
    return isRight && own?.disabled === false
      ? { kind: 'ok', account: own, known: false }
      : { kind: 'away' }
  }

  async function checkHash(asked: Asked, verdict: Hash): Promise<Authentication> {
    const { login, shadow } = asked
    const outcome = await checkByOwnName({
      failedLogins,
      login,
      counted: shadow?.foldedName,
      ownName: verdict.identity.name,
      check: async () =>
        (await verify(login, verdict.passwordHash, verdict.pepper))
          ? welcome(asked, verdict)
          : refused('password_wrong', shadow),
    })
    return outcome.kind === 'repeated' ? refused('password_repeated', shadow) : outcome
  }

  return async function judge(asked: Asked): Promise<Authentication | Away> {
    const { login, shadow } = asked
    const { name, password, signal = new AbortController().signal } = login
    const verdict = await chain.verify(name, password, signal)
    if (signal.aborted) throw clientClosedRequest()
    switch (verdict.kind) {
      case 'unavailable':
        return whileAway(asked, verdict)
      case 'ok':
        return welcome(asked, verdict)
      case 'hash':
        return checkHash(asked, verdict)
      default:
        if (givesHashes) await verify(login, NO_PASSWORD)
        return refused(reasonOf(verdict), shadow)
    }
  }
}

/** Makes the step that lets somebody in whose password was right. */
function createWelcome(options: AuthenticateElsewhereOptions) {
  const { shadows, hasher, directory } = options
  const placeOf = createPlaceOf(options)
  const copy = createCopyPassword(directory)
  const review = createReviewPassword(options)

  return async function welcome(
    { login, shadow }: Asked,
    { by, identity }: Right & { readonly by: GuardedDirectory },
  ): Promise<Authentication> {
    if (identity.disabled) {
      const id = { directory: by.settings.name, id: identity.externalId }
      // Who has the name here may be somebody else: names are folded here, and may not be there.
      if (shadow !== undefined && isShadowOf(shadow.external, id)) {
        await shadows.drop(shadow)
      }
      return refused('user_disabled', shadow)
    }
    const outcome = await shadows.keep(by.settings, identity)
    if (outcome.kind === 'refused') return refused(outcome.reason, shadow)
    if (outcome.kind === 'unavailable') throw directoryAway()
    const { account } = outcome
    if (account.disabled) return refused('user_disabled', account)
    const kept =
      by.settings.migrate === 'none'
        ? account
        : await hasher.enqueue(await placeOf(login), hashing =>
            copy(hashing, account, login.password),
          )
    // After the turn: it may read a file.
    const reviewed = await review(by.settings, kept, login)
    return { kind: 'ok', account: reviewed, known: false }
  }
}

function reasonOf(
  verdict: Extract<ChainVerdict, { kind: 'wrong' | 'unknown' | 'barred' }>,
) {
  if (verdict.kind === 'barred') return verdict.reason
  return verdict.kind === 'wrong' ? 'password_wrong' : 'user_unknown'
}

function directoryAway() {
  return temporarilyUnavailable('directory_unavailable', RETRY_AFTER_SECONDS)
}

type Refused = Extract<Authentication, { kind: 'refused' }>

function refused(reason: Refused['reason'], account: Account | undefined): Refused {
  return { kind: 'refused', reason, ...subOf(account) }
}

function subOf(account: Account | undefined): { readonly sub?: string } {
  return account === undefined ? {} : { sub: account.sub }
}
