// What goes to the drivers of databases, and what becomes of what they say. sql.tools.ts asks real databases.
import { EventEmitter } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createMysqlSource } from '../../../src/users/directory/sql/mysql.ts'
import { createPostgresSource } from '../../../src/users/directory/sql/postgres.ts'
import type { SqlServer } from '../../../src/base/sql/server.ts'

const SERVER: SqlServer = {
  url: 'postgres://reader:secret@db.example.com/shop',
  plaintext: false,
  connections: 2,
  timeout: 1_500,
}
const STATEMENT = { text: 'SELECT $1', order: [1, 0] }
const SIGNAL = new AbortController().signal
const FIELDS = [{ name: 'id' }, { name: 'name' }]

/** What a statement comes to: rows, or an error. */
type Says = (text: string) => unknown

/** The driver `pg`, which says what it is told to. */
function fakePg(
  says: Says = () => [{ id: 1 }],
  connected: Promise<unknown> = Promise.resolve(),
) {
  const seen = {
    queries: [] as unknown[],
    released: [] as unknown[],
    client: {} as Record<string, unknown>,
    connectAgain() {},
    ended: 0,
  }
  let pool: EventEmitter | undefined
  class Client extends EventEmitter {
    constructor(options: Record<string, unknown>) {
      super()
      seen.client = options
    }
  }
  class Pool extends EventEmitter {
    readonly #options: { readonly Client: new () => Client }
    constructor(options: { readonly Client: new () => Client }) {
      super()
      this.#options = options
      pool = this
      seen.connectAgain = () => {
        Reflect.construct(this.#options.Client, [])
      }
    }
    async connect() {
      await connected
      return Object.assign(new this.#options.Client(), {
        async query(text: string, values?: unknown[]) {
          seen.queries.push(values === undefined ? text : [text, values])
          const said = says(text)
          if (said instanceof Error) throw said
          return { fields: FIELDS, rows: await said }
        },
        release(broken: boolean) {
          seen.released.push(broken)
        },
      })
    }
    async end() {
      seen.ended += 1
    }
  }
  const load = async () => ({ default: { Client, Pool } }) as never
  return { seen, load, pool: () => pool }
}

const coded = (code: string, message = 'a message') =>
  Object.assign(new Error(message), { code })

t.test('PostgreSQL: one transaction that only reads, on a connection by TLS', async t => {
  const { seen, load, pool } = fakePg()
  const source = createPostgresSource(SERVER, load)
  t.same(await source.ask(STATEMENT, ['Ann', 'ann'], SIGNAL), {
    columns: ['id', 'name'],
    rows: [{ id: 1 }],
  })
  t.same(seen.queries, [
    'BEGIN READ ONLY; SET LOCAL statement_timeout = 1500',
    ['SELECT $1', ['ann', 'Ann']],
    'ROLLBACK',
  ])
  t.same(seen.released, [false])
  t.match(seen.client, {
    host: 'db.example.com',
    port: 5432,
    user: 'reader',
    password: 'secret',
    database: 'shop',
    ssl: {},
    connectionTimeoutMillis: 1_500,
  })
  t.doesNotThrow(() => pool()?.emit('error', new Error('an idle connection ended')))
  await source.close()
  t.equal(seen.ended, 1)
  await createPostgresSource(SERVER, load).close()
})

t.test('PostgreSQL: files are read at every connection', async t => {
  const file = join(t.testdir({ password: 'one' }), 'password')
  const { seen, load } = fakePg()
  const source = createPostgresSource(
    { ...SERVER, passwordFile: file, plaintext: true },
    load,
  )
  await source.ask(STATEMENT, [], SIGNAL)
  t.match(seen.client, { password: 'one', ssl: false })
  writeFileSync(file, 'two')
  await source.ask(STATEMENT, [], SIGNAL)
  t.match(seen.client, { password: 'two' })
  const without = createPostgresSource({ ...SERVER, passwordFile: '/none' }, load)
  await t.rejects(without.ask(STATEMENT, [], SIGNAL), {
    message: /^passwordFile: expected/,
  })
})

