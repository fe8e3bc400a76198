// What is Redis' own: keys and their expiry, scripts that a server forgot, names that two writers want,
// memory, round trips.
import { tampered } from '../support/tampered.ts'
import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { createAdapter } from '../../src/stores/redis/adapter.ts'
import { createLink } from '../../src/stores/redis/connection/link.ts'
import { createClaims } from '../../src/stores/redis/people/claims/claims.ts'
import { nameShard } from '../../src/stores/redis/people/claims/names.ts'
import { createRedisKeys } from '../../src/stores/redis/redis-keys.ts'
import { listOf, oneOf } from '../../src/stores/redis/replies.ts'
import { loadScript, readLua } from '../../src/stores/redis/scripts.ts'
import { EMPTY_RING } from '../../src/stores/ports/documents/keys.ts'
import { listGoneAt } from '../../src/stores/ports/status-lists.ts'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { createRedisDirectory } from '../../src/stores/redis/people/directory.ts'
import { shardOf } from '../../src/stores/redis/people/index/entries.ts'
import { createRedisSubjects } from '../../src/stores/redis/people/subjects.ts'
import { buildTestApp, PASSWORD } from '../support/app.ts'
import { createHandClock } from '../support/clock.ts'
import { crossedAt } from '../support/redis-world.ts'
import { PATIENT, until } from '../support/until.ts'
import { startRedis } from '../support/redis.ts'
import { presented, signIn, someAccount, someLogin } from '../support/stores.ts'

const DAY = 86_400_000

/** How long, at most, a request waits to be counted together with others. */
const COUNTED_MS = 30

/** How many exchanges the memory test makes; 10,000 by hand. */
const exchanges = Number(process.env['LATCHKEY_EXCHANGES'] ?? 500)

const server = await startRedis()
t.teardown(() => server.stop())

t.test("what has no clock of ours goes by the server's, to the millisecond", async t => {
  const store = await createRedisStore({ ...PATIENT, url: server.url, prefix: 'time:' })
  t.teardown(() => store.close())
  const { client, families, directory, statusLists } = store
  const serverTime = async () => {
    const [seconds, microseconds] = await client.time()
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
  }
  await directory.add(someAccount('one'))
  for (let login = 0; login < 3; login++) {
    const before = await serverTime()
    const opened = await families.open(someLogin(someAccount('one').tag))
    const after = await serverTime()
    const startedAt = opened.kind === 'opened' ? opened.family.startedAt : NaN
    t.ok(before <= startedAt && startedAt <= after, `${before} ${startedAt} ${after}`)
  }
  const before = await serverTime()
  const { list } = await statusLists.lease(Math.floor(before / 3_600_000))
  for (const key of (await client.keys('time:*')).filter(key => key.includes('status'))) {
    const left = await client.pttl(key)
    t.ok(left > 0 && left <= listGoneAt(list) - before, `${key}: ${left}`)
  }
})

t.test('every key expires but accounts, their index, names and the ring', async t => {
  const store = await createRedisStore({ ...PATIENT, url: server.url, prefix: 'scan:' })
  t.teardown(() => store.close())
  const { client, families, directory, accessTokens, keys } = store
  for (const sub of ['one', 'two', 'gone']) {
    const account = someAccount(sub)
    await directory.add(account)
    const [living, ended, reused] = [
      await signIn(store, account.tag),
      await signIn(store, account.tag),
      await signIn(store, account.tag),
    ]
    for (let generation = 1; generation < 5; generation++) {
      await families.rotate(presented(living, generation))
    }
    await families.end({ ...ended, clientId: null })
    await families.rotate(presented(reused, 9))
    await accessTokens.revoke({ ...living, jti: 'a', expiresAt: Date.now() + DAY })
    await accessTokens.revoke({ ...living, jti: 'b', expiresAt: Date.now() - DAY })
  }
  await directory.remove(someAccount('gone').tag)
  await keys.save(EMPTY_RING)
  await client.set('scan:probe', 1, 'PX', 1000)

  const found = await client.keys('scan:*')
  const lasting = []
  for (const key of found) if ((await client.pttl(key)) === -1) lasting.push(key)
  t.same(
    lasting.toSorted(),
    [
      'scan:format',
      'scan:keys',
      'scan:names',
      ...['one', 'two'].flatMap(sub => {
        const { tag } = someAccount(sub)
        const shard = `scan:{accounts:${shardOf(tag)}}`
        const names = `scan:names:${nameShard(someAccount(sub).foldedName)}`
        return [`scan:{${tag}}:u`, `${shard}:created`, `${shard}:texts`, names]
      }),
    ].toSorted(),
  )
  t.equal(found.filter(key => key.includes(':f:')).length, 9)

  const ofUser = found.filter(key => key.includes(someAccount('one').tag))
  t.ok(ofUser.length >= 4)
  t.ok(
    ofUser.every(key => key.startsWith(`scan:{${someAccount('one').tag}}:`)),
    'one hash slot per user (the contracts run on a cluster, too)',
  )

  t.ok(
    (await client.pttl(`scan:{${someAccount('gone').tag}}:u`)) > 89 * DAY,
    "a removed account's epoch goes with the last of its sessions",
  )
})

