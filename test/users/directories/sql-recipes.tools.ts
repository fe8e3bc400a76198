// The recipes of docs/users-elsewhere.md, each as it stands there: tables that Django, Flask and
// fastapi-users wrote by themselves, and tables in the form of other systems.
import { createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import bcrypt from 'bcrypt'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import type { SqlDirectorySettings } from '../../../src/users/directory/sql/sql-directory.ts'
import { buildTestApp, UNTHROTTLED } from '../../support/app.ts'
import { blocksOf } from '../../support/blocks.ts'
import { runChild } from '../../support/children.ts'
import { startMariaDb, startPostgres, type Database } from '../../support/databases.ts'
import { python } from '../../support/python.ts'

const PASSWORD = 'correct hörse 🐴 battery'
const OTHER = 'another one of that system'
const PEPPER = createHash('sha256').update('pepper').digest('hex')
const ID = '6f1b5e0a-6d2c-4c57-8a55-0d9a5b3f7c11'

const bcryptOf = (password: string, prefix: string) =>
  `${prefix}${bcrypt.hashSync(password, 10).slice(4)}`

/** What passlib made of PASSWORD, in the form of phpass. */
const [, PHPASS = ''] =
  /"(\$P\$[^"]+)"/.exec(
    readFileSync(new URL('../hashes.jsonl', import.meta.url), 'utf8'),
  ) ?? []

/** As wp_hash_password of WordPress 6.8 does (wp-includes/pluggable.php). */
function wordpressOf(password: string): string {
  const value = createHmac('sha384', 'wp-sha384').update(password).digest('base64')
  return `$wp${bcryptOf(value, '$2y$')}`
}

/** A system: its recipe, its table, and who is there. */
interface System {
  readonly recipe: string
  readonly kinds: ReadonlyArray<Database['kind']>
  /** The form is that of the system's own: where it is written down. */
  readonly source?: string
  readonly table: (hash: string) => string
  readonly hashOf: (password: string) => string
  /** Changes a hash, as the system does. */
  readonly change: (hash: string) => string
  readonly name: string
  readonly id: string
  /** Who may not log in. */
  readonly disabled?: string
  /** What the recipe says otherwise for MariaDB. */
  readonly onMysql?: (statement: string) => string
}