t.test('PostgreSQL: a question that nobody waits for ends its connection', async t => {
  const abort = new AbortController()
  const { promise, reject } = Promise.withResolvers<unknown>()
  const { seen, load } = fakePg(text => (text.startsWith('SELECT') ? promise : []))
  const asked = createPostgresSource(SERVER, load).ask(STATEMENT, [], abort.signal)
  const refused = t.rejects(asked, { name: 'SqlFault' })
  while (seen.queries.length < 2) await new Promise(setImmediate)
  abort.abort()
  t.same(seen.released, [true], 'at once')
  reject(new Error('Connection terminated'))
  await refused
  t.same(seen.released, [true])
  const late = fakePg()
  await t.rejects(
    createPostgresSource(SERVER, late.load).ask(STATEMENT, [], AbortSignal.abort()),
  )
  t.same(late.seen.queries, [])
})

t.test('PostgreSQL: a connection that comes too late goes back as it is', async t => {
  const abort = new AbortController()
  const { promise, resolve } = Promise.withResolvers<void>()
  const { seen, load } = fakePg(undefined, promise)
  const asked = createPostgresSource(SERVER, load).ask(STATEMENT, [], abort.signal)
  const refused = t.rejects(asked, { name: 'SqlFault', scope: 'question' })
  await new Promise(setImmediate)
  abort.abort()
  resolve()
  await refused
  t.same(seen.released, [undefined])
  t.same(seen.queries, [])
})

t.test('PostgreSQL: what it says is named, and no name is', async t => {
  for (const [error, expected] of [
    [
      coded('28P01'),
      /^PostgreSQL at db\.example\.com\/shop gives no answer \(28P01: user or password refused\)/,
    ],
    [
      coded('42P01', 'relation "users" does not exist'),
      /42P01: relation "users" does not exist/,
    ],
    [coded('ECONNREFUSED'), /\(ECONNREFUSED\)$/],
    [new Error('Connection terminated'), /\(Connection terminated\)$/],
  ] as const) {
    const source = createPostgresSource(SERVER, fakePg(() => error).load)
    await t.rejects(source.ask(STATEMENT, ['Ann'], SIGNAL), {
      message: expected,
      scope: undefined,
    })
  }
  const odd = fakePg(() => coded('22P02', 'invalid input syntax for type integer: "Ann"'))
  await t.rejects(
    createPostgresSource(SERVER, odd.load).ask(STATEMENT, ['Ann'], SIGNAL),
    {
      message: "PostgreSQL at db.example.com/shop can't take this name (22P02)",
      scope: 'question',
    },
  )
})

/** The driver `mysql2`, which says what it is told to. */
function fakeMysql(
  says: Says = () => [{ id: 1 }],
  {
    version = '10.11.6-MariaDB',
    connect = () => {},
  }: { version?: string; connect?: () => unknown } = {},
) {
  const seen = {
    queries: [] as unknown[],
    released: 0,
    destroyed: 0,
    ended: 0,
    options: [] as Record<string, unknown>[],
  }
  const core = { stream: { destroy() {} } }
  const query = (text: string, values?: unknown[]) => {
    seen.queries.push(values === undefined ? text : [text, values])
    if (text.includes('VERSION')) return [{ version }]
    const said = says(text)
    if (said instanceof Error) throw said
    return said
  }
  const connection = {
    connection: core,
    query: async (text: string) => [query(text), []],
    execute: async (text: string, values: unknown[]) => [
      await query(text, values),
      FIELDS,
    ],
    release() {
      seen.released += 1
    },
    destroy() {
      seen.destroyed += 1
    },
  }
  const createPool = (options: Record<string, unknown>) => {
    seen.options.push(options)
    return {
      getConnection: async () => {
        const said = await connect()
        if (said instanceof Error) throw said
        return connection
      },
      async end() {
        seen.ended += 1
      },
    }
  }
  return { seen, load: async () => ({ createPool }) as never }
}

const MARIADB = { ...SERVER, url: 'mysql://reader:secret@db.example.com/shop' }