t.test(
  "a living family's key goes when it is idle, a tombstone at the absolute end",
  async t => {
    const store = await createRedisStore({ ...PATIENT, url: server.url })
    t.teardown(() => store.close())
    await store.directory.add(someAccount('expiry'))
    const ref = await signIn(store, someAccount('expiry').tag)
    const key = `lk:{${ref.userTag}}:f:${ref.sid}`
    const days = async () => Math.round(((await store.client.pttl(key)) / DAY) * 10) / 10
    t.equal(await days(), 14)
    await store.families.rotate(presented(ref, 1, { idleMs: 20 * DAY }))
    t.equal(await days(), 20)
    await store.families.end({ ...ref, clientId: null })
    t.equal(await days(), 90)
  },
)

t.test("time is the server's own", async t => {
  const store = await createRedisStore({ ...PATIENT, url: server.url })
  t.teardown(() => store.close())
  const [before, now] = [Date.now(), await store.now()]
  t.ok(now >= before - 1 && now <= Date.now() + 1, 'milliseconds')
  await store.directory.add(someAccount('timed'))
  const opened = await store.families.open(someLogin(someAccount('timed').tag))
  t.ok(opened.kind === 'opened' && Math.abs(opened.family.startedAt - now) < 5000)
})

t.test('a server that has forgotten the scripts is told them again', async t => {
  const store = await createRedisStore({ ...PATIENT, url: server.url })
  t.teardown(() => store.close())
  const account = someAccount('flushed')
  await store.directory.add(account)
  const ref = await signIn(store, account.tag)
  for (let generation = 1; generation < 4; generation++) {
    await store.client.script('FLUSH')
    t.match(await store.families.rotate(presented(ref, generation)), {
      kind: 'rotated',
      generation: generation + 1,
    })
  }
})

t.test("a script's fault is none of the answers", async t => {
  const client = new Redis(server.url)
  const link = createLink({ ...PATIENT, client, verify: async () => {} })
  t.teardown(() => link.close())
  await client.set('not-a-hash', 'x')
  const subjects = createRedisSubjects(
    createAdapter({ link, keys: createRedisKeys('none:'), time: () => '' }),
  )
  await t.resolves(subjects.byTag('nobody'))
  await t.rejects(loadScript(link, 'people/user-remove')(['not-a-hash'], ['']), {
    name: 'StoreUnavailable',
    cause: { message: /WRONGTYPE/ },
  })
  t.throws(() => oneOf(['a', 'b'], 'c'), TypeError)
  t.throws(() => listOf('c'), TypeError)
})

