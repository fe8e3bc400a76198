// The revocation list in Redis, and the question whether an access token lives: one round trip each.
import type { AccessTokenRef, AccessTokens, CheckOutcome } from '../ports.ts'
import type { RedisAdapter } from './adapter.ts'
import { REFUSALS } from './families.ts'
import { oneOf, userOf } from './replies.ts'
import { loadScript } from './scripts.ts'

export function createRedisAccessTokens ({ link, keys, time }: RedisAdapter): AccessTokens {
  const revokeScript = loadScript(link, 'revoke')
  const checkScript = loadScript(link, 'check')

  async function check (token: AccessTokenRef): Promise<CheckOutcome> {
    const [kind, detail] = await checkScript([keys.user(token.userTag), keys.family(token), keys.revocation(token)], [time()])
    if (kind === 'refused') return { kind, reason: oneOf([...REFUSALS, 'token_revoked'], detail) }
    return { kind: 'active', user: userOf(detail) }
  }

  return {
    revoke: async token => { await revokeScript([keys.revocation(token)], [time(), token.expiresAt]) },
    check,
  }
}
