// This folder delays and refuses logins after failures: of a name, of a network, of a password. It checks no
// password, and the store does the counting in one step. src/users/authenticate.ts calls it for every login.
import { createHmac } from 'node:crypto'
import { deriveKeys } from '../../base/secrets.ts'
import type { Account } from '../../stores/ports/directory.ts'
import type {
  FailureLimit,
  LoginAttempt,
  LoginAttempts,
  LoginCount,
  LoginResult,
  LoginVerdict,
} from '../../stores/ports/login-attempts.ts'
import { batchCalls } from './batch-calls.ts'
import { foldName } from '../names/user-name.ts'
import { networkOf, networksOf } from './network.ts'

/** As configured. */
export interface FailedLoginsPolicy {
  /** Failures without delay of one name from one network, of one network, and of one password. */
  readonly perName: number
  readonly perNetwork: number
  readonly perPassword: number
  /** Milliseconds. */
  readonly maxDelay: number
  /** How long a network stays known after a login; milliseconds. */
  readonly knownFor: number
}

/** The credentials of a login. */
export interface Credentials {
  /** As it was typed. */
  readonly name: string
  /** The same, where another spelling may be somebody else: a try with that isn't this one again. */
  readonly spelling?: string
  readonly password: string
  /** The address of the caller. */
  readonly address: string
}

export interface FailedLoginsOptions {
  readonly attempts: LoginAttempts
  /** The first one makes the ids. */
  readonly secrets: readonly string[]
  /** As set now. */
  readonly policy: () => FailedLoginsPolicy
}

/** A login that was judged. */
export interface JudgedLogin {
  readonly verdict: LoginVerdict
  /** Reports how an admitted login ended. */
  settle(result: LoginResult): Promise<void>
}

export interface FailedLogins {
  /** The id of the name at the network; asks no store. */
  pairOf(credentials: Credentials): string
  /** How many failures of one name from one network are free of delay. */
  allowance(): number
  /**
   * Whether the user logged in from this network before and nothing delays them now, whatever the password.
   * Rejects with StoreUnavailable.
   */
  isWelcome(credentials: Credentials): Promise<boolean>
  /**
   * Whether the user of that name logged in from that network before, whatever has failed since. Rejects with
   * StoreUnavailable.
   */
  isKnown(name: string, network: string): Promise<boolean>
  /**
   * Judges a login and counts it, whether the name has an account or not: by the account's own name, however
   * it was called. Rejects with StoreUnavailable.
   */
  begin(credentials: Credentials, account: Account | undefined): Promise<JudgedLogin>
  /**
   * Forgets the failures of a name from these networks or addresses, and from the wider ones around them;
   * gives how many counts that were. Rejects with StoreUnavailable.
   */
  forget(name: string, networks: readonly string[]): Promise<number>
}

const MINUTE = 60_000
const ID_BYTES = 16

// A client library that tries two ways of authenticating sends each wrong password twice.
const REPEAT_MS = MINUTE

// One failure is forgotten after each such span. An attacker who stays below the limits gets this rate.
const FORGET_MS = { pair: 60 * MINUTE, network: 5 * MINUTE, password: MINUTE }

// A wider network holds more people: each step up multiplies what is allowed, and the speed of forgetting, by
// this.
const WIDER_TIMES = 2