t.test('a name that two writers want', async t => {
  const client = new Redis(server.url)
  const link = createLink({ ...PATIENT, client, verify: async () => {} })
  t.teardown(() => link.close())
  const keys = createRedisKeys('names:')
  const clock = createHandClock()
  const adapter = createAdapter({ link, keys, time: () => String(clock()) })
  const nobody = async () => false
  const createNames = (
    parts: typeof adapter,
    holds: (tag: string, name: string) => Promise<boolean>,
  ) => createClaims(parts, { at: parts.names.at, holds })
  const overdue = 10_000

  await t.test('a claim is kept for a writer that may be slow', async t => {
    const names = createNames(adapter, nobody)
    t.equal(await names.claim('kept', 'first'), true)
    clock.advance(overdue - 1)
    t.equal(await names.claim('kept', 'second'), false)
    t.equal(await names.claim('kept', 'first'), true, 'and is its own')
    t.equal(await names.ownerOf('kept'), 'first')
  })

  await t.test('one whose writer died is taken over', async t => {
    const names = createNames(adapter, nobody)
    await names.claim('dead', 'first')
    clock.advance(overdue)
    t.equal(await names.claim('dead', 'second'), true)
    t.equal(await names.ownerOf('dead'), 'second')
  })

  await t.test('one whose account is there is not', async t => {
    const names = createNames(adapter, async tag => tag === 'first')
    await names.claim('held', 'first')
    clock.advance(overdue)
    t.equal(await names.claim('held', 'second'), false)
    t.equal(await names.ownerOf('held'), 'first')
  })

  await t.test('a writer that was slow after all gets it back', async t => {
    const answers = [false, true]
    const names = createNames(adapter, async () => answers.shift() === true)
    await names.claim('slow', 'first')
    clock.advance(overdue)
    t.equal(await names.claim('slow', 'second'), false)
    t.equal(await names.ownerOf('slow'), 'first')
  })

  await t.test('of two that take it over, one gets it', async t => {
    const rival = createNames(adapter, nobody)
    const names = createNames(adapter, async () => {
      await rival.claim('rivals', 'third')
      return false
    })
    await names.claim('rivals', 'first')
    clock.advance(overdue)
    t.equal(await names.claim('rivals', 'second'), false)
    t.equal(await names.ownerOf('rivals'), 'third')
  })

  await t.test('is released by its owner only', async t => {
    const names = createNames(adapter, nobody)
    await names.claim('released', 'first')
    await names.release('released', 'second')
    t.equal(await names.ownerOf('released'), 'first')
    await names.release('released', 'first')
    t.equal(await names.ownerOf('released'), undefined)
    await t.resolves(names.release('released', 'first'))
  })

  await t.test(
    'an account whose claim was taken over while it was written is taken back',
    async t => {
      const account = someAccount('slow-writer', { foldedName: 'contested' })
      // The thief comes just before the script that writes the account.
      const directory = createRedisDirectory(
        crossedAt(adapter, 2, () =>
          client.hset(keys.namesIn(nameShard('contested')), 'contested', 'thief 1'),
        ),
      )
      t.equal(await directory.add(account), 'name_taken')
      t.equal(await createRedisSubjects(adapter).byTag(account.tag), undefined)
      t.equal(
        await directory.byName('contested'),
        undefined,
        'a claim alone is no account',
      )
      t.same(await directory.all()[Symbol.asyncIterator]().next(), {
        value: undefined,
        done: true,
      })
    },
  )
})

t.test('a rename that others cross', async t => {
  const client = new Redis(server.url)
  const link = createLink({ ...PATIENT, client, verify: async () => {} })
  t.teardown(() => link.close())
  const keys = createRedisKeys('renames:')
  const clock = createHandClock()
  const nothing = () => {}
  const adapter = createAdapter({ link, keys, time: () => String(clock()) })
  /** Does something just before the durable script of that number. */
  const crossed = (number: number, cross: () => unknown = nothing) =>
    createRedisDirectory(crossedAt(adapter, number, cross))
  const directory = crossed(0)
  const start = async (sub: string) => {
    const account = someAccount(sub)
    await directory.add(account)
    const next = { tag: account.tag, name: `New ${sub}`, foldedName: `new ${sub}` }
    return { ...account, next }
  }

  await t.test('whose new name is taken over meanwhile is taken back', async t => {
    const { tag, name, foldedName, next } = await start('slow')
    const thief = () =>
      client.hset(
        keys.namesIn(nameShard(next.foldedName)),
        next.foldedName,
        `thief ${clock()}`,
      )
    t.equal(await crossed(2, thief).rename(next), 'name_taken')
    t.match(await directory.byName(foldedName), { tag, name })
    t.equal(
      await client.hget(keys.namesIn(nameShard(next.foldedName)), next.foldedName),
      `thief ${clock()}`,
    )
  })

  await t.test('is made again where the account has changed', async t => {
    const { tag, foldedName, next } = await start('changed')
    const other = () => client.hincrby(keys.user(tag), 'version', 1)
    t.equal(await crossed(2, other).rename(next), 'renamed')
    t.match(await directory.byName(next.foldedName), { tag, version: 2 })
    t.equal(await client.hget(keys.namesIn(nameShard(foldedName)), foldedName), null)
  })

  await t.test('of an account that goes leaves no name behind', async t => {
    const { tag, next } = await start('going')
    t.equal(
      await crossed(2, () => client.del(keys.user(tag))).rename(next),
      'user_unknown',
    )
    t.equal(
      await client.hget(keys.namesIn(nameShard(next.foldedName)), next.foldedName),
      null,
    )
  })

  await t.test('leaves a name that is wanted back meanwhile', async t => {
    const { tag, foldedName } = await start('to-and-fro')
    const names = createClaims(
      createAdapter({ link, keys, time: () => String(clock()) }),
      {
        at: (_, work) => work(keys.namesIn(nameShard(foldedName))),
        // Between the look at the account and the release it takes the name again.
        async holds() {
          await names.claim(foldedName, tag)
          return false
        },
      },
    )
    await names.giveUp(foldedName, tag)
    t.equal(await names.ownerOf(foldedName), tag)
  })

  await t.test('of a server that dies frees both names in time', async t => {
    const { tag, next } = await start('dying')
    // It died after its claim.
    await client.hset(
      keys.namesIn(nameShard(next.foldedName)),
      next.foldedName,
      `${tag} ${clock()}`,
    )
    clock.advance(10_000)
    const heir = someAccount('heir', { foldedName: next.foldedName })
    t.equal(await directory.add(heir), 'added')
    // It died after its account was written.
    await client.hset(keys.user(tag), 'folded', 'elsewhere')
    t.equal(
      await directory.add(someAccount('second', { foldedName: 'name of dying' })),
      'added',
    )
  })
})

