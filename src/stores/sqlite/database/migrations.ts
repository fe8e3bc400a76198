// The tables, and the steps that lead to them. A step never changes once it is released.
// docs/decisions/stored-data.md says what a step may do: a release must be able to work on a file that the
// next one has changed, so that a rolling upgrade and `helm rollback` need no way back.
import type { DatabaseSync } from 'node:sqlite'
import { unreadableFormat } from '../../ports/health.ts'

/** A step that releases which don't know it can't live with: they refuse the file from then on. */
interface BreakingStep {
  readonly breaking: string
}

/** How many steps there were when a file began to say which of them its readers must know. */
const FIRST_STEPS = 5

/**
 * New steps go to the end. A plain text is additive: new tables and indexes, new columns that may be left out
 * of an INSERT. Anything else is `{ breaking: … }`, one release after the code that can live with it.
 */
export const SQLITE_STEPS: ReadonlyArray<string | BreakingStep> = [
  `
  CREATE TABLE users (
    tag TEXT PRIMARY KEY,
    sub TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    scopes TEXT,                       -- JSON; NULL: whatever the client may ask for
    roles TEXT NOT NULL,               -- JSON
    disabled INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE families (
    user_tag TEXT NOT NULL REFERENCES users (tag) ON DELETE CASCADE,
    sid TEXT NOT NULL,
    client_id TEXT NOT NULL,
    jkt TEXT,                          -- NULL: bound to no key
    scope TEXT NOT NULL,
    audience TEXT NOT NULL,            -- JSON
    epoch INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    cur INTEGER NOT NULL,
    cur_at INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    idle_until INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0,
    late_count INTEGER NOT NULL DEFAULT 0,
    -- A tombstone stays until the absolute end, a living family until it is idle.
    gone_at INTEGER GENERATED ALWAYS AS (iif(ended, ends_at, idle_until)) VIRTUAL,
    PRIMARY KEY (user_tag, sid)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX families_gone_at ON families (gone_at);

  CREATE TABLE revocations (
    user_tag TEXT NOT NULL,
    jti TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (user_tag, jti)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX revocations_expires_at ON revocations (expires_at);

  CREATE TABLE ring (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    keys TEXT NOT NULL                 -- JSON
  ) STRICT;
  INSERT INTO ring (id, version, keys) VALUES (1, 0, '[]');

  CREATE TABLE probes (id INTEGER PRIMARY KEY) STRICT;
`,
  `
  CREATE TABLE replays (
    id TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX replays_expires_at ON replays (expires_at);
`,
  `
  -- What servers share and replace as a whole.
  CREATE TABLE documents (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    content TEXT NOT NULL              -- JSON
  ) STRICT, WITHOUT ROWID;
  DROP TABLE ring;
`,
  `
  CREATE TABLE login_counts (
    kind TEXT NOT NULL,                -- pair, network, password, repeat
    id TEXT NOT NULL,                  -- a keyed hash
    failures INTEGER NOT NULL,
    since INTEGER NOT NULL,
    retry_at INTEGER NOT NULL,
    known_until INTEGER NOT NULL,
    gone_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX login_counts_gone_at ON login_counts (gone_at);
`,
  `
  -- Access tokens that live and have a status.
  CREATE TABLE live_tokens (
    user_tag TEXT NOT NULL,
    sid TEXT NOT NULL,
    list TEXT NOT NULL,
    idx INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (user_tag, sid, list, idx)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX live_tokens_expires_at ON live_tokens (expires_at);

  CREATE TABLE status_lists (
    list TEXT PRIMARY KEY,
    gone_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- What of a list is leased.
  CREATE TABLE status_blocks (
    list TEXT NOT NULL REFERENCES status_lists (list) ON DELETE CASCADE,
    block INTEGER NOT NULL,
    PRIMARY KEY (list, block)
  ) STRICT, WITHOUT ROWID;

  -- The revoked tokens of a list in the order in which they were revoked: place counts from 0.
  CREATE TABLE status_bits (
    list TEXT NOT NULL REFERENCES status_lists (list) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (list, place),
    UNIQUE (list, idx)
  ) STRICT, WITHOUT ROWID;
`,
  `
  -- How many steps this file has taken. user_version says how many of them a reader must know.
  CREATE TABLE format (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    steps INTEGER NOT NULL
  ) STRICT;
`,
  `
  ALTER TABLE users ADD COLUMN attributes TEXT;                          -- JSON; NULL: none
  ALTER TABLE users ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE users ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;    -- 0: when it was created
  ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

  -- Values of attributes that no two accounts may have, as they are compared.
  CREATE TABLE unique_values (
    attribute TEXT NOT NULL,
    value TEXT NOT NULL,
    user_tag TEXT NOT NULL REFERENCES users (tag) ON DELETE CASCADE,
    PRIMARY KEY (attribute, value)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX unique_values_user_tag ON unique_values (user_tag);
`,
  `
  -- What the owner of a session recognises it by; NULL: not known.
  ALTER TABLE families ADD COLUMN device_name TEXT;
  ALTER TABLE families ADD COLUMN user_agent TEXT;
  ALTER TABLE families ADD COLUMN network TEXT;
`,
  `
  -- For whom blocks are leased that serve clients' own tokens, in the order in which they were leased: place
  -- counts from 0.
  CREATE TABLE status_owners (
    list TEXT NOT NULL REFERENCES status_lists (list) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    block INTEGER NOT NULL,
    credential TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (list, place)
  ) STRICT, WITHOUT ROWID;
`,
]

