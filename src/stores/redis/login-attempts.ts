// The count of failed logins in Redis: one script before the password is looked at, one after.
import type {
  LoginAttempt,
  LoginAttempts,
  LoginLimits,
  LoginVerdict,
  SettledAttempt,
} from '../ports-logins.ts'
import type { RedisAdapter } from './adapter.ts'
import { oneOf } from './replies.ts'
import { loadScript } from './scripts.ts'

const THROTTLED_BY = ['pair', 'network', 'password'] as const

export function createRedisLoginAttempts({
  link,
  keys,
  time,
}: RedisAdapter): LoginAttempts {
  const script = loadScript(link, 'login')
  const keysOf = ({ pair, network, password, repeat }: LoginAttempt) => [
    keys.login('pair', pair),
    keys.login('network', network),
    keys.login('password', password),
    keys.login('repeat', repeat),
  ]

  async function begin(
    attempt: LoginAttempt,
    limits: LoginLimits,
  ): Promise<LoginVerdict> {
    const [kind, detail, waitMs] = await script(keysOf(attempt), [
      'begin',
      time(),
      ...limitArgs(limits),
    ])
    if (kind === 'repeated') return { kind }
    if (kind === 'throttled') {
      return { kind, by: oneOf(THROTTLED_BY, detail), retryAfterMs: Number(waitMs) }
    }
    return { kind: 'admitted', known: detail === 1 }
  }

  async function settle(attempt: SettledAttempt): Promise<void> {
    const { limits, result, known, knownForMs, repeatMs } = attempt
    await script(keysOf(attempt), [
      result,
      time(),
      ...limitArgs(limits),
      Number(known),
      knownForMs,
      repeatMs,
    ])
  }

  return { begin, settle }
}

function limitArgs({ pair, network, password, maxDelayMs }: LoginLimits): number[] {
  return [
    ...[pair, network, password].flatMap(({ free, forgetMs }) => [free, forgetMs]),
    maxDelayMs,
  ]
}
