// introspection.cache on Redis: a repeated question is answered from memory, and never by what a change that
// Redis has reported made untrue, nor without a sign of life of both connections for a second.
import { once } from 'node:events'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { CheckOutcome } from '../../src/stores/ports/access-tokens.ts'
import { connectRedis } from '../../src/stores/redis/connection/connect.ts'
import { createLink, type Link } from '../../src/stores/redis/connection/link.ts'
import { createRecentChecks } from '../../src/stores/redis/tracking/recent-checks.ts'
import { createRedisStore, type RedisStoreOptions } from '../../src/stores/redis/store.ts'
import {
  startTracker,
  type TrackerOptions,
} from '../../src/stores/redis/tracking/tracker.ts'
import { startProxy } from '../faults/support/fault-proxy.ts'
import { startRedis } from '../support/redis.ts'
import { addSomeone, presented, signIn } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

const ACTIVE = { kind: 'active' }
const REFUSED = { kind: 'refused' }

async function setScene(t: Test, options: Partial<RedisStoreOptions> = {}) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const proxy = await startProxy(redis.port)
  t.teardown(() => proxy.close())
  const admin = new Redis(redis.url)
  t.teardown(() => admin.disconnect())
  const url = `redis://127.0.0.1:${proxy.port}/0`
  const store = await createRedisStore({
    ...PATIENT,
    url,
    recallsChecks: true,
    ...options,
  })
  t.teardown(() => store.close())
  const other = await createRedisStore({ ...PATIENT, url: redis.url })
  t.teardown(() => other.close())
  const userTag = await addSomeone(other)
  const family = await signIn(other, userTag)
  const token = { ...family, jti: 'j1' }
  const calls = async () => {
    const stats = await admin.info('commandstats')
    const of = (name: string) =>
      Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
    return of('evalsha') + of('eval')
  }
  const ask = () => store.accessTokens.check(token, 'recent')
  /** Whether the question is answered without asking Redis; a store that has just begun has to. */
  const isRecalled = async () => {
    await ask()
    const before = await calls()
    await ask()
    return (await calls()) === before
  }
  return {
    redis,
    proxy,
    admin,
    store,
    other,
    userTag,
    family,
    token,
    ask,
    isRecalled,
    calls,
  }
}

t.test(
  'a repeated question costs no round trip; without leave each one does',
  async t => {
    const { store, token, ask, isRecalled, calls } = await setScene(t)
    await until(isRecalled)
    t.match(await ask(), { ...ACTIVE, user: { sub: /./ } })
    // Nothing is recalled just after the machine has stood still.
    const isOneCall = async () => {
      const before = await calls()
      t.same(await store.accessTokens.check(token), await ask())
      return (await calls()) === before + 1
    }
    t.ok(await until(isOneCall))
    t.same(
      (await store.inspect()).filter(({ check }) => check === 'tracking'),
      [],
    )
  },
)

t.test('one that comes from no session is remembered, too', async t => {
  const { store, other, userTag, isRecalled, admin } = await setScene(t)
  await until(isRecalled)
  const alone = { userTag, jti: 'alone' }
  const ask = () => store.accessTokens.check(alone, 'recent')
  t.same(await ask(), { kind: 'active', user: undefined })
  const exists = async () =>
    /cmdstat_exists:calls=(\d+)/.exec(await admin.info('commandstats'))
  const isUnasked = async () => {
    const before = (await exists())?.[1]
    await ask()
    return (await exists())?.[1] === before
  }
  t.ok(await until(isUnasked))
  await other.accessTokens.revoke({ ...alone, expiresAt: Date.now() + 60_000 })
  await until(async () => (await ask()).kind === 'refused')
})

const CHANGES: Record<string, (scene: Awaited<ReturnType<typeof setScene>>) => unknown> =
  {
    'a revoked token': ({ other, token }) =>
      other.accessTokens.revoke({ ...token, expiresAt: Date.now() + 60_000 }),
    'an ended session': ({ other, family }) =>
      other.families.end({ ...family, clientId: null }),
    'a session whose token was used twice': async ({ other, family }) => {
      for (const generation of [1, 2, 1]) {
        await other.families.rotate(presented(family, generation, { reuseGraceMs: 0 }))
      }
      await other.families.rotate(presented(family, 0))
    },
    'all sessions ended': ({ other, userTag }) => other.subjects.endSessions(userTag),
    'an emptied database': ({ admin }) => admin.flushall(),
  }
for (const [name, change] of Object.entries(CHANGES)) {
  t.test(`${name} is heard of`, async t => {
    const scene = await setScene(t)
    await until(scene.isRecalled)
    await change(scene)
    const acknowledged = performance.now()
    await until(async () => (await scene.ask()).kind === 'refused')
    t.comment(
      `${(performance.now() - acknowledged).toFixed(1)} ms after it was acknowledged`,
    )
    t.match(await scene.ask(), REFUSED)
  })
}

