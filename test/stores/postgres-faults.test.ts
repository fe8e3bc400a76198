// The connections to PostgreSQL: which failures mean that it is away, what they cost, and what they are
// called.
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { UnreadableFile, type SqlServer } from '../../src/base/sql/server.ts'
import { watchAccounts } from '../../src/observe/accounts-store.ts'
import { createMetrics } from '../../src/observe/metrics/metrics.ts'
import type { AccountsCall } from '../../src/stores/ports/health.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { createBreaker } from '../../src/stores/postgres/database/breaker.ts'
import { openConnections } from '../../src/stores/postgres/database/connections.ts'
import { isAway, unavailable } from '../../src/stores/postgres/database/faults.ts'
import { withPostgres } from '../../src/stores/postgres/store.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { startPglite } from '../support/pglite.ts'
import { someAccount } from '../support/stores.ts'
import { until } from '../support/until.ts'

const database = await startPglite()
t.teardown(() => database.stop())

async function start(t: Test, settings: Partial<SqlServer> = {}) {
  const connections = await openConnections({ ...database.server, ...settings })
  t.teardown(() => connections.close())
  return connections
}

/** AuthenticationOk and ReadyForQuery. */
const READY = Buffer.from('5200000008000000005a0000000549', 'hex')

/** Counts the connections to a port. */
async function countConnections(t: Test, port: number) {
  let count = 0
  const server = createServer(client => {
    count += 1
    const upstream = connect(port, '127.0.0.1')
    client.pipe(upstream).pipe(client)
    for (const socket of [client, upstream]) socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port: own } = server.address() as AddressInfo
  return {
    url: `postgres://postgres@127.0.0.1:${own}/postgres`,
    count: () => count,
  }
}

t.test('the calls that wait have a bound', async t => {
  const { ask, within } = await start(t)
  const { promise, resolve } = Promise.withResolvers<void>()
  const held = within([], () => promise)
  const question = { text: 'SELECT 1' }
  const waiting = Array.from({ length: 256 }, () => ask(question))
  await t.rejects(ask(question), {
    message: /too many calls wait.*store\.accounts\.connections/,
  })
  resolve()
  await Promise.all([held, ...waiting])
})

t.test('what PostgreSQL refuses to one call keeps nobody else from it', async t => {
  const { ask, within } = await start(t)
  const refused = {
    name: 'StoreUnavailable',
    message: /did not do what was asked \(42P01/,
  }
  for (let count = 0; count < 4; count++) {
    await t.rejects(ask({ text: 'SELECT * FROM nothing' }), refused)
  }
  const mistake = new TypeError('of this program')
  for (let count = 0; count < 4; count++) {
    await t.rejects(
      within([], () => Promise.reject(mistake)),
      mistake,
    )
  }
  t.same(await ask({ text: 'SELECT 1 AS one' }), [{ one: 1 }])
})

t.test('a connection outlives the fault of another store', async t => {
  const between = await countConnections(t, Number(new URL(database.server.url).port))
  const { ask, within } = await start(t, { url: between.url })
  await ask({ text: 'CREATE TABLE kept (id integer)' })
  const fault = new StoreUnavailable(undefined, 'Redis is away')
  const insert = { text: 'INSERT INTO kept VALUES (1)' }
  await t.rejects(
    within([], async run => {
      await run(insert)
      throw fault
    }),
    fault,
  )
  await t.rejects(
    within([], async run => {
      await run(insert)
      return run({ text: 'no statement' })
    }),
    { message: /42601/ },
  )
  t.same(await ask({ text: 'SELECT * FROM kept' }), [], 'nothing of either is left')
  t.equal(between.count(), 1)
})

t.test('a server that only reads is not asked', async t => {
  const between = await countConnections(t, Number(new URL(database.server.url).port))
  const { ask } = await start(t, { url: between.url })
  const insert = { text: 'INSERT INTO written VALUES (1)' }
  await ask({ text: 'CREATE TABLE written (id integer)' })
  await ask(insert)
  await database.run('SET default_transaction_read_only = on')
  const refused = { message: /gives no answer \(25006: it only reads/ }
  await t.rejects(ask(insert), refused)
  t.equal(between.count(), 1)
  await t.rejects(ask({ text: 'SELECT 1' }), refused, 'nor for what may be old there')
  t.equal(between.count(), 2, 'the connection was given up')
  await database.run('SET default_transaction_read_only = off')
  await ask(insert)
  t.equal(between.count(), 3)
})

t.test('a server that is made to read only is noticed by whoever only reads', async t => {
  let now = 0
  const { ask, close } = await openConnections(database.server, { monotonic: () => now })
  t.teardown(close)
  const question = { text: 'SELECT 1' }
  await ask(question)
  await database.run('SET default_transaction_read_only = on')
  now += 10_000
  await t.rejects(ask(question), { message: /25006: it only reads/ })
  await database.run('SET default_transaction_read_only = off')
  await ask(question)
  now += 10_000
  await ask(question)
})

t.test('after a fault no idle connection is waited for', async t => {
  const between = await countConnections(t, Number(new URL(database.server.url).port))
  const { ask, within } = await start(t, { url: between.url, connections: 3 })
  const question = { text: 'SELECT 1' }
  await Promise.all([ask(question), ask(question), ask(question)])
  t.equal(between.count(), 3)
  const gone = Object.assign(new Error('gone'), { code: '57P01' })
  await t.rejects(
    within([], () => Promise.reject(gone)),
    { message: /57P01: it is being shut down/ },
  )
  await ask(question)
  t.equal(between.count(), 4, 'a new one')
  await ask(question)
  t.equal(between.count(), 4, 'which is good from then on')
})

t.test(
  'a connection that breaks while it is looked at is a fault like any other',
  async t => {
    const server = createServer(client => {
      let asked = 0
      client.on('error', () => {})
      client.on('data', () => {
        asked += 1
        // The question is cut off.
        if (asked === 1) client.write(READY)
        else client.destroy()
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    const { ask } = await start(t, {
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    })
    await t.rejects(ask({ text: 'SELECT 1' }), { message: /gives no answer/ })
  },
)

t.test('each call is told of, with what came of it', async t => {
  const called: AccountsCall[] = []
  const changed: Array<string | undefined> = []
  let now = 0
  const { ask, within, close } = await openConnections(database.server, {
    watch: {
      called: call => called.push(call),
      changed: fault => changed.push(fault),
    },
    monotonic: () => (now += 5),
  })
  t.teardown(close)
  await ask({ text: 'SELECT 1' })
  await within([], async () => {})
  await t.rejects(ask({ text: 'no statement' }))
  await t.rejects(
    within([], () => Promise.reject(new StoreUnavailable(undefined, 'Redis'))),
  )
  t.match(called, [
    { call: 'statement', outcome: 'ok' },
    { call: 'transaction', outcome: 'ok' },
    { call: 'statement', outcome: 'failed' },
    { call: 'transaction', outcome: 'ok' },
  ])
  for (const { ms } of called) t.ok(ms >= 5 && ms % 5 === 0)
  await database.away()
  for (let count = 0; count < 4; count++) await t.rejects(ask({ text: 'SELECT 1' }))
  t.match(changed, [/gives no answer/])
  t.match(called.at(-1), { outcome: 'refused' })
  await database.back()
  await until(async () => changed.length === 2)
  t.same(changed.at(-1), undefined)
  await ask({ text: 'SELECT 1' })
  t.match(called.at(-1), { outcome: 'ok' })
})

t.test('a server shows how its PostgreSQL does, and tells the log', async t => {
  const lines: string[] = []
  const log = (_: object, message: string) => lines.push(message)
  let isThere = false
  const metrics = createMetrics()
  const watch = watchAccounts(metrics, () =>
    isThere ? { warn: log, error: log } : undefined,
  )
  const shown = async () =>
    (await metrics.render())
      .split('\n')
      .filter(line => /^latchkey_store_accounts_(?!.*_bucket)/.test(line))
  t.notMatch((await shown()).join(), /reached/, 'nothing without store.accounts')
  watch.called({ call: 'statement', outcome: 'ok', ms: 250 })
  watch.called({ call: 'transaction', outcome: 'failed', ms: 500 })
  watch.called({ call: 'statement', outcome: 'refused', ms: 0 })
  const counted = [
    'latchkey_store_accounts_duration_seconds_sum{call="statement"} 0.25',
    'latchkey_store_accounts_duration_seconds_count{call="statement"} 1',
    'latchkey_store_accounts_duration_seconds_sum{call="transaction"} 0.5',
    'latchkey_store_accounts_errors_total{call="statement"} 1',
    'latchkey_store_accounts_errors_total{call="transaction"} 1',
  ]
  const reached = (value: number) => `latchkey_store_accounts_reached ${value}`
  const has = async (expected: readonly string[]) => {
    const all = await shown()
    for (const line of expected) t.ok(all.includes(line), line)
  }
  await has([...counted, reached(1)])
  watch.changed('57P01')
  watch.changed(undefined)
  isThere = true
  watch.changed('57P01')
  watch.called({ call: 'statement', outcome: 'ok', ms: 1 })
  await has([reached(0)])
  watch.changed(undefined)
  await has([reached(1)])
  t.match(lines, [/does not answer/, /answers again/])
})

t.test('a password file is read where a connection is made', async t => {
  const passwordFile = join(t.testdir({ password: 'x' }), 'password')
  const { ask, within } = await start(t, { passwordFile })
  const { promise, resolve } = Promise.withResolvers<void>()
  const held = within([], () => promise)
  await t.resolves(new Promise(setImmediate))
  rmSync(passwordFile)
  const waiting = ask({ text: 'SELECT 1' })
  resolve()
  await t.resolves(Promise.all([held, waiting]), 'no file is read for a call that waits')

  const other = await start(t, { passwordFile })
  for (let count = 0; count < 4; count++) {
    await t.rejects(other.ask({ text: 'SELECT 1' }), {
      message: /passwordFile: expected/,
    })
  }
  writeFileSync(passwordFile, 'x')
  await t.resolves(other.ask({ text: 'SELECT 1' }), 'the server was never away')
})

t.test('a breaker refuses at once, and probes until the server is back', async t => {
  const fault = (reason: string) => new StoreUnavailable(undefined, reason)
  const waits: Array<() => void> = []
  const answers = [fault('second'), undefined, fault('third')]
  let probes = 0
  const told: string[] = []
  const breaker = createBreaker(
    async () => {
      probes += 1
      return answers.shift()
    },
    {
      wait: () => new Promise<void>(resolve => waits.push(resolve)),
      changed: fault => told.push(fault ?? 'back'),
    },
  )
  const next = async () => {
    waits.shift()?.()
    await new Promise(setImmediate)
  }
  breaker.failed(fault('first'))
  breaker.failed(fault('first'))
  breaker.answered()
  breaker.failed(fault('first'))
  breaker.failed(fault('first'))
  breaker.refuse()
  breaker.failed(fault('first'))
  breaker.failed(fault('first'))
  t.throws(() => breaker.refuse(), { message: /first/ })
  t.equal(waits.length, 1, 'one probe, whoever fails')
  await next()
  t.throws(() => breaker.refuse(), { message: /second/ })
  await next()
  breaker.refuse()
  t.equal(waits.length, 0)

  for (let count = 0; count < 3; count++) breaker.failed(fault('again'))
  await next()
  t.throws(() => breaker.refuse(), { message: /third/ })
  breaker.stop()
  await next()
  t.equal(probes, 4)
  t.equal(waits.length, 0, 'stopped')
  t.same(told, ['first', 'back', 'again', 'back'], 'each change is told of once')
})

t.test('nobody waits for a server that is away, and it is found again', async t => {
  const { ask } = await start(t)
  const question = { text: 'SELECT 1 AS one' }
  await ask(question)
  await database.away()
  for (let count = 0; count < 3; count++) {
    await t.rejects(ask(question), { message: /gives no answer/ })
  }
  const faultNow = () => ask(question).catch((error: unknown) => error)
  const first = await faultNow()
  t.equal(await faultNow(), first, 'the server is left alone')
  await until(async () => (await faultNow()) !== first)
  await database.back()
  await until(async () => (await ask(question)).length === 1)
})

t.test('a unique value of any length', async t => {
  const sessions = createSqliteStore({ file: ':memory:', clock: systemClock })
  const { store } = await withPostgres(sessions, database.server)
  t.teardown(() => store.close())
  const random = crypto.getRandomValues(new Uint8Array(1_500))
  const begin = `long-${Buffer.from(random).toString('hex')}`
  const [one, two] = ['a', 'b'].map(end => ({ attribute: 'id', value: begin + end }))
  if (one === undefined || two === undefined) throw new Error('two')
  const ann = someAccount('ann', { uniqueValues: [one] })
  const bob = someAccount('bob', { uniqueValues: [two] })
  t.equal(await store.directory.add(bob), 'added')
  t.equal(await store.directory.add(ann), 'added')
  t.match(await store.directory.add({ ...someAccount('cid'), uniqueValues: [one] }), {
    kind: 'value_taken',
  })
  t.match(await store.directory.byValue(two), { sub: 'bob' })
  const search = { attribute: 'id', prefix: 'long-', limit: 1 }
  t.match(await store.directory.search(search), [{ account: { sub: 'ann' } }])
  t.match(await store.directory.search({ ...search, after: one.value }), [
    { account: { sub: 'bob' } },
  ])
})

t.test('what PostgreSQL says is named', async t => {
  const said = (error: object) => unavailable(error, 'db/shop').reason
  t.match(said({ code: '25006', message: 'x' }), /no answer \(25006: it only reads/)
  t.match(said({ code: '42601', message: 'of\n a statement' }), /42601: of a statement/)
  t.match(said(new Error('timeout')), /no answer \(timeout\)/)
  t.match(said({ code: '22P02', message: 'invalid: "s3cret"' }), /22P02: it can not take/)
  const fault = new StoreUnavailable(undefined, 'of the other store')
  t.equal(unavailable(fault, 'db'), fault)
})

t.test('away is what keeps every call from the server', async t => {
  for (const code of ['08006', '28P01', '3D000', '53300', '57P01', '58030', '25006']) {
    t.equal(isAway({ code }), true, code)
  }
  for (const code of ['EPIPE', 'ECONNREFUSED']) t.equal(isAway({ code }), true, code)
  t.equal(isAway(new Error('Query read timeout')), true)
  for (const code of ['23505', '25P03', '40001', '42501', '54000', '55P03', '57014']) {
    t.equal(isAway({ code }), false, code)
  }
  t.equal(isAway(new TypeError('x is undefined')), false)
  t.equal(isAway(new UnreadableFile('passwordFile: expected a file')), false)
  t.equal(isAway(new StoreUnavailable(undefined, 'Redis')), false)
})
