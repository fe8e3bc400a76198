// Which counts a try to log in touches, and how many failures each may have. The counting itself is one step
// of the store.
import { createHmac } from 'node:crypto'
import { deriveKeys } from '../secrets.ts'
import type { Account } from '../stores/ports.ts'
import type {
  LoginAttempt,
  LoginAttempts,
  LoginLimits,
  LoginResult,
  LoginVerdict,
} from '../stores/ports-logins.ts'
import { foldName } from './names.ts'
import { networkOf } from './network.ts'

/** As configured. */
export interface ThrottlePolicy {
  /** Failures without delay of one name from one network, of one network, and of one password. */
  readonly perName: number
  readonly perNetwork: number
  readonly perPassword: number
  /** Milliseconds. */
  readonly maxDelay: number
  /** How long a network stays known after a login; milliseconds. */
  readonly knownFor: number
}

/** What a try consists of. */
export interface Credentials {
  /** As it was typed. */
  readonly name: string
  readonly password: string
  /** Where the try comes from. */
  readonly address: string
}

export interface ThrottleOptions {
  readonly attempts: LoginAttempts
  /** The first one makes the ids. */
  readonly secrets: readonly string[]
  /** As set now. */
  readonly policy: () => ThrottlePolicy
}

/** A try that is being judged. */
export interface Throttled {
  readonly verdict: LoginVerdict
  /** Tells how an admitted try ended. */
  settle(result: LoginResult): Promise<void>
}

export interface Throttle {
  /** The id of the name at the network, without asking anybody. */
  pairOf(credentials: Credentials): string
  /** How many failures of one name from one network cost no delay. */
  allowance(): number
  /** Judges a try at an account, or at a name that has none, and counts it. Rejects with StoreUnavailable. */
  begin(credentials: Credentials, account: Account | undefined): Promise<Throttled>
}

const MINUTE = 60_000
const ID_BYTES = 16

// A client library that tries two ways of authenticating sends each wrong password twice.
const REPEAT_MS = MINUTE

// One failure is forgotten after each such span: an attacker who goes slow enough not to be throttled gets
// this rate.
const FORGET_MS = { pair: 60 * MINUTE, network: 5 * MINUTE, password: MINUTE }

/** Makes the throttle. */
export function createThrottle({ attempts, secrets, policy }: ThrottleOptions): Throttle {
  const idOf = createIdOf(secrets)
  // Names that nobody can have share one count: there is nothing to guess.
  const pairOf = ({ name, address }: Credentials) =>
    idOf('pair', foldName(name) ?? '', networkOf(address))

  function attemptOf(
    credentials: Credentials,
    account: Account | undefined,
  ): LoginAttempt {
    const { password, address } = credentials
    const pair = pairOf(credentials)
    return {
      pair,
      network: idOf('network', networkOf(address)),
      password: idOf('password', password.normalize('NFC')),
      // A password that was wrong may be right once another was set, or the user let in again.
      repeat: idOf(
        'repeat',
        pair,
        password,
        account?.passwordHash ?? '',
        String(account?.disabled),
      ),
    }
  }

  return {
    pairOf,
    allowance: () => policy().perName,
    async begin(credentials, account) {
      const attempt = attemptOf(credentials, account)
      const { knownFor } = policy()
      const limits = limitsOf(policy())
      const verdict = await attempts.begin(attempt, limits)
      const known = verdict.kind === 'admitted' && verdict.known
      return {
        verdict,
        settle: result =>
          attempts.settle({
            ...attempt,
            limits,
            known,
            result,
            knownForMs: knownFor,
            repeatMs: REPEAT_MS,
          }),
      }
    },
  }
}

// Keyed, so that who reads the store can't try out which name, network or password an id stands for.
function createIdOf(secrets: readonly string[]) {
  const [first] = deriveKeys(secrets, 'login-attempts')
  if (first === undefined) throw new TypeError('there is no secret')
  return (...parts: string[]) =>
    createHmac('sha256', first.key)
      .update(JSON.stringify(parts))
      .digest()
      .subarray(0, ID_BYTES)
      .toString('base64url')
}

function limitsOf({
  perName,
  perNetwork,
  perPassword,
  maxDelay,
}: ThrottlePolicy): LoginLimits {
  return {
    pair: { free: perName, forgetMs: FORGET_MS.pair },
    network: { free: perNetwork, forgetMs: FORGET_MS.network },
    password: { free: perPassword, forgetMs: FORGET_MS.password },
    maxDelayMs: maxDelay,
  }
}