const SYSTEMS: readonly System[] = [
  {
    recipe: 'Laravel',
    kinds: ['postgres', 'mysql'],
    source:
      'laravel/laravel: database/migrations/0001_01_01_000000_create_users_table.php',
    table: hash => `
      CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR(255) NOT NULL, email VARCHAR(255) NOT NULL,
        email_verified_at TIMESTAMP NULL, password VARCHAR(255) NOT NULL, remember_token VARCHAR(100) NULL,
        created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL);
      INSERT INTO users (id, name, email, email_verified_at, password)
        VALUES (7, 'Ann', 'ann@example.com', now(), '${hash}')`,
    hashOf: password => bcryptOf(password, '$2y$'),
    change: hash => `UPDATE users SET password = '${hash}'`,
    name: 'ann@example.com',
    id: '7',
  },
  {
    recipe: 'Rails with Devise',
    kinds: ['postgres', 'mysql'],
    source: 'heartcombo/devise: lib/generators/active_record/devise_generator.rb',
    table: hash => `
      CREATE TABLE users (id BIGINT PRIMARY KEY, email VARCHAR(255) NOT NULL DEFAULT '' UNIQUE,
        encrypted_password VARCHAR(255) NOT NULL DEFAULT '', confirmed_at TIMESTAMP NULL,
        locked_at TIMESTAMP NULL, created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL);
      INSERT INTO users (id, email, encrypted_password, locked_at) VALUES
        (7, 'ann@example.com', '${hash}', NULL), (8, 'gone@example.com', '${hash}', now())`,
    hashOf: password => bcryptOf(password + PEPPER, '$2a$'),
    change: hash => `UPDATE users SET encrypted_password = '${hash}'`,
    name: 'ann@example.com',
    id: '7',
    disabled: 'gone@example.com',
  },
  {
    recipe: 'Supabase',
    kinds: ['postgres'],
    source: 'supabase/auth: migrations/00_init_auth_schema.up.sql and those after it',
    table: hash => `
      CREATE SCHEMA auth;
      CREATE TABLE auth.users (id UUID PRIMARY KEY, email VARCHAR(255), encrypted_password VARCHAR(255),
        email_confirmed_at TIMESTAMPTZ, banned_until TIMESTAMPTZ, deleted_at TIMESTAMPTZ);
      GRANT USAGE ON SCHEMA auth TO reader;
      INSERT INTO auth.users VALUES ('${ID}', 'ann@example.com', '${hash}', now(), NULL, NULL),
        (gen_random_uuid(), 'gone@example.com', '${hash}', now(), now() + interval '1 day', NULL)`,
    hashOf: password => bcryptOf(password, '$2a$'),
    change: hash => `UPDATE auth.users SET encrypted_password = '${hash}'`,
    name: 'ann@example.com',
    id: ID,
    disabled: 'gone@example.com',
  },
  {
    recipe: 'WordPress',
    kinds: ['mysql'],
    source: 'WordPress/wordpress-develop: src/wp-admin/includes/schema.php',
    table: hash => `
      CREATE TABLE wp_users (ID BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        user_login VARCHAR(60) NOT NULL DEFAULT '', user_pass VARCHAR(255) NOT NULL DEFAULT '',
        user_nicename VARCHAR(50) NOT NULL DEFAULT '', user_email VARCHAR(100) NOT NULL DEFAULT '',
        user_url VARCHAR(100) NOT NULL DEFAULT '', user_registered DATETIME NOT NULL DEFAULT now(),
        user_activation_key VARCHAR(255) NOT NULL DEFAULT '', user_status INT NOT NULL DEFAULT 0,
        display_name VARCHAR(250) NOT NULL DEFAULT '')
        DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
      INSERT INTO wp_users (ID, user_login, user_pass, user_email) VALUES
        (7, 'ann', '${hash}', 'ann@example.com'), (8, 'gone', '', 'gone@example.com')`,
    // Who was there before 6.8 has a hash of phpass until the next login or change.
    hashOf: password => (password === PASSWORD ? PHPASS : wordpressOf(password)),
    change: hash => `UPDATE wp_users SET user_pass = '${hash}'`,
    name: 'ann',
    id: '7',
    disabled: 'gone',
  },
  {
    recipe: 'Spring Security',
    kinds: ['postgres', 'mysql'],
    source: 'spring-security: core/userdetails/jdbc/users.ddl',
    table: hash => `
      CREATE TABLE users (username VARCHAR(50) PRIMARY KEY, password VARCHAR(500) NOT NULL,
        enabled BOOLEAN NOT NULL);
      CREATE TABLE authorities (username VARCHAR(50) NOT NULL REFERENCES users (username),
        authority VARCHAR(50) NOT NULL);
      INSERT INTO users VALUES ('ann', '${hash}', true), ('gone', '${hash}', false);
      INSERT INTO authorities VALUES ('ann', 'ROLE_USER')`,
    hashOf: password => `{bcrypt}${bcryptOf(password, '$2a$')}`,
    change: hash => `UPDATE users SET password = '${hash}'`,
    name: 'ann',
    id: 'ann',
    disabled: 'gone',
    onMysql: statement =>
      statement.replace("string_agg(authority, ',')", 'group_concat(authority)'),
  },
]

/** The recipe of a system, as the page has it. */
function recipeOf(
  heading: string,
): Pick<SqlDirectorySettings, 'query' | 'lookup' | 'pepper'> {
  const [yaml = ''] = blocksOf('docs/users-elsewhere.md', heading, 'yaml')
  return parse(yaml.replace(/\$\{DEVISE_PEPPER\}/, PEPPER))
}

/** Logs in by a recipe. */
async function loginBy(t: Test, url: string, recipe: Partial<SqlDirectorySettings>) {
  const test = await buildTestApp({
    directories: [
      {
        type: 'sql',
        name: 'old',
        url,
        query: '',
        migrate: 'none',
        sub: 'own',
        plaintext: false,
        connections: 4,
        timeout: 10_000,
        maxInFlight: 64,
        ...recipe,
      },
    ],
  })
  test.live.logins = UNTHROTTLED
  t.teardown(async () => {
    await test.elsewhere?.close()
    await test.close()
  })
  test.live.attributes = {
    email: { type: 'email', list: false, unique: true },
    given_name: { list: false, unique: false },
    family_name: { list: false, unique: false },
  }
  const grant = { grant_type: 'password', client_id: 'mobile' }
  const login = (username: string, password = PASSWORD) =>
    test.post('/token', { ...grant, username, password })
  const statusOf = async (username: string, password?: string) =>
    (await login(username, password)).statusCode
  /** What is known of somebody after a login, and after a look beside a refresh. */
  const knownOf = async (t: Test, name: string) => {
    const { refresh_token: token } = (await login(name)).json()
    const before = await test.accounts.find(name)
    t.equal((await test.refresh(token)).statusCode, 200)
    await test.elsewhere?.settled()
    t.match(await test.metrics.render(), /operation="lookup",outcome="found"\} [1-9]/)
    if (recipe.query?.includes('email') === true) {
      t.match(before?.attributes['email'], /^ann@example\.com$/i)
    }
    t.same(await test.accounts.find(name), before, 'a look takes nothing away')
  }
  return { test, statusOf, knownOf }
}