t.test(
  'MariaDB and MySQL: a connection is set up once, to read only and in time',
  async t => {
    for (const [version, set] of [
      ['10.11.6-MariaDB', 'SET SESSION max_statement_time = 1.5'],
      ['8.4.0', 'SET SESSION max_execution_time = 1500'],
    ] as const) {
      const { seen, load } = fakeMysql(undefined, { version })
      const source = createMysqlSource(MARIADB, load)
      for (const name of ['Ann', 'Bob']) {
        t.same(await source.ask(STATEMENT, [name, 'ann'], SIGNAL), {
          columns: ['id', 'name'],
          rows: [{ id: 1 }],
        })
      }
      const asked = ['Ann', 'Bob'].map(name => ['SELECT $1', ['ann', name]])
      const setUp = ['SET SESSION TRANSACTION READ ONLY', 'SELECT VERSION()', set]
      t.same(seen.queries, [...setUp, ...asked])
      t.match(seen, { released: 2, destroyed: 0 })
      t.match(seen.options, [
        { port: 3306, ssl: { verifyIdentity: true }, connectionLimit: 2 },
      ])
      await source.close()
      t.equal(seen.ended, 1)
    }
    const { seen, load } = fakeMysql()
    const plain = createMysqlSource({ ...MARIADB, plaintext: true }, load)
    await plain.ask({ ...STATEMENT, order: [7] }, [], SIGNAL)
    t.equal(seen.options[0]?.['ssl'], undefined)
    await createMysqlSource(MARIADB, load).close()
  },
)

t.test('MariaDB: a password that is refused is read anew', async t => {
  const file = join(t.testdir({ password: 'one' }), 'password')
  let isRefused = true
  const { seen, load } = fakeMysql(undefined, {
    connect: () => isRefused && coded('ER_ACCESS_DENIED_ERROR'),
  })
  const source = createMysqlSource({ ...MARIADB, passwordFile: file }, load)
  await t.rejects(source.ask(STATEMENT, [], SIGNAL), {
    message: /user or password refused/,
  })
  writeFileSync(file, 'two')
  isRefused = false
  await source.ask(STATEMENT, [], SIGNAL)
  t.match(seen.options, [{ password: 'one' }, { password: 'two' }])
  t.match(seen, { ended: 1 })
  const without = createMysqlSource({ ...MARIADB, passwordFile: '/none' }, load)
  await t.rejects(without.ask(STATEMENT, [], SIGNAL), {
    message: /^passwordFile: expected/,
  })
  await without.close()
})

t.test('MariaDB: authorities that do not vouch for the server are read anew', async t => {
  const caFile = join(t.testdir({ ca: 'one' }), 'ca')
  let isOther = true
  const { seen, load } = fakeMysql(undefined, {
    connect: () => isOther && coded('HANDSHAKE_SSL_ERROR'),
  })
  const source = createMysqlSource({ ...MARIADB, caFile }, load)
  await t.rejects(source.ask(STATEMENT, [], SIGNAL), { message: /\(caFile\)/ })
  writeFileSync(caFile, 'two')
  isOther = false
  await source.ask(STATEMENT, [], SIGNAL)
  t.match(seen.options, [{ ssl: { ca: 'one' } }, { ssl: { ca: 'two' } }])
})

t.test('MariaDB: of two who are refused at once, one lets go of the pool', async t => {
  const gates = [1, 2].map(() => Promise.withResolvers<void>())
  const connecting = gates.map(({ promise }) =>
    promise.then(() => coded('ER_ACCESS_DENIED_ERROR')),
  )
  const { seen, load } = fakeMysql(undefined, { connect: () => connecting.shift() })
  const source = createMysqlSource({ ...MARIADB, connections: 3 }, load)
  const refused = gates.map(() => t.rejects(source.ask(STATEMENT, [], SIGNAL)))
  gates[0]?.resolve()
  await refused[0]
  await source.ask(STATEMENT, [], SIGNAL)
  gates[1]?.resolve()
  await refused[1]
  t.match(seen, { ended: 1, options: { length: 2 } }, 'and not of the one after it')
  await source.ask(STATEMENT, [], SIGNAL)
  t.equal(seen.options.length, 2)
})

t.test('MariaDB: a question that nobody waits for ends its connection', async t => {
  const abort = new AbortController()
  const { promise, reject } = Promise.withResolvers<unknown>()
  const { seen, load } = fakeMysql(text => (text === 'SELECT $1' ? promise : []))
  const refused = t.rejects(
    createMysqlSource(MARIADB, load).ask(STATEMENT, [], abort.signal),
  )
  while (seen.queries.length < 4) await new Promise(setImmediate)
  abort.abort()
  await refused
  t.equal(seen.destroyed, 1, 'whether it answers or not')
  reject(new Error('closed'))
})

