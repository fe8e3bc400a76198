// The steps that lead to the tables. A step never changes once it is released. docs/decisions/stored-data.md
// says what a step may do: a release must be able to work on a file that the next one has changed, so that a
// rolling upgrade and `helm rollback` need no way back.

/** A step that releases which don't know it can't live with: they refuse the file from then on. */
interface BreakingStep {
  readonly breaking: string
}

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
  `
  -- The order in which accounts are listed.
  CREATE INDEX users_created_at ON users (created_at, sub);
`,
  `
  -- What has to be delivered. A leased item is due when its lease ends.
  CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    way TEXT NOT NULL,
    content TEXT NOT NULL,
    tries INTEGER NOT NULL,
    appended_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX outbox_due_at ON outbox (way, due_at);
  CREATE INDEX outbox_appended_at ON outbox (way, appended_at);
`,
  `
  ALTER TABLE users ADD COLUMN pending TEXT;                             -- JSON; NULL: nothing is pending

  -- One-time tickets: at most one of each purpose at an account.
  CREATE TABLE tickets (
    user_tag TEXT NOT NULL REFERENCES users (tag) ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    hash TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    address TEXT NOT NULL,             -- a hash
    code TEXT,                         -- a keyed hash; NULL: none
    tries INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (user_tag, purpose)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tickets_expires_at ON tickets (expires_at);
`,
  `
  -- Why logins were refused.
  CREATE TABLE login_refusals (
    kind TEXT NOT NULL,                -- accounts or names
    name TEXT NOT NULL,                -- a keyed hash
    refusals TEXT NOT NULL,            -- JSON, the newest first
    last_at INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX login_refusals_last_at ON login_refusals (last_at);
  CREATE INDEX login_refusals_kind ON login_refusals (kind, last_at);
`,
  `
  -- Who has a role: an entry of its own for each, as accounts that are written from now on have it.
  INSERT OR IGNORE INTO unique_values (attribute, value, user_tag)
    SELECT '@role', role.value || ' ' || sub, tag FROM users, json_each(users.roles) AS role;
`,
  `
  -- Whose shadow the account is, in a directory elsewhere; JSON, NULL: it is ours.
  ALTER TABLE users ADD COLUMN external TEXT;
`,
]