t.test(
  'a session that ends by itself, or by time, is not remembered for longer',
  async t => {
    const { store, other, userTag } = await setScene(t)
    const family = await signIn(other, userTag, { idleMs: 600 })
    const token = { ...family, jti: 'short' }
    t.match(await store.accessTokens.check(token, 'recent'), ACTIVE)
    await until(
      async () => (await store.accessTokens.check(token, 'recent')).kind === 'refused',
    )
  },
)

for (const which of ['asks', 'hears'] as const) {
  t.test(
    `the connection that ${which} is ended: all is forgotten, and begins anew`,
    async t => {
      const { admin, ask, isRecalled, calls } = await setScene(t)
      await until(isRecalled)
      const flags = which === 'hears' ? / flags=P/ : / flags=t/
      const clients = String(await admin.client('LIST')).split('\n')
      const victim = clients.find(line => flags.test(line))
      await admin.client('KILL', 'ID', String(/id=(\d+)/.exec(String(victim))?.[1]))
      const before = await calls()
      await until(async () => {
        t.match(await ask(), ACTIVE)
        return (await calls()) > before
      })
      await until(isRecalled)
    },
  )
}

t.test('without a sign of life for a second nothing is recalled', async t => {
  const { proxy, ask, isRecalled, other, token } = await setScene(t)
  await until(isRecalled)
  proxy.silent = true
  await other.accessTokens.revoke({ ...token, expiresAt: Date.now() + 60_000 })
  const revokedAt = performance.now()
  let lastActive = revokedAt
  while (performance.now() < revokedAt + 2000) {
    const askedAt = performance.now()
    const isActive = await Promise.race([
      ask().then(
        ({ kind }) => kind === 'active',
        () => false,
      ),
      new Promise<boolean>(resolve => setTimeout(() => resolve(false), 20)),
    ])
    if (isActive) lastActive = askedAt
  }
  t.ok(lastActive - revokedAt <= 1000, `${lastActive - revokedAt} ms`)
})

t.test('the store breaks down: nothing is recalled once that is known', async t => {
  const { redis, store, ask, isRecalled } = await setScene(t, { deadlineMs: 300 })
  await until(isRecalled)
  await redis.stop()
  await until(() => !store.condition().isReached)
  await t.rejects(ask(), { name: 'StoreUnavailable' })
})

t.test(
  'a Redis that reports nothing is asked each time, and the operator is told',
  async t => {
    const { redis, isRecalled, ask, admin } = await setScene(t)
    await admin.call(
      'ACL',
      'SETUSER',
      'poor',
      'on',
      '>secret',
      '~*',
      '+@all',
      '-client|tracking',
    )
    const poor = await createRedisStore({
      ...PATIENT,
      url: `redis://poor:secret@127.0.0.1:${redis.port}/0`,
      recallsChecks: true,
    })
    t.teardown(() => poor.close())
    await until(isRecalled)
    t.match(await ask(), ACTIVE)
    const told = (await poor.inspect()).filter(({ check }) => check === 'tracking')
    t.match(told, [{ advice: /no effect.*NOPERM.*client\|tracking/ }])
  },
)

t.test('a Redis that has no room for its connections: nothing stays open', async t => {
  const { admin, redis } = await setScene(t)
  const count = async () =>
    String(await admin.client('LIST'))
      .trim()
      .split('\n').length
  const before = await count()
  for (const free of [1, 2]) {
    await admin.config('SET', 'maxclients', before + free)
    await t.rejects(
      createRedisStore({ ...PATIENT, url: redis.url, recallsChecks: true }),
      { name: 'StoreUnavailable' },
    )
    await until(async () => (await count()) === before)
  }
})

t.test('reports that go elsewhere are none', async t => {
  const { redis, admin } = await setScene(t)
  await admin.call(
    'ACL',
    'SETUSER',
    'deaf',
    'on',
    '>secret',
    '~*',
    '+@all',
    'resetchannels',
  )
  const deaf = await createRedisStore({
    ...PATIENT,
    url: `redis://deaf:secret@127.0.0.1:${redis.port}/0`,
    recallsChecks: true,
  })
  t.teardown(() => deaf.close())
  t.match(
    (await deaf.inspect()).map(({ check }) => check),
    /tracking/,
  )
})

/** A link of its own to that Redis. */
async function linkTo(t: Test, url: string, hearsChanges = false): Promise<Link> {
  const settings = { ...PATIENT, url, hearsChanges }
  const client = await connectRedis(settings)
  const link = createLink({
    ...PATIENT,
    client,
    verify: ({ run }) => run(it => it.ping()),
  })
  t.teardown(() => link.close())
  return link
}

async function track(
  t: Test,
  links: Pick<TrackerOptions, 'main' | 'tracked' | 'listening'>,
) {
  const changes = { changed() {}, forget() {} }
  const tracker = await startTracker({ ...links, probeKey: 'probe', changes })
  t.teardown(() => tracker.close())
  return tracker
}