t.test('MariaDB: what it says is named, and no name is', async t => {
  for (const [error, expected] of [
    [
      coded('ER_BAD_DB_ERROR'),
      /^the database at db\.example\.com\/shop gives no answer \(ER_BAD_DB_ERROR: it has/,
    ],
    [
      coded('ER_NO_SUCH_TABLE', "Table 'a.b' doesn't exist"),
      /ER_NO_SUCH_TABLE: Table 'a\.b'/,
    ],
    [coded('ECONNREFUSED'), /\(ECONNREFUSED\)$/],
    [new TypeError('x'), /\(TypeError\)$/],
  ] as const) {
    const source = createMysqlSource(MARIADB, fakeMysql(() => error).load)
    await t.rejects(source.ask(STATEMENT, ['Ann'], SIGNAL), {
      message: expected,
      scope: undefined,
    })
  }
  const odd = fakeMysql(() =>
    Object.assign(coded('ER_TRUNCATED_WRONG_VALUE', 'Ann'), { errno: 1292 }),
  )
  await t.rejects(createMysqlSource(MARIADB, odd.load).ask(STATEMENT, ['Ann'], SIGNAL), {
    message:
      "the database at db.example.com/shop can't take this name (ER_TRUNCATED_WRONG_VALUE)",
    scope: 'question',
  })
})

t.test('MariaDB: a connection that comes too late goes back as it is', async t => {
  const abort = new AbortController()
  const { promise, resolve } = Promise.withResolvers<void>()
  const { seen, load } = fakeMysql()
  const late = async () => {
    const { createPool } = (await load()) as { createPool: (options: object) => any }
    const waiting = (options: object) => {
      const pool = createPool(options)
      return { ...pool, getConnection: () => promise.then(() => pool.getConnection()) }
    }
    return { createPool: waiting } as never
  }
  const asked = createMysqlSource(MARIADB, late).ask(STATEMENT, [], abort.signal)
  const refused = t.rejects(asked, { name: 'SqlFault', scope: 'question' })
  await new Promise(setImmediate)
  abort.abort()
  await refused
  resolve()
  await new Promise(setImmediate)
  t.match(seen, { released: 1, destroyed: 0, queries: [] })
})

t.test('MariaDB: a file that could not be read is read again', async t => {
  const dir = t.testdir({})
  const file = join(dir, 'password')
  const { seen, load } = fakeMysql()
  const source = createMysqlSource({ ...MARIADB, passwordFile: file }, load)
  await t.rejects(source.ask(STATEMENT, [], SIGNAL), { message: /ENOENT/ })
  writeFileSync(file, 'two')
  await source.ask(STATEMENT, [], SIGNAL)
  t.match(seen.options, [{ password: 'two' }])
  await source.close()
})

t.test(
  'PostgreSQL: what the pool connects with by itself is what was read last',
  async t => {
    const file = join(t.testdir({ password: 'one' }), 'password')
    const { seen, load } = fakePg()
    const source = createPostgresSource({ ...SERVER, passwordFile: file }, load)
    await source.ask(STATEMENT, [], SIGNAL)
    writeFileSync(file, '')
    await t.rejects(source.ask(STATEMENT, [], SIGNAL), { message: /not to be empty/ })
    t.doesNotThrow(
      () => seen.connectAgain(),
      'a pool makes connections where nobody catches',
    )
    t.match(seen.client, { password: 'one' })
  },
)

for (const [name, make] of [
  [
    'PostgreSQL',
    (says: Says) => createPostgresSource({ ...SERVER, timeout: 40 }, fakePg(says).load),
  ],
  [
    'MariaDB',
    (says: Says) => createMysqlSource({ ...MARIADB, timeout: 40 }, fakeMysql(says).load),
  ],
] as const) {
  t.test(
    `${name}: who waits too long for a connection is told that it is busy`,
    async t => {
      const { promise, resolve } = Promise.withResolvers<unknown[]>()
      const source = make(() => promise)
      const first = [1, 2].map(() => source.ask(STATEMENT, [], SIGNAL))
      await t.rejects(source.ask(STATEMENT, [], SIGNAL), {
        scope: 'busy',
        message: 'all 2 connections (connections) are in use',
      })
      resolve([])
      await Promise.all(first)
    },
  )
}
