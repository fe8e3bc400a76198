// No session of before meets a new password, whoever dies between which two statements: kill -9 of the
// process that changes it, and of PostgreSQL, with sessions in SQLite and in Redis.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { startChild } from '../support/children.ts'
import { startPostgres, type Database } from '../support/databases.ts'
import { startRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { until } from '../support/until.ts'

const OLD = '$argon2id$first'
const NEW = '$argon2id$second'
/**
 * From one death to the next. 2: before and after each second statement, so that somebody dies once between
 * any two. 1, before and after each, is the long form.
 */
const STEP = Number(process.env['LATCHKEY_KILL_STEP'] ?? 2)

/** When somebody dies: before a statement arrives, or after it was done and before its answer arrives. */
interface Death {
  readonly statement: number
  readonly when: 'before' | 'after'
  readonly die: () => Promise<unknown>
}

/** What stands between a process and PostgreSQL, and counts statements. */
interface Between {
  readonly url: string
  /** From now on statements count; undefined: none does. */
  arm(death: Death | undefined): void
  /** How many there were. */
  count(): number
}

/** One chunk from the driver is one statement: it waits for each answer. */
async function standBetween(t: Test, port: number): Promise<Between> {
  let death: Death | undefined
  let [count, isDead] = [0, false]
  const sockets = new Set<Socket>()
  const die = (): void => {
    isDead = true
    death?.die().then(() => {
      for (const socket of sockets) socket.destroy()
    })
  }
  const server = createServer(client => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket)
          client.destroy()
          upstream.destroy()
        })
    }
    let isLast = false
    client.on('data', chunk => {
      if (isDead) return
      if (death !== undefined) {
        count += 1
        if (count === death.statement && death.when === 'before') {
          die()
          return
        }
        isLast = count === death.statement
      }
      upstream.write(chunk)
    })
    upstream.on('data', chunk => {
      if (isDead) return
      if (isLast) die()
      else client.write(chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port: own } = server.address() as AddressInfo
  return {
    url: `postgres://postgres@127.0.0.1:${own}/postgres`,
    arm(next) {
      death = next
      ;[count, isDead] = [0, false]
    },
    count: () => count,
  }
}

interface World {
  readonly database: Database
  readonly between: Between
  readonly storeUrl: string
  readonly store: Store
}

async function worldOf(t: Test, storeUrl: string): Promise<World> {
  const database = await startPostgres(t)
  const between = await standBetween(t, database.port)
  const accounts = {
    url: database.url,
    plaintext: false,
    connections: 4,
    timeout: 5_000,
  }
  const { store } = await openStore({ url: storeUrl, accounts, clock: systemClock })
  t.teardown(() => store.close())
  return { database, between, storeUrl, store }
}

let people = 0

/** One change with one death; resolves to whether the change came to its end before it. */
async function changeAndDie(
  t: Test,
  { database, between, storeUrl, store }: World,
  { what, victim, ...death }: { what: string; victim: string } & Omit<Death, 'die'>,
): Promise<boolean> {
  people += 1
  const account = someAccount(`killed-${people}`)
  const { tag, foldedName } = account
  await store.directory.add(account)
  const session = await signIn(store, tag)
  await store.tickets.make({
    tag,
    purpose: 'recovery',
    hash: `ticket of ${tag}`,
    sessionsEpoch: 1,
    address: 'address',
    forMs: 600_000,
    codeTries: 5,
  })
  between.arm(undefined)
  const changer = startChild(
    process.execPath,
    [
      join(import.meta.dirname, '../support/changer.ts'),
      storeUrl,
      between.url,
      what,
      tag,
      NEW,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const lines = createInterface({ input: changer.stdout })
  const said: string[] = []
  lines.on('line', line => said.push(line))
  const ended = once(changer, 'exit')
  await until(() => said.includes('ready'))
  const die = async () => {
    if (victim === 'process') changer.kill('SIGKILL')
    else await database.kill()
  }
  between.arm({ ...death, die })
  changer.stdin.write('go\n')
  await ended
  const isReached = between.count() >= death.statement
  if (isReached && victim === 'database') await database.start()
  await until(() => store.directory.byName(foldedName).then(found => found !== undefined))
  const about = `${what}, ${victim} dies ${death.when} statement ${death.statement}`
  const after = await store.directory.byName(foldedName)
  const rotated = await store.families.rotate(presented(session, 1))
  const late = await signIn(store, tag, { sessionsEpoch: 1 }).then(
    () => true,
    () => false,
  )
  const isNew = after?.passwordHash === NEW
  t.ok(isNew || after?.passwordHash === OLD, `${about}: one of two passwords`)
  t.notOk(
    isNew && rotated.kind === 'rotated',
    `${about}: no old session beside a new one`,
  )
  t.notOk(isNew && late, `${about}: nor a login that began before`)
  if (said.includes('true')) t.ok(isNew, `${about}: what was acknowledged is there`)
  t.equal(await store.directory.setPassword(tag, '$argon2id$third'), true, about)
  t.match(await store.families.rotate(presented(session, 1)), { kind: 'refused' })
  const last = await store.directory.byName(foldedName)
  t.equal(last?.passwordHash, '$argon2id$third')
  await signIn(store, tag, { sessionsEpoch: Number(last?.sessionsEpoch) })
  return !isReached
}

for (const name of ['SQLite', 'Redis']) {
  t.test(`sessions in ${name}`, async t => {
    const redis = name === 'Redis' ? await startRedis() : undefined
    t.teardown(() => redis?.stop())
    const world = await worldOf(
      t,
      redis?.url ?? `sqlite:${join(t.testdir(), 'latchkey.db')}`,
    )
    for (const what of ['set', 'ticket']) {
      for (const victim of ['process', 'database']) {
        for (const when of ['before', 'after'] as const) {
          let statement = 1
          while (!(await changeAndDie(t, world, { what, victim, when, statement }))) {
            statement += STEP
          }
          t.ok(statement > 5, `${what}: the last death at ${statement - STEP}`)
        }
      }
    }
  })
}
