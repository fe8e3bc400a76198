// Real server processes that share one ring.
import { Redis } from 'ioredis'
import t from 'tap'
import { openStore } from '../../src/stores/open.ts'
import { EMPTY_RING, type StoredRing } from '../../src/stores/ports/documents/keys.ts'
import { PATIENT, PATIENCE_MS, until } from '../support/until.ts'
import { startRedis } from '../support/redis.ts'
import { runMain, startLatchkey } from '../support/server.ts'

const RACES = 20
// How long after the first save the other server's is still waited for.
const SECOND_SAVE_MS = 2_000
const RING = 'lk:keys'

const kidsOf = ({ keys }: Pick<StoredRing, 'keys'>) => keys.map(({ kid }) => kid)

const redis = await startRedis()
t.teardown(() => redis.stop())
const client = new Redis(redis.url, { retryStrategy: () => null })
t.teardown(() => client.disconnect())
// Before any server runs: the driver mistakes a command that is seen right behind its OK for an answer.
const monitor = await client.monitor()
t.teardown(() => monitor.disconnect())
const commands: string[][] = []
monitor.on('monitor', (_time: string, command: string[]) => {
  commands.push(command)
})
const secret = 'r'.repeat(43)
const servers = await Promise.all(
  [1, 2].map(() => startLatchkey({ storeUrl: redis.url, secret })),
)
for (const server of servers) t.teardown(() => server.stop())

t.test('two servers that race to make a key make one, twenty times', async t => {
  commands.length = 0
  const read = async (): Promise<StoredRing> => {
    const { version, content = '' } = await client.hgetall(RING)
    return { ...EMPTY_RING, ...JSON.parse(content), version: Number(version) }
  }
  const savesOf = (version: number) =>
    commands.filter(
      ([name, , , key, from]) =>
        name?.toLowerCase() === 'evalsha' && key === RING && from === String(version),
    ).length

  let forced = 0
  // A server that is too busy to save in time is out of the race, and it is run again.
  for (let race = 1; forced < RACES && race <= 10 * RACES; race++) {
    const before = await read()
    const {
      version,
      keys: [signer],
      ...rest
    } = before
    const planted = version + 1
    // The ring has lost its next key, and in the same moment no write goes through: both servers read it,
    // make a key and wait with it.
    await client
      .pipeline()
      .hset(RING, {
        version: planted,
        content: JSON.stringify({ ...rest, keys: [signer] }),
      })
      .call('CLIENT', 'PAUSE', String(PATIENCE_MS), 'WRITE')
      .exec()
    for (const server of servers) server.signal('SIGHUP')
    await until(async () => (await client.info('clients')).includes('blocked_clients:2'))
    await client.call('CLIENT', 'UNPAUSE')
    await until(async () => (await read()).version > planted)
    await until(() => savesOf(planted) === 2, SECOND_SAVE_MS).catch(() => {})
    if (savesOf(planted) === 2) forced += 1

    const { version: reached, ...after } = await read()
    t.equal(reached, planted + 1, `race ${race}: one save of two`)
    t.equal(after.keys.length, 2, 'one key was added')
    t.equal(after.keys[0]?.kid, signer?.kid)
    t.notOk(kidsOf(before).includes(after.keys[1]?.kid ?? ''), 'a new one')
  }
  t.equal(forced, RACES, 'each was a race')

  const { version, ...ring } = await read()
  await until(async () =>
    (await Promise.all(servers.map(jwksKids))).every(
      kids => kids.join() === kidsOf(ring).join(),
    ),
  )
  t.same(
    await Promise.all(servers.map(jwksKids)),
    [kidsOf(ring), kidsOf(ring)],
    'and both serve the same keys',
  )
  const looks = () =>
    commands.filter(([name, key]) => name === 'hgetall' && key === RING).length
  commands.length = 0
  await until(() => looks() >= 4)
  t.ok(looks() >= 4, 'they have looked again')
  t.equal((await read()).version, version, 'and nothing was left to change')
})

async function jwksKids({ url }: { readonly url: string }): Promise<string[]> {
  const { keys }: any = await (await fetch(`${url}/.well-known/jwks.json`)).json()
  return keys.map(({ kid }: { readonly kid: string }) => kid)
}

t.test(
  'a replica with a wrong list of secrets refuses to start, and names the key',
  async t => {
    const [server] = servers
    const { store } = await openStore({ ...PATIENT, url: redis.url, clock: Date.now })
    t.teardown(() => store.close())
    const before = await store.keys.load()

    const config = { ...server?.config, secrets: ['b'.repeat(43)] }
    const dir = t.testdir({ 'latchkey.yaml': JSON.stringify(config) })
    const replica = runMain({ LATCHKEY_CONFIG: `${dir}/latchkey.yaml` })
    t.teardown(() => replica.stop())
    t.equal(await replica.ended, 1)
    t.match(replica.lines.join('\n'), `cannot open signing key ${before.keys[0]?.kid}`)
    t.same(await store.keys.load(), before, 'and leaves the ring as it is')
    t.equal(
      (await fetch(`${server?.managementUrl}/readyz`)).status,
      200,
      'the servers that were there go on',
    )
  },
)

t.test(
  'a server that goes back to the old secrets starts beside the new ones',
  async t => {
    const secrets = ['s'.repeat(43), secret]
    const on = async (list: readonly string[]) => {
      const started = await startLatchkey({
        storeUrl: store.url,
        addUser: false,
        config: { secrets: list },
      })
      t.teardown(() => started.stop())
      return started
    }
    const store = await startRedis()
    t.teardown(() => store.stop())
    const fresh = await on(secrets)
    const kids = await jwksKids(fresh)
    const old = await on([secret])
    t.same(await jwksKids(old), kids, 'the ring was sealed under what both have')
    await old.logged(/secrets: other servers have secrets that this one lacks/)
    await fresh.logged(/secrets\[0\] .* is not among the secrets of every running server/)
  },
)
