// People who move in: hashes made by the real libraries at their own costs, imported by the real command
// line, logged in through requests-oauthlib at the real server, made anew once, exported, and taken by
// Django.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { runChild } from '../support/children.ts'
import { PROGRAMS } from '../support/programs.ts'
import { python, ROOT, runPython } from '../support/python.ts'
import {
  CHEAP_HASHING,
  postForm,
  startLatchkey,
  STORES,
  type LatchkeyProcess,
} from '../support/server.ts'
import { buildProgram } from '../support/toolchain.ts'

// As long as some of the libraries need for one hash on a busy machine.
const PATIENT = { ...CHEAP_HASHING, queue: 200, maxWait: '60s' }
const TODAY = /^\$argon2id\$v=19\$m=64,t=1,p=1\$/
const SECRET = 'm'.repeat(43)

interface Person {
  readonly name: string
  readonly passwordHash: string
  readonly disabled: boolean
  readonly roles: readonly string[]
}

const interpreter = await python()
const made = [...(await madeHashes()), ...(await hashesOfSpring())]

/**
 * The lines of make_hashes.py: a hash of each library's. passlib reads a module that Python will drop, which
 * PYTHONWARNINGS must not forbid.
 */
async function madeHashes(): Promise<{ name: string; password: string; hash: string }[]> {
  const { stdout } = await runChild(
    interpreter,
    [join(ROOT, 'test/users/python/make_hashes.py')],
    { timeout: 120_000 },
  )
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

/** The lines of Hashes.java: a hash of each of Spring Security's encoders. */
async function hashesOfSpring(): ReturnType<typeof madeHashes> {
  const folder = await buildProgram(PROGRAMS.springHashes)
  const classpath = await readFile(join(folder, 'classpath'), 'utf8')
  const { stdout } = await runChild(
    'java',
    ['-cp', classpath, join(ROOT, 'test/users/spring/Hashes.java')],
    { timeout: 120_000 },
  )
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

/** A server, and commands on its store. */
async function setUp(t: Test, storeUrl: string) {
  const server = await startLatchkey({
    storeUrl,
    secret: SECRET,
    addUser: false,
    config: { passwords: PATIENT },
  })
  t.teardown(() => server.stop())
  const directory = t.testdir()
  const latchkey = async (...args: string[]) => {
    const { stdout } = await runChild(process.execPath, [
      join(ROOT, 'bin/latchkey.js'),
      '--config',
      server.configFile,
      ...args,
    ])
    return stdout
  }
  return {
    server,
    latchkey,
    async put(name: string, content: string): Promise<string> {
      await writeFile(join(directory, name), content)
      return join(directory, name)
    },
    async exported(): Promise<Map<string, Person>> {
      const lines = (await latchkey('users', 'export')).trim().split('\n')
      return new Map(
        lines
          .map(line => JSON.parse(line))
          .map((person: Person) => [person.name, person]),
      )
    },
    logIn: (
      names: readonly string[],
      password: string,
    ): Promise<Record<string, [string, string]>> =>
      runPython(interpreter, 'test/users/python/log_in.py', {
        LATCHKEY_URL: server.url,
        PASSWORD: password,
        NAMES: JSON.stringify(names),
        OAUTHLIB_INSECURE_TRANSPORT: '1',
      }),
  }
}

const upgrades = ({ lines }: LatchkeyProcess) =>
  lines.filter(line => line.includes('"password.upgraded"')).length

t.test('people move in', async t => {
  const store = await STORES[0]?.make()
  if (store === undefined) throw new TypeError('there is no store')
  t.teardown(() => store.remove())
  const { server, latchkey, put, exported, logIn } = await setUp(t, store.url)

  t.test(
    "every library's hash lets its user in through requests-oauthlib, and is made anew",
    async t => {
      t.equal(made.length, 38)
      const [{ password = '' } = {}] = made
      const people = made.map(({ name, hash }) => ({
        name: name.replaceAll(/[ :]/g, '-'),
        passwordHash: hash,
      }))
      const names = people.map(({ name }) => name)
      const file = await put(
        'hashes.jsonl',
        people.map(person => JSON.stringify(person)).join('\n'),
      )
      t.equal(
        await latchkey('users', 'import', file),
        '38 imported, 0 already there, 0 refused\n',
      )
      const before = await exported()
      for (const { name, passwordHash } of people) {
        t.equal(before.get(name)?.passwordHash, passwordHash, `${name} as it was`)
      }

      t.same(
        await logIn(names, password),
        Object.fromEntries(names.map(name => [name, ['invalid_grant', name]])),
      )
      t.equal(upgrades(server), 38)
      const after = await exported()
      for (const name of names) t.match(after.get(name)?.passwordHash, TODAY, name)
      const hashes = Object.fromEntries(
        names.map(name => [name, after.get(name)?.passwordHash]),
      )
      t.same(
        await runPython(interpreter, 'test/users/python/django_check.py', {
          PASSWORD: password,
          HASHES: JSON.stringify(hashes),
        }),
        Object.fromEntries(names.map(name => [name, [true, false]])),
        'Django takes what we export',
      )
    },
  )

  t.test('a project of Django moves in with its table', async t => {
    const { csv, password } = await runPython(
      interpreter,
      'test/users/python/django_users.py',
      {},
    )
    const file = await put('auth_user.csv', csv)
    await t.rejects(
      latchkey('users', 'import', file, '--from', 'django'),
      {
        code: 1,
        stdout: new RegExp(
          '^line 5: password: there is no password[^\n]*\n' +
            'not taken: email of 1 [^\n]*\nnot taken: is_superuser of 3 [^\n]*\n' +
            'not taken: is_staff of 3 [^\n]*\ndisabled: 1 of 3 \\(is_active: 1\\)\n' +
            '3 imported, 0 already there, 1 refused\n$',
        ),
      },
      'who has no password stays outside',
    )
    t.same(await logIn(['ann', 'bob', 'carol'], password), {
      ann: ['invalid_grant', 'Ann'],
      bob: ['invalid_grant', 'bob'],
      carol: ['invalid_grant', 'invalid_grant'],
    })
    t.match(
      (await exported()).get('carol')?.passwordHash,
      /^scrypt\$/,
      'who is locked out changes nothing',
    )
  })

  t.test('a realm of Keycloak moves in with its export', async t => {
    const { realm, password } = await runPython(
      interpreter,
      'test/users/python/keycloak_realm.py',
      {},
    )
    const file = await put('shop-realm.json', JSON.stringify(realm, undefined, 2))
    t.equal(
      await latchkey('users', 'import', file, '--from', 'keycloak'),
      'disabled: 1 of 4 (enabled: 1)\n4 imported, 0 already there, 0 refused\n',
    )
    t.same(await logIn(['dora', 'emil', 'fay', 'gil'], password), {
      dora: ['invalid_grant', 'dora'],
      emil: ['invalid_grant', 'emil'],
      fay: ['invalid_grant', 'invalid_grant'],
      gil: ['invalid_grant', 'gil'],
    })
    const people = await exported()
    for (const name of ['dora', 'emil', 'gil']) {
      t.match(
        people.get(name),
        { passwordHash: TODAY, roles: ['default-roles-shop', 'buyer'], disabled: false },
        name,
      )
    }
    t.match(people.get('fay'), {
      passwordHash: /^\$pbkdf2-sha256\$27500\$/,
      disabled: true,
    })
  })
})

for (const { name: storeName, make } of STORES) {
  t.test(
    `100 logins at once at two servers make a hash anew once, on ${storeName}`,
    async t => {
      const store = await make()
      t.teardown(() => store.remove())
      const { server, latchkey, put, exported } = await setUp(t, store.url)
      const replica = await startLatchkey({
        storeUrl: store.url,
        secret: SECRET,
        addUser: false,
        config: { issuer: server.url, passwords: PATIENT },
      })
      t.teardown(() => replica.stop())
      const { hash, password } = made.find(({ name }) => name === 'supabase bcrypt') ?? {
        hash: '',
        password: '',
      }
      await latchkey(
        'users',
        'import',
        await put('one.jsonl', JSON.stringify({ name: 'gus', passwordHash: hash })),
      )
      const writes = store.url.startsWith('sqlite:')
        ? countWrites(t, store.url)
        : undefined

      const logins = Array.from({ length: 100 }, (_, index) =>
        logIn(index % 2 === 0 ? server : replica, password),
      )
      t.same(await Promise.all(logins), Array(100).fill(200))
      t.equal(upgrades(server) + upgrades(replica), 1)
      t.match((await exported()).get('gus')?.passwordHash, TODAY)
      if (writes !== undefined) t.equal(writes(), 1, 'as the store itself counts')
    },
  )
}

/** Logs gus in. A busy machine's store may take too long to answer: 503 means come again. */
async function logIn(
  server: LatchkeyProcess,
  password: string,
  tries = 10,
): Promise<number> {
  const { status } = await postForm(`${server.url}/token`, {
    grant_type: 'password',
    client_id: 'mobile',
    username: 'gus',
    password,
  })
  return status === 503 && tries > 1 ? logIn(server, password, tries - 1) : status
}

/** Lets SQLite count how often a hash is written. */
function countWrites(t: Test, storeUrl: string): () => number {
  const database = new DatabaseSync(storeUrl.slice('sqlite:'.length))
  t.teardown(() => {
    database.close()
  })
  database.exec(
    'CREATE TABLE hash_writes (at INTEGER); CREATE TRIGGER count_hash_writes AFTER UPDATE OF ' +
      'password_hash ON users BEGIN INSERT INTO hash_writes VALUES (1); END',
  )
  return () =>
    Number(
      database.prepare('SELECT count(*) AS writes FROM hash_writes').get()?.['writes'],
    )
}
