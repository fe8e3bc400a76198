// docs/moving-in.md, walked to the letter: its statement exports the table of an app with 5,000 users from
// PostgreSQL, its commands import it, then days of 100 sign-ups with changed passwords, addresses and bans.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import t from 'tap'
import { blockOf } from '../docs/support/blocks.ts'
import { commandLine } from '../support/command-line.ts'

const PAGE = 'docs/moving-in.md'
const USERS = 5_000
/** They came by another login, and have no password. */
const WITHOUT_HASH = 3

const FIRST = blockOf(PAGE, 'latchkey users import day1').trim()
const DELTA = blockOf(PAGE, 'latchkey users import delta').trim()
const SAID = blockOf(PAGE, '43 updated').trim()
const CHANGED = blockOf(PAGE, 'SELECT id AS uid').trim()

t.test('an import, and the deltas of three days', async t => {
  const app = await PGlite.create()
  t.teardown(() => app.close())
  const { latchkey, directory, withStore } = commandLine(t)

  /** Exports by a statement as psql's \copy does; runs a command of the page on it. */
  async function run(command: string, statement: string, since = '-infinity') {
    const asked = statement.replace(':last_export', `'${since}'`)
    const { blob } = await app.query(`COPY (${asked}) TO '/dev/blob' CSV HEADER`)
    const [, file = ''] = /^latchkey users import (\S+\.csv) /.exec(command) ?? []
    const path = join(directory, file)
    writeFileSync(path, String(await blob?.text()))
    return latchkey(command.replace('latchkey ', '').replace(file, path))
  }
  /** When the last export began: a moment before, as the page says; PGlite's clock has milliseconds. */
  const lastExport = async () => {
    const asked = "SELECT (now() - interval '10 milliseconds')::text AS at"
    return String((await app.query<{ at: string }>(asked)).rows[0]?.at)
  }

  await app.exec(`
    CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL, password text,
      is_active boolean NOT NULL DEFAULT true, updated_at timestamptz NOT NULL DEFAULT now());
    CREATE FUNCTION hash_of(n int) RETURNS text LANGUAGE sql AS $$ SELECT
      '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL1' || lpad(n::text, 4, '0') || 'y' $$;
    INSERT INTO users (email, password, is_active)
      SELECT 'user' || n || '@example.com', hash_of(n), n % 50 <> 0 FROM generate_series(1, ${USERS}) AS n;
    INSERT INTO users (email)
      SELECT 'other' || n || '@example.com' FROM generate_series(1, ${WITHOUT_HASH}) AS n`)
  const all = CHANGED.replace(/ WHERE .*$/, '')
  const dry = await run(FIRST, all)
  t.equal(dry.code, 1)
  t.match(dry.out, /line 5002: pw: there is no password.*--invite/)
  t.match(dry.out, /would be disabled: 100 of 5000 \(is_active: 100\)/)
  t.match(dry.out, new RegExp(`${USERS} would be imported.*${WITHOUT_HASH} refused`))
  const real = FIRST.replace(' --dry-run', '')
  t.match(await run(`${real} --invite`, all), {
    code: 0,
    out: new RegExp(`${USERS + WITHOUT_HASH} imported, 0 already there, 0 refused`),
  })

  const [dryDelta = '', delta = ''] = DELTA.split('\n')
  for (const day of [1, 2, 3]) {
    const last = await lastExport()
    const of = (from: number, to: number) =>
      `id BETWEEN ${day * 100 + from} AND ${day * 100 + to}`
    await app.exec(`
      INSERT INTO users (email, password)
        SELECT 'day${day}-' || n || '@example.com', hash_of(n) FROM generate_series(1, 100) AS n;
      UPDATE users SET updated_at = now(), password = hash_of(9000 + ${day}) WHERE ${of(1, 28)};
      UPDATE users SET updated_at = now(), email = 'new-' || email WHERE ${of(51, 60)};
      UPDATE users SET updated_at = now(), is_active = false WHERE ${of(71, 75)};
      UPDATE users SET updated_at = now() WHERE ${of(81, 92)}`)
    const would = await run(dryDelta, CHANGED, last)
    t.equal(would.code, 0)
    t.match(would.out, /43 would be updated/)
    const did = await run(delta, CHANGED, last)
    t.equal(did.code, 0)
    t.equal(did.out.trim(), SAID, 'as the page shows it')
    t.match(await run(delta, CHANGED, last), { out: /^0 imported, 155 already there/ })
  }
  t.match(await run(delta, `${all} WHERE password IS NOT NULL`), {
    out: new RegExp(`^0 imported, ${USERS + 300} already there, 0 refused`),
  })
  const { rows } = await app.query<{
    id: number
    email: string
    password: string | null
    is_active: boolean
  }>('SELECT id, email, password, is_active FROM users')
  const known = new Map(rows.map(row => [String(row.id), row]))
  await withStore(async ({ directory }) => {
    let there = 0
    for await (const { sub, name, passwordHash, disabled } of directory.all()) {
      const row = known.get(sub)
      there += 1
      const isRight =
        name === row?.email &&
        disabled === !row.is_active &&
        (row.password === null || passwordHash === row.password)
      if (!isRight) t.fail(`${sub} is not as in the app`)
    }
    t.equal(there, known.size, 'nobody is lost')
  })
})
