// The connections to PostgreSQL: which failures mean that it is away, what they cost, and what they are
// called.
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { UnreadableFile, type SqlServer } from '../../src/base/sql-server.ts'
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
  const breaker = createBreaker(
    async () => {
      probes += 1
      return answers.shift()
    },
    () => new Promise<void>(resolve => waits.push(resolve)),
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