async function threeLinks(t: Test) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  return {
    main: await linkTo(t, redis.url),
    tracked: await linkTo(t, redis.url),
    listening: await linkTo(t, redis.url, true),
  }
}

t.test('the store itself is at another server: nothing is remembered', async t => {
  const { main } = await threeLinks(t)
  const tracker = await track(t, { ...(await threeLinks(t)), main })
  t.notOk(tracker.isFresh())
  t.equal(tracker.fault(), 'it reports no changes')
})

for (const which of ['main', 'tracked', 'listening'] as const) {
  t.test(
    `the connection ${which} ends while tracking begins: it has not begun`,
    async t => {
      const links = await threeLinks(t)
      let isFirst = true
      const main: Link = {
        ...links.main,
        async run(work, recover) {
          const reply = await links.main.run(work, recover)
          if (isFirst) {
            isFirst = false
            const closed = once(links[which].client, 'close')
            links[which].client.disconnect(true)
            await closed
          }
          return reply
        },
      }
      const tracker = await track(t, { ...links, main })
      t.notOk(tracker.isFresh())
      await until(() => tracker.isFresh())
      t.equal(tracker.fault(), undefined, 'it begins anew')
    },
  )
}

/** The memory alone, with what it asks in the test's hands. */
function memory() {
  let now = 0
  let isFresh = true
  const asked: {
    answer: (forMs?: number, length?: number) => void
    fail: () => void
  }[] = []
  const active: CheckOutcome = { kind: 'active', user: undefined }
  let direct = 0
  const recent = createRecentChecks({
    tracked: () =>
      new Promise((resolve, reject) => {
        asked.push({
          answer: (forMs = 1000, length = 100) =>
            resolve({ outcome: active, forMs, length }),
          fail: () => reject(new Error('no connection')),
        })
      }),
    async check() {
      direct += 1
      return active
    },
    isFresh: () => isFresh,
    monotonic: () => now,
  })
  return {
    recent,
    asked,
    direct: () => direct,
    ask: (jti = 'j', userTag = 'u') => recent.check({ userTag, sid: 's', jti }, 'recent'),
    pass: (ms: number) => {
      now += ms
    },
    turn(fresh: boolean) {
      isFresh = fresh
    },
  }
}

for (const [name, change] of Object.entries({
  'of this user': ({ recent }: ReturnType<typeof memory>) => recent.changed('u'),
  'of anything': ({ recent }: ReturnType<typeof memory>) => recent.forget(),
})) {
  t.test(`a change ${name} that comes before the older answer is heeded`, async t => {
    const scene = memory()
    const first = scene.ask()
    change(scene)
    const second = scene.ask()
    scene.asked[0]?.answer()
    await first
    const third = scene.ask()
    t.equal(scene.asked.length, 3, 'the older answer is not remembered')
    scene.asked[1]?.answer()
    scene.asked[2]?.answer()
    await Promise.all([second, third])
    await scene.ask()
    t.equal(scene.asked.length, 3, 'one that was asked later is')
  })
}

t.test('a change of another user is none of ours', async t => {
  const scene = memory()
  const first = scene.ask()
  scene.recent.changed('v')
  scene.asked[0]?.answer()
  await first
  await scene.ask()
  t.equal(scene.asked.length, 1)
})

t.test(
  'an answer lasts as long as its session, and only while changes are heard of',
  async t => {
    const scene = memory()
    const first = scene.ask()
    scene.pass(100)
    scene.asked[0]?.answer(1000)
    await first
    scene.pass(899)
    await scene.ask()
    t.equal(scene.asked.length, 1)
    scene.turn(false)
    await scene.ask()
    t.equal(scene.direct(), 1)
    scene.turn(true)
    scene.pass(1)
    const late = scene.ask()
    t.equal(scene.asked.length, 2)
    scene.asked[1]?.fail()
    t.same(await late, { kind: 'active', user: undefined })
    t.equal(scene.direct(), 2, 'what fails there is asked on the other connection')
  },
)

t.test('sixteen of a user are remembered, the newest', async t => {
  const scene = memory()
  for (let n = 0; n < 17; n++) {
    const asking = scene.ask(`j${n}`)
    scene.asked.at(-1)?.answer()
    await asking
  }
  for (const n of [16, 1]) await scene.ask(`j${n}`)
  t.equal(scene.asked.length, 17)
  scene.ask('j0').catch(() => {})
  t.equal(scene.asked.length, 18)
})

t.test('of users of whom much is known fewer are remembered', async t => {
  const scene = memory()
  for (let n = 0; n < 2000; n++) {
    const asking = scene.ask('j', `u${n}`)
    scene.asked.at(-1)?.answer(1000, 8192)
    await asking
  }
  await scene.ask('j', 'u1999')
  await scene.ask('j', 'u1400')
  t.equal(scene.asked.length, 2000)
  scene.ask('j', 'u1200').catch(() => {})
  t.equal(scene.asked.length, 2001)
})
