// The revocation list in SQLite, and the question whether an access token lives.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type {
  AccessTokenRef,
  AccessTokens,
  CheckOutcome,
} from '../../ports/access-tokens.ts'
import { byList } from '../../ports/status-lists.ts'
import { reading, writing } from '../database/database.ts'
import { familyFinder, living } from './family-rows.ts'
import { createSqliteStatusBits } from './status-bits.ts'

/** How many expired revocations a new one takes along. */
const SWEEP = 20

export function createSqliteAccessTokens(db: DatabaseSync, clock: Clock): AccessTokens {
  const find = familyFinder(db)
  const bits = createSqliteStatusBits(db)
  const insert = db.prepare(
    'INSERT INTO revocations (user_tag, jti, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const select = db.prepare('SELECT 1 FROM revocations WHERE user_tag = ? AND jti = ?')
  const sweep = db.prepare(`DELETE FROM revocations WHERE (user_tag, jti) IN
    (SELECT user_tag, jti FROM revocations WHERE expires_at <= ? LIMIT ?)`)

  function check({ userTag, sid, jti }: AccessTokenRef): CheckOutcome {
    if (select.get(userTag, jti) !== undefined) {
      return { kind: 'refused', reason: 'token_revoked' }
    }
    if (sid === undefined) return { kind: 'active', user: undefined }
    const found = living(find({ userTag, sid }), clock())
    return found.kind === 'refused' ? found : { kind: 'active', user: found.user }
  }

  return {
    revoke: ({ userTag, jti, expiresAt, status }) =>
      writing(db, () => {
        sweep.run(clock(), SWEEP)
        insert.run(userTag, jti, expiresAt)
        if (status !== undefined) bits.set(byList([status]))
      }),
    check: token => reading(db, () => check(token)),
  }
}