t.test(
  `a family takes at most 300 bytes, its device's name included, and as many after ${exchanges} exchanges`,
  async t => {
    const store = await createRedisStore({ ...PATIENT, url: server.url })
    t.teardown(() => store.close())
    const account = someAccount('6f1f7a52-3f0c-4d6a-9a53-1f6f6a6a0001')
    await store.directory.add(account)
    const sid = 'a'.repeat(22)
    const login = someLogin(account.tag, {
      sid,
      clientId: 'mobile-app',
      scope: 'profile orders:read orders:write',
      audience: ['https://orders.example.com'],
      device: {
        name: "Ann's phone, a new one",
        userAgent: 'okhttp',
        network: '192.0.2.0/24',
      },
    })
    await store.families.open(login)
    const bytes = () => store.client.memory('USAGE', `lk:{${account.tag}}:f:${sid}`)
    const first = Number(await bytes())
    t.ok(first > 0 && first <= 300, `${first} bytes, the key included`)
    for (let generation = 1; generation <= exchanges; generation++) {
      t.equal(
        (
          await store.families.rotate(
            presented(login, generation, { clientId: 'mobile-app' }),
          )
        ).kind,
        'rotated',
      )
    }
    t.equal(await bytes(), first)
  },
)

t.test('the requests of many addresses are counted by one script', async t => {
  const store = await createRedisStore({ ...PATIENT, url: server.url })
  const calls = async () =>
    Number(
      /calls=(\d+)/.exec(
        (await store.client.info('commandstats'))
          .split('\n')
          .find(line => line.startsWith('cmdstat_evalsha:')) ?? '',
      )?.[1],
    )
  t.teardown(() => store.close())
  const { add } = store.addressCounts
  const some = (address: string, requests: number, windowMs = 60_000) => ({
    address,
    requests,
    windowMs,
  })
  t.match(await add([some('192.0.2.1', 1)]), [{ count: 1 }])

  const before = await calls()
  t.match(await add([some('192.0.2.1', 3), some('192.0.2.2', 2)]), [
    { count: 4 },
    { count: 2 },
  ])
  t.equal((await calls()) - before, 1)

  const [counted] = await add([some('192.0.2.3', 1, 50)])
  t.ok(
    Number(counted?.endsInMs) > 0 && Number(counted?.endsInMs) <= 50,
    'the window is as long as asked',
  )
  await until(async () => (await store.client.exists('lk:{rate}:192.0.2.3')) === 0)
  t.match(
    await add([some('192.0.2.3', 1, 50)]),
    [{ count: 1 }],
    'and the next one begins with the next request',
  )
})

t.test('the commands of one turn go out in one write', async t => {
  const store = await createRedisStore({ ...PATIENT, url: server.url })
  t.teardown(() => store.close())
  const { stream } = store.client as Redis
  const sent = () =>
    Promise.all(
      Array.from({ length: 50 }, (_, i) => store.client.set(`turn:${i}`, i, 'PX', 1000)),
    )
  const asked = sent()
  t.equal(
    stream.writableLength > 1000 && stream.writableCorked,
    1,
    'nothing is written before the turn ends',
  )
  t.same(await asked, Array(50).fill('OK'))
  t.equal(stream.writableCorked, 0)
})

