// Directories elsewhere that know the same users: PostgreSQL, MariaDB, OpenLDAP and an app.
import type { Test } from 'tap'
import { createPasswordHasher } from '../../../src/users/hashing/hasher.ts'
import { startMariaDb, startPostgres, type Database } from '../../support/databases.ts'
import { LDAP_CA } from '../../support/ldap.ts'
import { CHEAP_HASHING, PASSWORD } from '../../support/server.ts'
import { SERVICE, ssha, startSlapd, SUFFIX, type Ldif } from '../../support/slapd.ts'
import { APP_SECRET, startUserApp } from '../../support/user-app.ts'

/** Their password is PASSWORD. */
export const USERS = Array.from({ length: 4 }, (_, user) => `user-${user}`)

const PEOPLE = `ou=people,${SUFFIX}`

/** A directory that knows USERS, on a port of loopback: its settings, by whatever port it is asked. */
interface Elsewhere {
  readonly port: number
  readonly settings: (port: number) => object
}

type Open = (t: Test) => Promise<Elsewhere>

const sql =
  (start: (t: Test) => Promise<Database>): Open =>
  async t => {
    const database = await start(t)
    const hash = await createPasswordHasher({
      ...CHEAP_HASHING,
      queue: 1,
      maxWait: 60_000,
    }).hash(PASSWORD)
    const rows = USERS.map((name, id) => `(${id}, '${name}', '${hash}')`)
    await database.run(`
      CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR(80), hash VARCHAR(200));
      INSERT INTO users VALUES ${rows.join(', ')}`)
    return {
      port: database.port,
      settings: port => ({
        type: 'sql',
        url: database.url.replace(`:${database.port}/`, `:${port}/`),
        query: 'SELECT id, name, hash AS password_hash FROM users WHERE name = $2',
        lookup: 'SELECT id, name FROM users WHERE id = $1',
      }),
    }
  }

const ldap: Open = async t => {
  const people = USERS.map((uid): Ldif => {
    const is = ['objectClass: inetOrgPerson', `uid: ${uid}`, `cn: ${uid}`, `sn: ${uid}`]
    return [`uid=${uid},${PEOPLE}`, ...is, `userPassword: ${ssha(PASSWORD)}`]
  })
  const above: Ldif = [PEOPLE, 'objectClass: organizationalUnit', 'ou: people']
  const slapd = await startSlapd(t, [above, ...people])
  return {
    port: Number(new URL(slapd.ldaps).port),
    settings: port => ({
      type: 'ldap',
      url: `ldaps://127.0.0.1:${port}`,
      caFile: LDAP_CA,
      serverName: 'redis.test',
      bindDn: SERVICE.dn,
      password: SERVICE.password,
      base: PEOPLE,
      filter: '(&(objectClass=inetOrgPerson)(uid={name}))',
    }),
  }
}

const http: Open = async t => {
  const users = USERS.map((name, id) => ({ id, name, password: PASSWORD }))
  const app = await startUserApp(users)
  t.teardown(() => app.stop())
  return {
    port: Number(new URL(app.url).port),
    settings: port => ({
      type: 'http',
      url: `http://127.0.0.1:${port}/verify`,
      lookupUrl: `http://127.0.0.1:${port}/lookup`,
      secrets: [APP_SECRET],
      mayBePrivate: true,
    }),
  }
}

/** Each kind, by its name, and what starts it; it ends with the test. */
export const DIRECTORIES: ReadonlyArray<readonly [name: string, open: Open]> = [
  ['sql, PostgreSQL', sql(startPostgres)],
  ['sql, MariaDB', sql(startMariaDb)],
  ['ldap', ldap],
  ['http', http],
]
