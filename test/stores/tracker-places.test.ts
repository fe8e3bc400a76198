// Where the connections of introspection.cache lead to: nothing is remembered unless all are at one primary,
// and those that were elsewhere move on.
import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { connectRedis } from '../../src/stores/redis/connection/connect.ts'
import { createLink } from '../../src/stores/redis/connection/link.ts'
import { startTracker } from '../../src/stores/redis/tracking/tracker.ts'
import { startRedis, type TestRedisOptions } from '../support/redis.ts'
import { PATIENT, until } from '../support/until.ts'

async function redisFor(t: Test, options?: TestRedisOptions) {
  const redis = await startRedis(options)
  t.teardown(() => redis.stop())
  return redis
}

/** An address that leads to a port, and later to another one. */
async function startAddress(t: Test, port: number) {
  let target = port
  const open = new Set<Socket>()
  const server = createServer(near => {
    const far = connect(target, '127.0.0.1')
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => {}).on('close', () => [near, far].map(it => it.destroy()))
    }
    near.pipe(far).pipe(near)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const at = server.address()
  if (at === null || typeof at === 'string') throw new TypeError('no port')
  return {
    url: `redis://127.0.0.1:${at.port}/0`,
    leadTo(other: number) {
      target = other
    },
  }
}

async function linkTo(t: Test, url: string, hearsChanges = false) {
  const client = await connectRedis({ ...PATIENT, url, hearsChanges })
  const link = createLink({
    ...PATIENT,
    client,
    verify: ({ run }) => run(it => it.ping()),
  })
  t.teardown(() => link.close())
  return link
}

/** Tracks at the address, with the store's own connection at the primary. */
async function trackAt(t: Test, url: string, primary: string) {
  const tracker = await startTracker({
    main: await linkTo(t, primary),
    tracked: await linkTo(t, url),
    listening: await linkTo(t, url, true),
    probeKey: 'probe',
    changes: { changed() {}, forget() {} },
  })
  t.teardown(() => tracker.close())
  return tracker
}

t.test('a replica reports what its primary was told, but may be cut off', async t => {
  const primary = await redisFor(t, { args: ['--repl-diskless-sync-delay', '0'] })
  const replica = await redisFor(t, {
    args: ['--replicaof', `127.0.0.1 ${primary.port}`],
  })
  const address = await startAddress(t, replica.port)
  const { client } = await linkTo(t, primary.url)
  await until(async () => /state=online/.test(String(await client.info('replication'))))
  const tracker = await trackAt(t, address.url, primary.url)
  t.notOk(tracker.isFresh())
  t.match(tracker.fault(), /READONLY/)
  address.leadTo(primary.port)
  await until(() => tracker.isFresh())
  t.equal(tracker.fault(), undefined)
})

t.test('what is at another primary moves on to that of the store', async t => {
  const [primary, other] = [await redisFor(t), await redisFor(t)]
  const address = await startAddress(t, other.port)
  const tracker = await trackAt(t, address.url, primary.url)
  t.notOk(tracker.isFresh())
  t.equal(tracker.fault(), 'it reports no changes')
  address.leadTo(primary.port)
  await until(() => tracker.isFresh())
})
