// A connection to Redis that fails in every way that we could think of: calls answer in time or fail, and it
// comes back by itself.
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createDeadlines } from '../../src/base/deadlines.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { connectRedis } from '../../src/stores/redis/connection/connect.ts'
import { createLink, type Link } from '../../src/stores/redis/connection/link.ts'
import { faultOf } from '../support/lost-store.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const ping = (link: Link) => link.run(client => client.ping())
const answers = async (link: Link) => (await ping(link)) === 'PONG'

async function linkTo(t: Test, redis: TestRedis): Promise<Link> {
  const link = createLink({
    client: await connectRedis({ url: redis.url }),
    verify: ({ run }) => run(client => client.ping()),
  })
  t.teardown(() => link.close())
  return link
}

const failsFor = (t: Test, reason: RegExp, call: Promise<unknown>) =>
  t.rejects(call, { name: 'StoreUnavailable', message: reason })

t.test(
  'a server that hangs: calls fail in time, then at once; it is used again soon after it wakes up',
  async t => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const link = await linkTo(t, redis)
    process.kill(redis.pid, 'SIGSTOP')
    await failsFor(t, /no answer within 300 ms/, ping(link))
    const calls = setInterval(() => {
      ping(link).catch(() => {})
    }, 50)
    t.ok(await until(() => !link.isUp()), 'it is known to be down')
    clearInterval(calls)
    await t.rejects(
      ping(link),
      { name: 'StoreUnavailable', cause: { message: 'the store is known to be down' } },
      'nothing waits for it any more',
    )
    // Long enough that a new connection, which the kernel takes for it, is given up.
    await wait(1500)
    t.equal(link.isUp(), false)
    process.kill(redis.pid, 'SIGCONT')
    t.ok(await until(() => link.isUp()))
    t.ok(await until(() => answers(link)))
  },
)

t.test('a server that was killed and started again', async t => {
  const redis = await startRedis()
  const link = await linkTo(t, redis)
  await redis.stop()
  await t.rejects(ping(link), StoreUnavailable)
  await until(() => !link.isUp())
  await wait(1000)
  const again = await startRedis({ port: redis.port })
  t.teardown(() => again.stop())
  t.ok(await until(() => link.isUp()))
  t.ok(await until(() => answers(link)))
})

t.test(
  'one call that is slow, and errors that the server tells, take nothing down',
  async t => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const link = await linkTo(t, redis)
    await t.rejects(
      link.run(client => wait(400).then(() => client.ping())),
      StoreUnavailable,
    )
    for (let i = 0; i < 5; i++) {
      t.match(await faultOf(() => link.run(client => client.call('NOSUCH'))), {
        name: 'StoreUnavailable',
        cause: { name: 'ReplyError' },
      })
    }
    const late = Promise.withResolvers<never>()
    await failsFor(
      t,
      /no answer within 300 ms/,
      link.run(() => late.promise),
    )
    late.reject(new Error('late'))
    await wait(200)
    t.equal(link.isUp(), true)
    t.equal(
      await link.run(
        client => client.call('NOSUCH'),
        () => Promise.resolve('made good'),
      ),
      'made good',
    )
  },
)

t.test('a busy event loop is no fault of the store', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const link = await linkTo(t, redis)
  const answer = ping(link)
  await new Promise(resolve => setImmediate(resolve))
  for (const start = performance.now(); performance.now() - start < 500;);
  t.equal(await answer, 'PONG')
})

t.test(
  'a server that loses its role is left, and one that the driver gave up is tried again',
  async t => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const link = await linkTo(t, redis)
    await link.run(client => client.call('REPLICAOF', '127.0.0.1', '1'))
    await t.rejects(
      link.run(client => client.set('a', 1)),
      { cause: { message: /^READONLY/ } },
    )
    await until(() => !link.isUp())
    t.ok(await until(() => link.isUp()))
    link.client.disconnect()
    await until(() => link.client.status === 'end')
    t.equal(link.isUp(), false)
    t.ok(await until(() => link.isUp()))
  },
)

t.test('a new connection has to pass before calls go through', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  let passes = false
  const link = createLink({
    client: await connectRedis({ url: redis.url }),
    verify: async () => {
      if (!passes) throw new Error('not yet')
    },
  })
  t.teardown(() => link.close())
  link.client.disconnect(true)
  await until(() => !link.isUp())
  await wait(500)
  t.equal(link.isUp(), false)
  passes = true
  t.ok(await until(() => link.isUp()))
})

t.test('one that was closed stays closed', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const link = await linkTo(t, redis)
  const late = await linkTo(t, redis)
  late.client.disconnect(true)
  await until(() => !late.isUp())
  for (const each of [link, late]) each.close()
  await wait(500)
  for (const each of [link, late]) await t.rejects(ping(each), StoreUnavailable)
})

t.test('deadlines expire in their order, and none that was removed', async t => {
  const expired: string[] = []
  let now = 0
  const deadlines = createDeadlines(20, () => now)
  const [first, second] = ['first', 'second'].map(name =>
    deadlines.add(() => {
      expired.push(name)
    }),
  )
  now = 10
  deadlines.add(() => {
    expired.push('third')
  })
  t.equal(first !== undefined && deadlines.remove(first), true)
  now = 29
  await until(() => expired.length === 1)
  t.same(expired, ['second'])
  now = 30
  await until(() => expired.length === 2)
  t.same(expired, ['second', 'third'])
  t.equal(second !== undefined && deadlines.remove(second), false)
})

t.test('while the machine stood still nobody could answer', async t => {
  let [now, looks] = [0, 0]
  const deadlines = createDeadlines(20, () => {
    looks += 1
    return now
  })
  let expiredAfter = 0
  deadlines.add(() => {
    expiredAfter = looks
  })
  const before = looks
  now = 2_000
  await until(() => expiredAfter > 0)
  t.ok(expiredAfter - before > 1, 'not when that is seen, but some time later')
})

t.test('a deadline that was removed keeps no other one in memory', async t => {
  const deadlines = createDeadlines(20, () => 0)
  const [first, middle, last] = [1, 2, 3].map(() => deadlines.add(() => {}))
  for (const removed of [middle, last, first]) {
    t.equal(removed !== undefined && deadlines.remove(removed), true)
    t.match(removed, { expire: undefined, before: undefined, after: undefined })
  }
  t.equal(first !== undefined && deadlines.remove(first), false)
})
