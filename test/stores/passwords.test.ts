// What proves us to Redis and to its sentinels changes while a server runs: files are read again at each
// connection, and nothing is started anew.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openStore } from '../../src/stores/open.ts'
import { createRedisStore, type RedisStore } from '../../src/stores/redis/store.ts'
import { runChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { startRedis, startSentinel } from '../support/redis.ts'
import { someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

const [OLD, NEW] = ['sesame-and-poppy', 'thyme/100%@rosemary']
const pem = (name: string) =>
  readFileSync(new URL(`../support/tls/${name}.pem`, import.meta.url), 'utf8')

type Command = (...command: string[]) => Promise<string>

/** Commands as the default user, whose password stays. */
function adminOf(port: number): Command {
  const cli = ['--no-auth-warning', '-a', 'admin', '-p', String(port)]
  return async (...command) => (await runChild('redis-cli', [...cli, ...command])).stdout
}

/** A Redis with a user `app` whose password is the old one. */
async function redisOf(t: Test, cluster = false) {
  const redis = await startRedis({ cluster, args: ['--requirepass', 'admin'] })
  t.teardown(() => redis.stop())
  const admin = adminOf(redis.port)
  await admin('ACL', 'SETUSER', 'app', 'on', `>${OLD}`, '~*', '&*', '+@all')
  return { port: redis.port, admin }
}

/** Files of the test's own, and the way to write one. */
function filesWith(t: Test, files: Readonly<Record<string, string>>) {
  const directory = t.testdir(files)
  const at = (name: string) => join(directory, name)
  return { at, write: (name: string, text: string) => writeFileSync(at(name), text) }
}

async function storeOf(t: Test, settings: Parameters<typeof createRedisStore>[0]) {
  const store = await createRedisStore(settings)
  t.teardown(() => store.close())
  return store
}

const isReached = (store: RedisStore) => until(() => store.condition().isReached)
const takesWrites = (store: RedisStore) => until(() => store.probe().then(() => true))

/** Ends connections by that command until the store has noticed: it is back before we look, otherwise. */
const cutUntilAway = (store: RedisStore, cut: () => Promise<unknown>) =>
  until(async () => {
    await cut()
    return !store.condition().isReached
  })

const gives = (store: RedisStore, reason: RegExp) =>
  until(() =>
    store.probe().then(
      () => false,
      error => reason.test(error.reason),
    ),
  )

for (const cluster of [false, true]) {
  t.test(`${cluster ? 'a cluster' : 'a server'}: the password changes`, async t => {
    const { port, admin } = await redisOf(t, cluster)
    const { at, write } = filesWith(t, { password: `${OLD}\n` })
    const store = await storeOf(t, {
      url: `redis${cluster ? '+cluster' : ''}://app@127.0.0.1:${port}`,
      passwordFile: at('password'),
    })
    const account = someAccount('owner')
    await store.directory.add(account)
    await admin('ACL', 'SETUSER', 'app', `>${NEW}`)
    write('password', `${NEW}\n`)
    await admin('ACL', 'SETUSER', 'app', `<${OLD}`)
    t.ok(await store.subjects.byTag(account.tag), 'the connection that is there goes on')
    await admin('CLIENT', 'KILL', 'USER', 'app')
    t.ok(await until(() => store.subjects.byTag(account.tag).then(found => !!found)))
    t.equal(
      (await admin('ACL', 'LOG')).trim(),
      '',
      'the old password was not tried again',
    )
  })
}

t.test('until the file follows, the store is away and says why', async t => {
  const { port, admin } = await redisOf(t)
  const { at, write } = filesWith(t, { password: OLD })
  const store = await storeOf(t, {
    url: `redis://app@127.0.0.1:${port}`,
    passwordFile: at('password'),
  })
  await admin('ACL', 'SETUSER', 'app', `>${NEW}`, `<${OLD}`)
  await cutUntilAway(store, () => admin('CLIENT', 'KILL', 'USER', 'app'))
  t.ok(await gives(store, /^WRONGPASS at 127\.0\.0\.1:\d+ \(user or password refused\)$/))
  write('password', NEW)
  t.ok(await isReached(store))
})

t.test('a file that is being replaced is none yet: the text before goes on', async t => {
  const { port, admin } = await redisOf(t)
  const { at, write } = filesWith(t, { password: OLD })
  const store = await storeOf(t, {
    url: `redis://app@127.0.0.1:${port}`,
    passwordFile: at('password'),
  })
  const states = [
    () => write('password', ''),
    () => write('password', 'half\na line\n'),
    () => rmSync(at('password')),
  ]
  for (const state of states) {
    state()
    await admin('CLIENT', 'KILL', 'USER', 'app')
    t.ok(await takesWrites(store))
  }
})

t.test("sentinels: their password and the primary's change", async t => {
  const { port, admin } = await redisOf(t)
  const sentinel = await startSentinel(port, 'admin', 'admin')
  t.teardown(() => sentinel.stop())
  const ask = adminOf(sentinel.port)
  await ask('ACL', 'SETUSER', 'watch', 'on', `>${OLD}`, '&*', '+@all')
  const { at, write } = filesWith(t, { primary: OLD, sentinel: OLD })
  const store = await storeOf(t, {
    url: `redis+sentinel://app@127.0.0.1:${sentinel.port}/mymaster`,
    passwordFile: at('primary'),
    sentinel: { username: 'watch', passwordFile: at('sentinel') },
  })
  await ask('ACL', 'SETUSER', 'watch', `>${NEW}`, `<${OLD}`)
  await admin('ACL', 'SETUSER', 'app', `>${NEW}`, `<${OLD}`)
  await ask('CLIENT', 'KILL', 'USER', 'watch')
  await cutUntilAway(store, () => admin('CLIENT', 'KILL', 'USER', 'app'))
  write('primary', NEW)
  t.ok(await gives(store, /^WRONGPASS at the sentinel /))
  write('sentinel', NEW)
  t.ok(await isReached(store))
})

t.test('a certificate of ours changes: the next connection shows it', async t => {
  const tlsPort = await freePort()
  const { at, write } = filesWith(t, {
    ...Object.fromEntries(
      ['ca', 'server', 'server-key'].map(name => [`redis-${name}`, pem(name)]),
    ),
    ca: pem('ca'),
    cert: pem('client'),
    key: pem('client-key'),
  })
  const redis = await startRedis({
    args: [
      ...['--tls-port', String(tlsPort), '--tls-ca-cert-file', at('redis-ca')],
      ...[
        '--tls-cert-file',
        at('redis-server'),
        '--tls-key-file',
        at('redis-server-key'),
      ],
    ],
  })
  t.teardown(() => redis.stop())
  const store = await storeOf(t, {
    url: `rediss://127.0.0.1:${tlsPort}`,
    tls: {
      caFile: at('ca'),
      serverName: 'redis.test',
      certFile: at('cert'),
      keyFile: at('key'),
    },
  })
  const cut = ['-p', String(redis.port), 'CLIENT', 'KILL', 'TYPE', 'normal']
  write('cert', pem('server'))
  await cutUntilAway(store, () => runChild('redis-cli', cut))
  t.ok(await gives(store, /KEY_VALUES_MISMATCH/), "the key is another certificate's")
  write('key', pem('server-key'))
  t.ok(await isReached(store))
})

t.test('a start refuses a file without a password, and names key and file', async t => {
  const dir = t.testdir({ empty: '\n', lines: 'a\nb\n', folder: {} })
  const rows: ReadonlyArray<readonly [string, string]> = [
    ['nowhere', 'to be readable (ENOENT)'],
    ['folder', 'to be a regular file'],
    ['empty', 'not to be empty'],
    ['lines', 'to have one line'],
  ]
  for (const [name, expected] of rows) {
    const passwordFile = join(dir, name)
    const open = (settings: object) =>
      openStore({ ...PATIENT, url: 'redis+sentinel://a/m', clock: Date.now, ...settings })
    await t.rejects(open({ passwordFile }), {
      name: 'TypeError',
      message: `store.passwordFile: expected the file ${passwordFile} ${expected}`,
    })
    await t.rejects(open({ sentinel: { passwordFile } }), {
      name: 'TypeError',
      message: `store.sentinel.passwordFile: expected the file ${passwordFile} ${expected}`,
    })
  }
})
