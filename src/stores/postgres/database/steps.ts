// The steps that lead to the tables. A step never changes once it is released. docs/decisions/stored-data.md
// says what a step may do: a release must be able to work on tables that the next one has changed.

/** A step that releases which don't know it can't live with: they refuse the database from then on. */
interface BreakingStep {
  readonly breaking: string
}

/** A step: a plain text is additive; anything else goes one release after the code that can live with it. */
export type PostgresStep = string | BreakingStep

/** New steps go to the end. */
export const POSTGRES_STEPS: readonly PostgresStep[] = [
  `
  CREATE TABLE latchkey.accounts (
    tag text PRIMARY KEY,
    sub text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    folded_name text COLLATE "C" NOT NULL UNIQUE,
    password_hash text NOT NULL,
    scopes text[],
    roles text[] NOT NULL,
    attributes jsonb NOT NULL,
    attributes_exact text,
    email_verified boolean NOT NULL,
    disabled boolean NOT NULL,
    pending text,
    external text,
    sessions_epoch bigint NOT NULL,
    unsettled boolean NOT NULL DEFAULT true,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL
  );
  CREATE INDEX accounts_created_at ON latchkey.accounts (created_at, sub);
  CREATE INDEX accounts_unsettled ON latchkey.accounts (tag) WHERE unsettled;
  COMMENT ON COLUMN latchkey.accounts.tag IS 'what the sessions call the account';
  COMMENT ON COLUMN latchkey.accounts.folded_name IS 'the name as it is compared';
  COMMENT ON COLUMN latchkey.accounts.scopes IS 'NULL: whatever the client may ask for';
  COMMENT ON COLUMN latchkey.accounts.attributes_exact IS
    'the attributes where jsonb can not hold them (NUL); NULL: jsonb can';
  COMMENT ON COLUMN latchkey.accounts.pending IS 'JSON: what the account waits for; NULL: nothing';
  COMMENT ON COLUMN latchkey.accounts.external IS
    'JSON: whose shadow it is, in a directory elsewhere; NULL: it is ours';
  COMMENT ON COLUMN latchkey.accounts.sessions_epoch IS
    'counts "end all sessions", as the store of the sessions does';
  COMMENT ON COLUMN latchkey.accounts.unsettled IS
    'whether the store of the sessions has still to be told of the last change';
  COMMENT ON COLUMN latchkey.accounts.created_at IS
    'milliseconds since 1970: to_timestamp(created_at / 1000.0)';
  COMMENT ON COLUMN latchkey.accounts.updated_at IS 'as created_at';

  CREATE TABLE latchkey.unique_values (
    attribute text NOT NULL,
    value bytea NOT NULL,
    tag text NOT NULL REFERENCES latchkey.accounts (tag) ON DELETE CASCADE,
    PRIMARY KEY (attribute, value)
  );
  CREATE INDEX unique_values_tag ON latchkey.unique_values (tag);
  COMMENT ON TABLE latchkey.unique_values IS 'what no two accounts may have, as it is compared';
  COMMENT ON COLUMN latchkey.unique_values.value IS 'UTF-8: convert_from(value, ''UTF8'')';
`,
  `
  ALTER TABLE latchkey.format ADD COLUMN moved boolean NOT NULL DEFAULT false;
  COMMENT ON COLUMN latchkey.format.moved IS
    'whether the accounts are here, and no longer where the sessions are';

  CREATE TABLE latchkey.touched (tag text PRIMARY KEY);
  COMMENT ON TABLE latchkey.touched IS
    'accounts that were written where the sessions are, and are to be copied again by a move';
`,
  `
  ALTER TABLE latchkey.format ADD COLUMN runs bigint NOT NULL DEFAULT 0;
  COMMENT ON COLUMN latchkey.format.runs IS 'how many moves have begun: the last one copies';
`,
  `
  ALTER TABLE latchkey.format ADD COLUMN pair text NOT NULL DEFAULT '';
  COMMENT ON COLUMN latchkey.format.pair IS
    'what the store of the sessions calls this database; empty: no store belongs to it yet';
`,
  // A long value fits into no index; its digest does, and so does the beginning by which it is searched.
  `
  ALTER TABLE latchkey.unique_values
    ADD COLUMN digest bytea NOT NULL GENERATED ALWAYS AS (sha256(value)) STORED,
    DROP CONSTRAINT unique_values_pkey,
    ADD PRIMARY KEY (attribute, digest);
  CREATE INDEX unique_values_search
    ON latchkey.unique_values (attribute, substring(value FROM 1 FOR 256));
  COMMENT ON COLUMN latchkey.unique_values.digest IS 'SHA-256 of the value';
`,
]
