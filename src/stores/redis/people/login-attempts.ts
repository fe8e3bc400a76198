// The count of failed logins in Redis: one script before the password is looked at, one after.
import type {
  LoginAttempt,
  LoginAttempts,
  LoginCount,
  LoginVerdict,
  SettledAttempt,
} from '../../ports/login-attempts.ts'
import type { RedisAdapter } from '../adapter.ts'
import { oneOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'

/** What the script reads after an admitted try only: known, knownForMs, repeatMs. */
const NO_END = [0, 0, 0] as const

const THROTTLED_BY = ['pair', 'network', 'password'] as const

export function createRedisLoginAttempts({
  link,
  keys,
  time,
}: RedisAdapter): LoginAttempts {
  const script = loadScript(link, 'people/login')
  const argsOf = (counts: readonly LoginCount[]) =>
    counts.flatMap(({ by, limit }) => [by, limit.free, limit.forgetMs])
  const keysOf = (counts: readonly LoginCount[]) =>
    counts.map(({ by, id }) => keys.login(by, id))

  function run(step: string, attempt: LoginAttempt, end: readonly number[] = NO_END) {
    const counts = [attempt.pair, ...attempt.others]
    return script(
      [...keysOf(counts), keys.login('repeat', attempt.repeat)],
      [step, time(), attempt.maxDelayMs, ...end, ...argsOf(counts)],
    )
  }

  async function begin(attempt: LoginAttempt): Promise<LoginVerdict> {
    const [kind, detail, waitMs] = await run('begin', attempt)
    if (kind === 'repeated') return { kind }
    if (kind === 'throttled') {
      return {
        kind,
        by: oneOf(THROTTLED_BY, detail),
        retryAfterMs: Number(waitMs),
      }
    }
    return { kind: 'admitted', known: detail === 1 }
  }

  async function settle(attempt: SettledAttempt): Promise<void> {
    const { result, known, knownForMs, repeatMs } = attempt
    await run(result, attempt, [Number(known), knownForMs, repeatMs])
  }

  async function areWelcome(
    pairs: readonly LoginCount[],
    maxDelayMs: number,
  ): Promise<readonly boolean[]> {
    const reply = await script(keysOf(pairs), [
      'welcome',
      time(),
      maxDelayMs,
      ...NO_END,
      ...argsOf(pairs),
    ])
    return reply.map(welcome => welcome === 1)
  }

  async function forget(pairs: readonly LoginCount[]): Promise<number> {
    const [forgotten] = await script(keysOf(pairs), [
      'forget',
      time(),
      0,
      ...NO_END,
      ...argsOf(pairs),
    ])
    return Number(forgotten)
  }

  return { areWelcome, begin, settle, forget }
}
