// The tables, and the steps that lead to them. `user_version` counts the steps that a file has taken; a step
// never changes later.
import type { DatabaseSync } from 'node:sqlite'

const STEPS = [
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
]

/**
 * Brings a file to the newest schema, one transaction for all steps; throws when a newer Latchkey has written
 * it.
 */
export function migrate(db: DatabaseSync): void {
  // Nothing is written where nothing is to do: a start needs no room on the disk, nor a turn to write.
  if (stepsTaken(db) === STEPS.length) return
  db.exec('BEGIN IMMEDIATE')
  try {
    takeSteps(db, stepsTaken(db))
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

function stepsTaken(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
}

function takeSteps(db: DatabaseSync, taken: number): void {
  if (taken > STEPS.length) {
    throw new Error(
      `the file has schema ${taken}, this Latchkey knows up to ${STEPS.length}`,
    )
  }
  for (const step of STEPS.slice(taken)) db.exec(step)
  db.exec(`PRAGMA user_version = ${STEPS.length}`)
}
