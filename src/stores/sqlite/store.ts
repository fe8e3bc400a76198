// The embedded store: one SQLite file, no server. Its clock is the one that it is given.
import type { Clock } from '../../base/clock.ts'
import { EMPTY_RING } from '../ports/documents/keys.ts'
import { NO_ACCOUNTS_HOME } from '../ports/documents/accounts-home.ts'
import { NO_GROUPS } from '../ports/documents/groups.ts'
import { EMPTY_SIGHTINGS } from '../ports/documents/sightings.ts'
import { newerFormat } from '../ports/health.ts'
import { NO_SECRET_LISTS } from '../ports/documents/secret-lists.ts'
import type { Store } from '../ports/store.ts'
import type { Backups } from '../ports/backups.ts'
import { createSqliteAccessTokens } from './sessions/access-tokens.ts'
import { createSqliteBackups } from './backup.ts'
import {
  closeDatabase,
  isSound,
  openDatabase,
  reading,
  writing,
} from './database/database.ts'
import type { Patience } from './database/group-commits.ts'
import type { Sync } from './database/log.ts'
import { createSqliteDocument } from './database/document.ts'
import { createSqliteFamilies } from './sessions/families.ts'
import { createSqliteLoginAttempts } from './people/login-attempts.ts'
import { createSqliteLoginRefusals } from './people/login-refusals.ts'
import { formatOf } from './database/migrations.ts'
import { SQLITE_STEPS } from './database/steps.ts'
import { createSqliteReplays } from './sessions/replays.ts'
import { createSqliteStatusLists } from './sessions/status-lists.ts'
import { createSqliteOutbox } from './outbox.ts'
import { createSqliteDirectory } from './people/directory.ts'
import { createSqliteSubjects } from './people/subjects.ts'
import { createSqliteTickets } from './people/tickets.ts'

export interface SqliteStore extends Store {
  readonly backups: Backups
}

/** Opens the store in `file` (made when it isn't there; `:memory:` for none). Throws StoreUnavailable. */
export function createSqliteStore({
  file,
  clock,
  sync,
  ...patience
}: {
  readonly file: string
  readonly clock: Clock
  /** Default: fdatasync. */
  readonly sync?: Sync
} & Patience): SqliteStore {
  const db = openDatabase(file, { sync, ...patience })
  // A connection of its own: a power cut may cost the counts of the last moment, but not every login two
  // syncs to the disk.
  const counts = openDatabase(file, { sync: 'none', checkUpTo: 0 })

  return {
    backups: createSqliteBackups({ db, file, clock }),
    families: createSqliteFamilies(db, clock),
    accessTokens: createSqliteAccessTokens(db, clock),
    subjects: createSqliteSubjects(db, clock),
    directory: createSqliteDirectory(db, clock),
    loginAttempts: createSqliteLoginAttempts(counts, clock),
    loginRefusals: createSqliteLoginRefusals(counts, clock),
    keys: createSqliteDocument(db, 'keys', EMPTY_RING),
    sightings: createSqliteDocument(db, 'sightings', EMPTY_SIGHTINGS),
    secretLists: createSqliteDocument(db, 'secret-lists', NO_SECRET_LISTS),
    groups: createSqliteDocument(db, 'groups', NO_GROUPS),
    accountsHome: createSqliteDocument(db, 'accounts-home', NO_ACCOUNTS_HOME),
    replays: createSqliteReplays(db, clock),
    statusLists: createSqliteStatusLists(db, clock),
    tickets: createSqliteTickets(db, clock),
    outbox: createSqliteOutbox(db, clock),
    now: async () => clock(),
    probe: () =>
      writing(db, () =>
        db.exec('INSERT INTO probes (id) VALUES (1); DELETE FROM probes'),
      ),
    // What there is to set up, we set up.
    inspect: () =>
      reading(db, () => newerFormat(formatOf(db).steps, SQLITE_STEPS.length)),
    // A file that is gone is no store.
    condition: () => ({
      isReached: isSound(db),
      isLost: false,
      revocations: { kept: 0, repeated: 0 },
    }),
    lossEndsInMs: async () => undefined,
    acceptLoss: async () => false,
    // The file is brought up when it is opened.
    upgrade: async () => 0,
    close: async () => {
      for (const connection of [counts, db]) await closeDatabase(connection)
    },
  }
}
