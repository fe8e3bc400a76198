// The revocation list in Redis, and the question whether an access token lives: one round trip each.
import type {
  AccessTokenRef,
  AccessTokens,
  CheckOutcome,
} from '../../ports/access-tokens.ts'
import { byList } from '../../ports/status-lists.ts'
import type { RedisAdapter } from '../adapter.ts'
import { REFUSALS } from './family-parts.ts'
import { readUser } from '../people/account-record.ts'
import { oneOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'

const CHECK_REFUSALS = [...REFUSALS, 'token_revoked'] as const

/** The answer of a check, and what it takes to remember it. */
export interface TimedOutcome {
  readonly outcome: CheckOutcome
  /** After so long the session ends by itself. */
  readonly forMs: number
  /** Of what is said of the user; characters. */
  readonly length: number
}

/** As AccessTokens.check. */
export type TimedCheck = (token: AccessTokenRef) => Promise<TimedOutcome>

export function createRedisAccessTokens({
  link,
  bare,
  keys,
  time,
  durably,
  doubt,
  revocations,
  statusBits,
}: RedisAdapter): AccessTokens {
  const revokeScript = durably('sessions/revoke')
  const revokeAgainScript = loadScript(bare, 'sessions/revoke')
  const check = createTimedCheck({ link, keys, time, doubt })

  return {
    async revoke(token) {
      const key = keys.revocation(token)
      await revokeScript([key], [time(), token.expiresAt])
      revocations.remember(key, () => revokeAgainScript([key], [time(), token.expiresAt]))
      if (token.status !== undefined) await statusBits.set(byList([token.status]))
    },
    check: async token => (await check(token)).outcome,
  }
}

/** Makes the question, on the connection of `link`. */
export function createTimedCheck({
  link,
  keys,
  time,
  doubt,
}: Pick<RedisAdapter, 'link' | 'keys' | 'time' | 'doubt'>): TimedCheck {
  const checkScript = loadScript(link, 'sessions/check')

  // Without a session there is nothing but its own mark.
  async function checkAlone(token: AccessTokenRef): Promise<CheckOutcome> {
    const marks = await link.run(client => client.exists(keys.revocation(token)))
    return marks === 0 ? { kind: 'active', user: undefined } : REVOKED
  }

  return async function check(token) {
    const { userTag, sid } = token
    if (sid === undefined) {
      return { outcome: await checkAlone(token), forMs: Infinity, length: 0 }
    }
    const [kind, detail, forMs] = await checkScript(
      [keys.user(userTag), keys.family({ userTag, sid }), keys.revocation(token)],
      [time()],
    )
    if (kind === 'refused') {
      // What isn't there may have been lost.
      if (detail === 'family_unknown') await doubt()
      const reason = oneOf(CHECK_REFUSALS, detail)
      return { outcome: { kind, reason }, forMs: 0, length: 0 }
    }
    return {
      outcome: { kind: 'active', user: readUser(detail) },
      forMs: Number(forMs),
      length: String(detail).length,
    }
  }
}

const REVOKED: CheckOutcome = { kind: 'refused', reason: 'token_revoked' }