t.test('round trips', async t => {
  const watched = await startRedis()
  const server = await buildTestApp({ storeUrl: watched.url })
  const watcher = new Redis(watched.url)
  t.teardown(async () => {
    watcher.disconnect()
    await server.close()
    await watched.stop()
  })

  const scripts = new Map(
    [
      'count',
      'people/login',
      'sessions/check',
      'sessions/open',
      'sessions/peek',
      'sessions/rotate',
      'status-lists/lease',
    ].map(path => [
      createHash('sha1').update(readLua(path)).digest('hex'),
      path.replace(/^.*\//, ''),
    ]),
  )

  /**
   * The commands that clients sent meanwhile, scripts by their names; what scripts call isn't among them.
   * `counts`: how often addresses were counted; `isCounted`: whether that is waited for.
   */
  async function during<T>(
    work: () => Promise<T>,
    isCounted = false,
  ): Promise<{ result: T; commands: string[]; counts: number }> {
    // Who came before is counted by now.
    await wait(COUNTED_MS)
    const monitor = await watcher.monitor()
    const commands: string[] = []
    monitor.on(
      'monitor',
      (_time: string, [name = '', sha = '']: string[], source: string) => {
        if (source !== 'lua') commands.push(scripts.get(sha) ?? name.toLowerCase())
      },
    )
    try {
      const result = await work()
      // An answer may be out some time before its count is: SET and DEL go behind that.
      await wait(COUNTED_MS)
      if (isCounted) await until(() => commands.includes('count'))
      await server.store.probe()
      // The monitor sees its own mark after everything that came before.
      const marked = new Promise<void>(resolve =>
        monitor.on('monitor', (_time: string, args: string[]) => {
          if (args[1] === 'the end') resolve()
        }),
      )
      await watcher.echo('the end')
      await marked
      const sent = commands.slice(0, commands.lastIndexOf('set'))
      return {
        result,
        commands: sent.filter(name => name !== 'count'),
        counts: sent.filter(name => name === 'count').length,
      }
    } finally {
      monitor.disconnect()
    }
  }

  // Everything once, so that the server knows the scripts.
  const { refresh_token: warm } = await server.login()
  const { access_token: warmAccess } = (await server.refresh(warm)).json()
  await server.introspect(warmAccess)
  await server.introspect(warm)

  const { refresh_token: token, access_token: access } = await server.login()
  const refreshed = await during(() => server.refresh(token))
  t.equal(refreshed.result.statusCode, 200)
  t.same(refreshed.commands, ['rotate'])
  t.equal(refreshed.counts, 0, 'each server counts refreshes by session for itself')

  // A busy machine may let a call wait for too long: it is asked again then, and may have been sent twice.
  let late = 0
  const many = await during(async () => {
    let held = refreshed.result.json().refresh_token
    for (let times = 0; times < 600;) {
      const answer = await server.refresh(held)
      if (answer.statusCode === 503) late += 1
      else {
        held = answer.json().refresh_token
        times += 1
      }
    }
  })
  const rotations = many.commands.filter(name => name === 'rotate').length
  t.ok(rotations >= 600 && rotations <= 600 + late, '600 refreshes: as many steps')
  if (late === 0) {
    t.equal(many.commands.length, 600 + 1, 'and the lease of 1,024 more status indices')
  }
  if (late === 0) t.equal(many.counts, 0, 'none of them asks for the rate limit')

  const introspected = await during(() => server.introspect(access))
  t.match(introspected.result, { active: true })
  t.same(introspected.commands, ['check'])
  t.equal(introspected.counts, 0, "a client that proved who it is isn't counted")
  t.same(
    (await during(() => server.introspect(refreshed.result.json().refresh_token)))
      .commands,
    ['peek'],
  )

  const forged = await during(() => server.refresh(tampered(token)), true)
  t.equal(forged.result.json().error, 'invalid_grant')
  t.same(
    [forged.commands, forged.counts],
    [[], 1],
    "a forged refresh token: the rate limit's only",
  )
  t.same(
    (await during(() => server.introspect(tampered(token)))).commands,
    [],
    'its introspection: none',
  )
  t.same(
    (await during(() => server.introspect(tampered(access)))).commands,
    [],
    'that of a forged access token: none',
  )

  const login = await during(() => server.login())
  t.same(
    login.commands,
    ['hget', 'hmget', 'login', 'login', 'open'],
    'a login: the name, the account, the throttle before and after hashing, the new family',
  )
  const unknown = await during(() =>
    server.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username: 'nobody',
      password: PASSWORD,
    }),
  )
  t.equal(unknown.result.json().error, 'invalid_grant')
  t.same(
    unknown.commands,
    ['hget', 'hmget', 'login', 'login'],
    'an unknown name: as many as a wrong password',
  )
  const wrong = await during(() =>
    server.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username: 'alice',
      password: 'wrong wrong wrong',
    }),
  )
  t.same(wrong.commands, unknown.commands)
  t.same(
    (await during(() => server.app.inject('/.well-known/jwks.json'))).commands,
    [],
    'the keys: none',
  )
})