/** What a file says of itself. */
export interface FileFormat {
  /** How many steps it has taken. */
  readonly steps: number
  /** How many of them a release must know to work on it. */
  readonly readableFrom: number
}

export interface MigrateOptions {
  /** Instead of the real steps; for tests. */
  readonly steps?: typeof SQLITE_STEPS
  /** How many steps to take; default all. Fewer are for what an older release has written. */
  readonly upTo?: number
}

/** Reads the mark; 0 and 0 for an empty file. */
export function formatOf(db: DatabaseSync): FileFormat {
  const readableFrom = Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
  const isMarked = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'format'").get()
  const mark = isMarked && db.prepare('SELECT steps FROM format').get()
  return { steps: Number(mark?.['steps'] ?? readableFrom), readableFrom }
}

/**
 * Brings a file to the newest schema, one transaction for all steps. A file that a newer Latchkey has changed
 * stays as it is.
 *
 * @throws Error when a newer Latchkey has changed the file in a way that this one can't work with
 */
export function migrate(
  db: DatabaseSync,
  { steps = SQLITE_STEPS, upTo = steps.length }: MigrateOptions = {},
): void {
  const isDue = () => formatOf(db).steps < upTo
  refuseNewer(db, steps.length)
  // Nothing is written where nothing is to do: a start needs no room on the disk, nor a turn to write.
  if (!isDue()) return
  db.exec('BEGIN IMMEDIATE')
  try {
    // Another server may have been faster.
    if (isDue()) takeSteps(db, steps.slice(0, upTo))
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

function refuseNewer(db: DatabaseSync, known: number): void {
  const { readableFrom } = formatOf(db)
  if (readableFrom <= known) return
  throw new Error(unreadableFormat(readableFrom, known))
}

function takeSteps(db: DatabaseSync, steps: typeof SQLITE_STEPS): void {
  for (const step of steps.slice(formatOf(db).steps)) {
    db.exec(typeof step === 'string' ? step : step.breaking)
  }
  // A reader must know the steps up to the last one that is breaking.
  const lastBreaking = 1 + steps.findLastIndex(step => typeof step !== 'string')
  const readableFrom = Math.max(Math.min(steps.length, FIRST_STEPS), lastBreaking)
  db.exec(`PRAGMA user_version = ${readableFrom}`)
  // Earlier files have no place for the mark: they have taken as many steps as their readers must know.
  if (steps.length > FIRST_STEPS) {
    db.prepare('INSERT OR REPLACE INTO format (id, steps) VALUES (1, ?)').run(
      steps.length,
    )
  }
}

/**
 * Whether a start would change the tables; changes nothing itself. Throws when a newer Latchkey has changed
 * the file in a way that this one can't work with.
 */
export function checkFormat(db: DatabaseSync): 'ok' | 'old' {
  refuseNewer(db, SQLITE_STEPS.length)
  return formatOf(db).steps < SQLITE_STEPS.length ? 'old' : 'ok'
}
