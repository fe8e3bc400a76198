// The embedded store: one SQLite file, no server. Its clock is the one that it is given.
import type { Clock } from '../../clock.ts'
import type { Store } from '../ports.ts'
import { createSqliteAccessTokens } from './access-tokens.ts'
import { openDatabase, reading, writing } from './database.ts'
import { createSqliteFamilies } from './families.ts'
import { createSqliteKeys } from './keys.ts'
import { createSqliteReplays } from './replays.ts'
import { createSqliteUsers } from './users.ts'

/** Opens the store in `file` (made when it isn't there; `:memory:` for none). Throws StoreUnavailable. */
export function createSqliteStore ({ file, clock }: { readonly file: string, readonly clock: Clock }): Store {
  const db = openDatabase(file)

  return {
    families: createSqliteFamilies(db, clock),
    accessTokens: createSqliteAccessTokens(db, clock),
    users: createSqliteUsers(db, clock),
    keys: createSqliteKeys(db),
    replays: createSqliteReplays(db, clock),
    now: () => reading(clock),
    probe: () => writing(db, () => db.exec('INSERT INTO probes (id) VALUES (1); DELETE FROM probes')),
    close: async () => {
      if (db.isOpen) db.close()
    },
  }
}