for (const start of [startPostgres, startMariaDb]) {
  t.test(start.name, async t => {
    const database = await start(t)
    const { kind, port } = database
    const isPostgres = kind === 'postgres'
    await database.run(
      isPostgres
        ? "CREATE ROLE reader LOGIN PASSWORD 'reader-secret'; GRANT pg_read_all_data TO reader"
        : "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reader-secret'; " +
            "GRANT SELECT ON *.* TO reader@'127.0.0.1'",
    )
    const where = `reader:reader-secret@127.0.0.1:${port}`
    const url = isPostgres ? `postgres://${where}/postgres` : `mysql://${where}/shop`

    for (const system of SYSTEMS.filter(({ kinds }) => kinds.includes(kind))) {
      await t.test(system.recipe, async t => {
        await database.run(system.table(system.hashOf(PASSWORD)))
        const recipe = recipeOf(system.recipe)
        const asWritten = (statement = '') =>
          isPostgres ? statement : (system.onMysql ?? (same => same))(statement)
        const { test, statusOf, knownOf } = await loginBy(t, url, {
          ...recipe,
          query: asWritten(recipe.query),
          lookup: asWritten(recipe.lookup),
        })
        t.equal(await statusOf(system.name), 200, system.source ?? system.recipe)
        t.match(await test.accounts.find(system.name), { external: { id: system.id } })
        await knownOf(t, system.name)
        t.equal(await statusOf(system.name, 'a wrong one'), 400)
        t.equal(await statusOf('nobody@example.com'), 400)
        if (system.disabled !== undefined) t.equal(await statusOf(system.disabled), 400)
        await database.run(system.change(system.hashOf(OTHER)))
        t.equal(await statusOf(system.name), 400)
        t.equal(await statusOf(system.name, OTHER), 200, 'changed there, right here')
        await database.run('DROP TABLE IF EXISTS authorities; DROP TABLE IF EXISTS users')
      })
    }

    await t.test('Django, Flask and fastapi-users, by themselves', async t => {
      const interpreter = await python()
      const run = (more: Record<string, string> = {}) =>
        runChild(interpreter, ['test/users/python/make_tables.py'], {
          env: { PATH: process.env['PATH'], DATABASE: database.url, PASSWORD, ...more },
          timeout: 120_000,
        })
      await run()
      const systems = await Promise.all(
        ['Django', 'Flask with Werkzeug', 'fastapi-users'].map(async heading => {
          const { query, lookup } = recipeOf(heading)
          const recipe = { query: onKind(kind, query), lookup: onKind(kind, lookup) }
          const at = heading === 'fastapi-users' ? '@example.com' : ''
          return { ...(await loginBy(t, url, recipe)), heading, at }
        }),
      )
      for (const { test, statusOf, knownOf, heading, at } of systems) {
        t.equal(await statusOf(`ann${at}`), 200, heading)
        await knownOf(t, `ann${at}`)
        t.match(await test.accounts.find(`ann${at}`), {
          external: { id: at === '' ? '1' : /^[\da-f-]{36}$/ },
        })
        for (const name of ['gone', 'nobody', 'who']) {
          t.equal(await statusOf(`${name}${at}`), 400, `${heading}: ${name}`)
        }
      }
      await run({ CHANGED: OTHER })
      for (const { statusOf, heading, at } of systems) {
        t.equal(await statusOf(`ann${at}`), 400)
        t.equal(await statusOf(`ann${at}`, OTHER), 200, 'changed there, right here')
        t.equal(await statusOf(`late${at}`), 200, `${heading}: signed up there`)
      }
    })
  })
}

/** A statement of fastapi-users' recipe, as the page says it is on MariaDB. */
function onKind(kind: Database['kind'], statement = ''): string {
  if (kind === 'postgres') return statement
  return statement
    .replaceAll('"user"', '`user`')
    .replace('CAST(id AS text) = $1', 'id = $1')
}