/** Makes the limits on failed logins. */
export function createFailedLogins({
  attempts,
  secrets,
  policy,
}: FailedLoginsOptions): FailedLogins {
  const idOf = createIdOf(secrets)
  // An invalid name counts as it was typed: typing errors of different users stay apart.
  const pairIn = (name: string, network: string) =>
    idOf('pair', foldName(name) ?? name, network)

  const attemptOf = createAttemptOf({ idOf, pairIn, policy })

  const isWelcome = batchCalls((ids: readonly string[]) => {
    const { pairLimit: limit, maxDelayMs } = limitsOf(policy())
    const pairs = ids.map(id => ({ by: 'pair' as const, id, limit }))
    return attempts.areWelcome(pairs, maxDelayMs)
  })

  return {
    pairOf: ({ name, address }) => pairIn(name, networkOf(address)),
    allowance: () => policy().perName,
    isWelcome: ({ name, address }) => isWelcome(pairIn(name, networkOf(address))),
    async isKnown(name, network) {
      const { pairLimit: limit } = limitsOf(policy())
      const pair = {
        by: 'pair',
        id: pairIn(name, network),
        limit,
      } as const
      // No delay is longer than none.
      const [isKnown] = await attempts.areWelcome([pair], 0)
      return isKnown === true
    },
    async forget(name, networks) {
      const within = networks.flatMap(network =>
        networksOf(network.replace(/\/\d+$/, '')),
      )
      const { pairLimit: limit } = limitsOf(policy())
      const ids = new Set(within.map(network => pairIn(name, network)))
      const pairs = [...ids].map(id => ({ by: 'pair' as const, id, limit }))
      return pairs.length === 0 ? 0 : attempts.forget(pairs)
    },
    async begin(credentials, account) {
      const attempt = attemptOf(credentials, account)
      const { knownFor } = policy()
      const verdict = await attempts.begin(attempt)
      const known = verdict.kind === 'admitted' && verdict.known
      return {
        verdict,
        settle: result =>
          attempts.settle({
            ...attempt,
            known,
            result,
            knownForMs: knownFor,
            repeatMs: REPEAT_MS,
          }),
      }
    },
  }
}

/** How ids are made, and what counts may have. */
interface Counting extends Pick<FailedLoginsOptions, 'policy'> {
  readonly idOf: (...parts: string[]) => string
  /** The id of a name in a network. */
  readonly pairIn: (name: string, network: string) => string
}

/** Makes the function that says what a try counts for. */
function createAttemptOf({ idOf, pairIn, policy }: Counting) {
  return function attemptOf(
    { name: typed, spelling = '', password, address }: Credentials,
    account: Account | undefined,
  ): LoginAttempt {
    const name = account?.foldedName ?? typed
    const [network, ...wider] = networksOf(address)
    const { pairLimit, networkLimit, passwordLimit, maxDelayMs } = limitsOf(policy())
    const inNetwork = (within: string, times: number): [LoginCount, LoginCount] => [
      {
        by: 'pair',
        id: pairIn(name, within),
        limit: larger(pairLimit, times),
      },
      {
        by: 'network',
        id: idOf('network', within),
        limit: larger(networkLimit, times),
      },
    ]
    const [pair, whole] = inNetwork(network, 1)
    return {
      pair,
      others: [
        whole,
        ...wider.flatMap((within, place) =>
          inNetwork(within, WIDER_TIMES ** (place + 1)),
        ),
        {
          by: 'password',
          id: idOf('password', password.normalize('NFC')),
          limit: passwordLimit,
        },
      ],
      // A wrong password may be right after a new one was set, or the user enabled again or verified.
      repeat: idOf(
        'repeat',
        pair.id,
        spelling,
        password,
        account?.passwordHash ?? '',
        JSON.stringify([account?.disabled, account?.pending?.signUp]),
      ),
      maxDelayMs,
    }
  }
}

// Keyed: a reader of the store can't test which name, network or password an id stands for.
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

function limitsOf({ perName, perNetwork, perPassword, maxDelay }: FailedLoginsPolicy) {
  return {
    pairLimit: { free: perName, forgetMs: FORGET_MS.pair },
    networkLimit: { free: perNetwork, forgetMs: FORGET_MS.network },
    passwordLimit: { free: perPassword, forgetMs: FORGET_MS.password },
    maxDelayMs: maxDelay,
  }
}

function larger({ free, forgetMs }: FailureLimit, times: number): FailureLimit {
  return { free: free * times, forgetMs: forgetMs / times }
}
