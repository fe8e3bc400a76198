// A connection to Redis that can't be opened, or is lost: whoever runs the server reads why, and what to do;
// and no command is sent on a connection whose opening failed.
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openStore } from '../../src/stores/open.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { reasonOf, unavailable } from '../../src/stores/redis/connection/reasons.ts'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { startServer } from '../../src/server.ts'
import { runChild } from '../support/children.ts'
import { commandLine } from '../support/command-line.ts'
import { startFakeSentinel } from '../support/fake-sentinel.ts'
import { freePort } from '../support/free-port.ts'
import { configOf, startInProcess } from '../support/in-process.ts'
import { startRedis, startSentinel, type TestRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

const PASSWORD = 'sesame-and-poppy'
const pem = (name: string) =>
  new URL(`../support/tls/${name}.pem`, import.meta.url).pathname

interface Scene extends TestRedis {
  readonly tlsPort: number
  /** `127.0.0.1:PORT`. */
  readonly at: string
  /** A command of redis-cli as the default user. */
  admin(...command: string[]): Promise<string>
}

async function redisOf(t: Test, args: readonly string[] = []): Promise<Scene> {
  const tlsPort = await freePort()
  const redis = await startRedis({
    args: [
      ...['--requirepass', PASSWORD, '--tls-port', String(tlsPort)],
      ...['--tls-cert-file', pem('server'), '--tls-key-file', pem('server-key')],
      ...['--tls-ca-cert-file', pem('ca')],
      ...args,
    ],
  })
  t.teardown(() => redis.stop())
  const cli = ['--no-auth-warning', '-a', PASSWORD, '-p', String(redis.port)]
  return {
    ...redis,
    tlsPort,
    at: `127.0.0.1:${redis.port}`,
    admin: async (...command) =>
      (await runChild('redis-cli', [...cli, ...command])).stdout,
  }
}

/** Adds a user who may do all but this; gives the credentials of a URL. */
async function userWithout(
  { admin }: Scene,
  name: string,
  ...without: string[]
): Promise<string> {
  await admin(
    'ACL',
    'SETUSER',
    name,
    'on',
    `>${PASSWORD}`,
    '~*',
    '&*',
    '+@all',
    ...without,
  )
  return `${name}:${PASSWORD}`
}

interface Row {
  readonly name: string
  readonly url: string
  readonly store?: Record<string, unknown>
  /** What stands behind `the store is unavailable: `. */
  readonly says: RegExp
}

/** Takes connections and never says a word; gives its port. */
async function startSilent(t: Test): Promise<number> {
  const open = new Set<Socket>()
  const server = createServer(socket => open.add(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  return Object(server.address()).port
}

async function rowsFor(redis: Scene, silent: number): Promise<Row[]> {
  const { at, tlsPort } = redis
  const [ca, free] = [{ caFile: pem('ca'), serverName: 'redis.test' }, await freePort()]
  const ours = { certFile: pem('client'), keyFile: pem('client-key') }
  const [plain, tls] = [
    `redis://:${PASSWORD}@${at}/0`,
    `rediss://:${PASSWORD}@127.0.0.1:${tlsPort}/0`,
  ]
  return [
    {
      name: 'a wrong password',
      url: `redis://:wrong-${PASSWORD}@${at}/0`,
      says: /^WRONGPASS at 127\.0\.0\.1:\d+ \(user or password refused\)$/,
    },
    {
      name: 'no password',
      url: `redis://${at}/0`,
      says: /^NOAUTH at .* \(it wants a password: store\.password/,
    },
    {
      name: 'a database that is not there',
      url: `redis://:${PASSWORD}@${at}/99`,
      says: /^ERR at .* \(store\.url: database 99: index is out of range\)$/,
    },
    {
      name: 'a user without SELECT',
      url: `redis://${await userWithout(redis, 'a', '-select')}@${at}/3`,
      says: /^NOPERM at .* \(store\.url: database 3: the ACL user may not run select: docs/,
    },
    {
      name: 'a user without INFO',
      url: `redis://${await userWithout(redis, 'b', '-info')}@${at}/0`,
      says: /^NOPERM at .* \(the ACL user may not run info: docs/,
    },
    {
      name: 'a user without EVALSHA',
      url: `redis://${await userWithout(redis, 'c', '-evalsha')}@${at}/0`,
      says: /^NOPERM at .* \(the ACL user may not run evalsha: docs/,
    },
    {
      name: 'a user without our keys',
      url: `redis://${await userWithout(redis, 'd', 'resetkeys', '~other:*')}@${at}/0`,
      says: /^NOPERM at .* \(the ACL user may not use the keys lk:\*: docs/,
    },
    {
      name: 'nobody listens',
      url: plain.replace(at, `127.0.0.1:${free}`),
      says: /^ECONNREFUSED at 127\.0\.0\.1:\d+ \(nobody listens there\)$/,
    },
    {
      name: 'nobody listens at the address of a name',
      url: plain.replace(at, `localhost:${free}`),
      says: /^ECONNREFUSED at localhost:\d+ \(.*nobody listens there\)$/,
    },
    {
      name: 'nobody listens at an IPv6 address',
      url: plain.replace(at, `[::1]:${free}`),
      says: /^(ECONNREFUSED|EADDRNOTAVAIL) at \[::1\]:\d+ \(/,
    },
    {
      name: 'a server that takes connections and never answers',
      url: plain.replace(at, `127.0.0.1:${silent}`),
      says: /^no answer within 3000 ms from 127\.0\.0\.1:\d+$/,
    },
    {
      name: 'a sentinel that never answers',
      url: `redis+sentinel://127.0.0.1:${silent}/mymaster`,
      says: /^no answer from the sentinel 127\.0\.0\.1:\d+$/,
    },
    {
      name: 'an unknown host',
      url: plain.replace(at, 'redis.invalid'),
      says: /^(ENOTFOUND|EAI_AGAIN) at redis\.invalid:6379 \(the name/,
    },
    {
      name: 'TLS to a plain port',
      url: `rediss://:${PASSWORD}@${at}/0`,
      store: { tls: ca },
      says: /^ETIMEDOUT at .* \(is there TLS at this port\?/,
    },
    {
      name: 'plain to a TLS port',
      url: plain.replace(at, `127.0.0.1:${tlsPort}`),
      says: /127\.0\.0\.1:\d+ .*a TLS port wants rediss:/,
    },
    {
      name: 'an authority that nobody knows',
      url: tls,
      says: /^SELF_SIGNED_CERT_IN_CHAIN at .*store\.tls\.caFile/,
    },
    {
      name: 'a certificate for another name',
      url: tls,
      store: { tls: { ...ca, ...ours, serverName: 'other.test' } },
      says: /^ERR_TLS_CERT_ALTNAME_INVALID at .*store\.tls\.serverName/,
    },
    {
      name: 'no certificate of ours',
      url: tls,
      store: { tls: ca },
      says: /^ERR_SSL_.* at .*store\.tls\.certFile/,
    },
    {
      name: "a certificate and another one's key",
      url: tls,
      store: { tls: { ...ca, ...ours, keyFile: pem('server-key') } },
      says: /^ERR_OSSL_X509_KEY_VALUES_MISMATCH at .*don't belong together/,
    },
    {
      name: 'a cluster that is none',
      url: `redis+cluster://:${PASSWORD}@${at}`,
      says: /^ERR at .*it is no cluster: redis:/,
    },
    {
      name: 'a cluster with another password',
      url: `redis+cluster://:wrong@${at}`,
      says: /^WRONGPASS at 127\.0\.0\.1:\d+ /,
    },
    {
      name: 'a cluster where nobody listens',
      url: `redis+cluster://127.0.0.1:${free}`,
      says: /^ECONNREFUSED at 127\.0\.0\.1:\d+ /,
    },
    {
      name: 'a sentinel where nobody listens',
      url: `redis+sentinel://127.0.0.1:${free}/mymaster`,
      says: /^ECONNREFUSED at the sentinel 127\.0\.0\.1:\d+ \(nobody listens/,
    },
  ]
}

t.test('a start says why the store is unavailable, on the command line too', async t => {
  const redis = await redisOf(t)
  const rows = await rowsFor(redis, await startSilent(t))
  for (const { name, url, store = {}, says } of rows) {
    const config = configOf(url, { store: { url, ...store } })
    const message = await startServer({ config }).then(
      server => server.close().then(() => 'it started'),
      (error: unknown) => {
        t.type(error, StoreUnavailable, name)
        return String(error)
      },
    )
    const [, reason = message] =
      /^\w+: the store is unavailable: (.*)$/s.exec(message) ?? []
    t.match(reason, says, name)
    t.notMatch(message, PASSWORD, 'no secret')
  }
})

t.test('config check prints the same', async t => {
  const redis = await redisOf(t)
  const { latchkey, file } = commandLine(t)
  const check = (url: string) =>
    latchkey('config check', '', { env: { LATCHKEY_CONFIG: file, STORE: url } })
  t.match(await check(`redis://:wrong@${redis.at}/0`), {
    code: 1,
    err: `latchkey: the store is unavailable: WRONGPASS at ${redis.at} (user or password refused)\n`,
  })
  await redis.admin('CONFIG', 'SET', 'maxmemory', '1mb')
  t.match(await check(`redis://:${PASSWORD}@${redis.at}/0`), {
    code: 1,
    err:
      `latchkey: the store is unavailable: OOM at ${redis.at} ` +
      '(its memory is full: raise maxmemory, and leave maxmemory-policy noeviction)\n',
  })
})

t.test('sentinels: theirs is the reason', async t => {
  const redis = await redisOf(t)
  const sentinel = await startSentinel(redis.port, PASSWORD, 'sentinel-password')
  t.teardown(() => sentinel.stop())
  const at = `127.0.0.1:${sentinel.port}`
  const open = (name: string, password: string) =>
    openStore({
      url: `redis+sentinel://:${PASSWORD}@${at}/${name}`,
      sentinel: { password },
      clock: Date.now,
    })
  await t.rejects(open('mymaster', 'wrong'), {
    name: 'StoreUnavailable',
    reason: `WRONGPASS at the sentinel ${at} (user or password refused)`,
  })
  await t.rejects(open('other', 'sentinel-password'), {
    name: 'StoreUnavailable',
    reason: `ERR at the sentinel ${at} (it knows no primary of the name in store.url)`,
  })
  const port = await freePort()
  const fake = await startFakeSentinel(t, port)
  await t.rejects(
    openStore({
      url: `redis+sentinel://127.0.0.1:${fake.port}/mymaster`,
      clock: Date.now,
    }),
    {
      name: 'StoreUnavailable',
      reason:
        'ECONNREFUSED at the primary mymaster of the sentinels ' +
        `(127.0.0.1:${port}: nobody listens there)`,
    },
  )
})

t.test(
  'a server that runs says why in its log, at /readyz and in what it throws',
  async t => {
    const redis = await redisOf(t)
    const url = `redis://${await userWithout(redis, 'app')}@${redis.at}/0`
    const server = await startInProcess(t, { config: configOf(url) })
    const { lines, managementUrl } = server
    const { store } = server.core
    await redis.admin('ACL', 'SETUSER', 'app', 'resetpass', '>another')
    await redis.admin('CLIENT', 'KILL', 'USER', 'app')
    const reason = `WRONGPASS at ${redis.at} (user or password refused)`
    t.ok(
      await until(() =>
        store.probe().then(
          () => false,
          error => error.reason === reason,
        ),
      ),
    )
    t.ok(
      await until(() =>
        lines.some(line => line.includes(`the store takes no writes: ${reason}`)),
      ),
    )
    t.match(await (await fetch(`${managementUrl}/readyz`)).json(), {
      status: 'ready',
      store: 'failing',
      advice: reason,
    })
    t.ok(
      await until(() =>
        lines.some(line => JSON.parse(line).err?.message.includes(reason)),
      ),
      'what fails in the background says so, too',
    )
    t.notMatch(lines.join(''), PASSWORD)
    await redis.admin('ACL', 'SETUSER', 'app', `>${PASSWORD}`)
    t.ok(await until(() => store.probe().then(() => true)), 'and goes on by itself')
  },
)

t.test(
  'a reconnect whose opening fails ends there: no other database, no loss',
  async t => {
    const redis = await redisOf(t)
    const url = `redis://${await userWithout(redis, 'app')}@${redis.at}/3`
    const store = await createRedisStore({ ...PATIENT, url, lossPeriodMs: 3_600_000 })
    t.teardown(() => store.close())
    const account = someAccount('owner')
    await store.directory.add(account)
    const ref = await signIn(store, account.tag)
    await redis.admin('ACL', 'SETUSER', 'app', '-select')
    await redis.admin('CLIENT', 'KILL', 'USER', 'app')
    t.ok(await until(() => !store.condition().isReached))
    const reason =
      /^NOPERM at .* \(store\.url: database 3: the ACL user may not run select/
    // Longer than it takes to come back, and to find an empty database.
    for (const start = performance.now(); performance.now() - start < 1500;) {
      const error = await store.families
        .rotate(presented(ref, 1))
        .catch((fault: unknown) => fault)
      if (!(error instanceof StoreUnavailable)) throw new Error('it was a verdict')
      await wait(10)
    }
    await t.rejects(store.probe(), { name: 'StoreUnavailable', reason })
    t.equal(store.condition().isLost, false)
    t.equal((await redis.admin('DBSIZE')).trim(), '0', 'database 0 is as it was')
    await redis.admin('ACL', 'SETUSER', 'app', '+select')
    t.ok(await until(() => store.condition().isReached))
    t.match(await store.families.rotate(presented(ref, 1)), { kind: 'rotated' })
  },
)

t.test('what an answer says is never repeated with what was sent', async t => {
  const reply = (message: string) =>
    reasonOf(Object.assign(new Error(message), { name: 'ReplyError' }), 'r:1')
  const rows: ReadonlyArray<readonly [string, string]> = [
    [
      `ERR unknown command 'EVALSHA', with args beginning with: 'a' '${PASSWORD}'`,
      'ERR at r:1 (no such command there: is it a Redis of 6.2 or newer, and no sentinel?)',
    ],
    [`ERR bad '${PASSWORD}' here`, 'ERR at r:1 (bad … here)'],
    [
      'ERR Error running script (call to f_0f): @user_script:1: -OOM command not allowed',
      'OOM at r:1 (its memory is full: raise maxmemory, and leave maxmemory-policy noeviction)',
    ],
    [
      "ERR The user executing the script can't run this command or subcommand script: 0f",
      'NOPERM at r:1 (the ACL user may not run a command: docs/reliability.md lists what it needs)',
    ],
    [
      'ERR max number of clients reached',
      'ERR at r:1 (it has no connection left: raise maxclients)',
    ],
  ]
  for (const [message, reason] of rows) t.equal(reply(message), reason)
  t.equal(reasonOf('text', 'r:1'), undefined)
  t.equal(
    reasonOf(
      Object.assign(new Error(PASSWORD), { code: 'ERR_SSL_BAD_RECORD_TYPE' }),
      'r:1',
    ),
    'ERR_SSL_BAD_RECORD_TYPE at r:1 (bad record type)',
  )
  t.equal(unavailable(new Error(PASSWORD), 'r:1').reason, 'the connection to r:1 ended')
})
