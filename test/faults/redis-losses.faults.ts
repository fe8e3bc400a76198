// A Redis that loses data, or keeps it through a `kill -9`; scripts that are flushed; memory that runs out.
// Under load.
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type LatchkeyProcess, runNode } from '../support/server.ts'
import { FULL, figure, tally } from './support/figures.ts'
import {
  type Answer,
  addUsers,
  audited,
  fallen,
  type Fleet,
  logIn,
  msUntil,
  type Repeating,
  startServers,
  tokenOf,
} from './support/load.ts'
import { createRandom, SEED } from './support/random.ts'
import { type NodeOptions, type RedisNode, startNode } from './support/redis-node.ts'

const CLI = new URL('../../bin/latchkey.js', import.meta.url).pathname
/** When the last revoked token must be dead again, whatever was lost. */
const DEAD_AFTER_MS = 10_000
const USERS = Array.from({ length: 8 }, (_, user) => `user-${user % 4}`)

interface Scene {
  readonly redis: RedisNode
  readonly servers: readonly [LatchkeyProcess, LatchkeyProcess]
  readonly fleet: Fleet
  /** Access tokens whose revocation was acknowledged. */
  readonly revoked: readonly string[]
  readonly load: Repeating
}

/** Two servers under load; `before` runs when sessions are there and nothing is revoked. */
async function setUp(
  t: Test,
  options: NodeOptions,
  before: (redis: RedisNode) => Promise<unknown> = async () => {},
): Promise<Scene> {
  const redis = await startNode(t, options)
  const [first, second] = await startServers(t, 2, { storeUrl: redis.url })
  if (second === undefined) throw new Error('two servers, please')
  await addUsers(redis.url, 4)
  const fleet = await logIn([first, second], USERS)
  const doomed = await logIn(
    [first, second],
    Array.from({ length: 20 }, (_, user) => `user-${user % 4}`),
  )
  await before(redis)
  const revoked = []
  for (const { accessToken, refreshToken } of doomed.sessions) {
    if (await doomed.revoke(revoked.length % 2 === 0 ? accessToken : refreshToken)) {
      revoked.push(accessToken)
    }
  }
  const load = fleet.keepRefreshing({ pauseMs: 20 })
  t.teardown(() => load.stop())
  return {
    redis,
    servers: [first, second],
    fleet,
    revoked,
    load,
  }
}

interface Asked {
  readonly at: number
  readonly token: string
  readonly active: boolean | undefined
}

/** Introspects every token again and again. */
function keepIntrospecting(
  t: Test,
  fleet: Fleet,
  tokens: readonly string[],
): Repeating & { readonly asked: readonly Asked[] } {
  const asked: Asked[] = []
  const stopped = new AbortController()
  const running = (async () => {
    while (!stopped.signal.aborted) {
      for (const token of tokens) {
        asked.push({
          token,
          active: await fleet.introspect(token),
          at: performance.now(),
        })
      }
      await wait(20)
    }
  })()
  const stop = () => {
    stopped.abort()
    return running
  }
  t.teardown(stop)
  return { asked, stop }
}

const isTold = ({ error, active }: Answer) =>
  error === 'invalid_grant' || active === false
const answered = ({ status }: Answer) => status !== 503

interface Loss {
  readonly name: string
  readonly options?: NodeOptions
  /** What loses the data. */
  readonly lose: (redis: RedisNode) => Promise<unknown>
}

const LOSSES: readonly Loss[] = [
  { name: 'FLUSHALL', lose: ({ admin }) => admin.flushall() },
  {
    name: 'kill -9 and a restart without data',
    async lose(redis) {
      await redis.kill()
      await redis.start()
    },
  },
]

for (const { name, options = {}, lose } of LOSSES) {
  t.test(
    `${name}: 503 until the loss is accepted, and no revoked token lives`,
    async t => {
      const { redis, servers, fleet, revoked, load } = await setUp(t, options)
      await wait(1000)
      const asking = keepIntrospecting(t, fleet, revoked)
      const lostAt = performance.now()
      const since = fleet.answers.length
      await lose(redis)
      const lossTook = performance.now()
      await wait(DEAD_AFTER_MS + 2000)
      // What was asked before may have been answered by Redis before, and reach the client only now.
      const before = fleet.answers.slice(since).filter(({ at, ms }) => at - ms > lossTook)
      const loggedOutBefore = fleet.sessions.filter(
        session => session.loggedOut !== undefined,
      ).length
      const accepted = await accept(servers[0])
      const acceptedAt = performance.now()
      const refusedAfter = await msUntil(() =>
        fleet.sessions.every(({ loggedOut }) => loggedOut === '400 invalid_grant'),
      )
      await wait(2000)
      await Promise.all([load.stop(), asking.stop()])
      const late = asking.asked.filter(({ at }) => at > lostAt + DEAD_AFTER_MS)
      const living = asking.asked.filter(({ active }) => active === true)
      const verdicts = before.filter(isTold)
      figure(t, {
        fault: `Redis: ${name}, under load, ${revoked.length} access tokens revoked before`,
        figure:
          `until it is accepted: ${tally(before.map(({ status }) => status))}, ${verdicts.length} ` +
          `verdicts, ${loggedOutBefore} logged out; revoked tokens accepted: ${living.length} of ` +
          `${asking.asked.length} times asked, ` +
          `${late.filter(({ active }) => active === true).length} after 10 s; after \`latchkey store ` +
          `accept\` (exit ${accepted}): unknown sessions are invalid_grant within ` +
          `${refusedAfter.toFixed(0)} ms`,
        mustShow:
          '0 revoked access tokens accepted after 10 s; unknown sessions 503 until it is accepted, ' +
          'then invalid_grant',
        holds:
          before.length > 100 &&
          !before.some(answered) &&
          verdicts.length === 0 &&
          loggedOutBefore === 0 &&
          living.length === 0 &&
          late.length > 100 &&
          accepted === 0 &&
          refusedAfter < 5000 &&
          asking.asked.some(({ at, active }) => at > acceptedAt && active === false),
      })
      t.equal(revoked.length, 20, 'every revocation was acknowledged')
      t.same(fallen(servers), [])
    },
  )
}

/** `latchkey store accept`, with the server's configuration: its exit code. */
function accept({ configFile }: LatchkeyProcess): Promise<number> {
  return runNode([CLI, 'store', 'accept', '--config', configFile], {}).ended
}

t.test(
  'kill -9 and a restart with older data: the revocations since are put back, and nobody believes a ' +
    'revoked token meanwhile',
  async t => {
    const snapshot = (redis: RedisNode) => redis.admin.save()
    const { redis, servers, fleet, revoked, load } = await setUp(
      t,
      { args: ['--dbfilename', 'dump.rdb'] },
      snapshot,
    )
    const asking = keepIntrospecting(t, fleet, revoked)
    await wait(1000)
    // Two generations are healed; who has more of them since the snapshot is judged by the rules.
    await load.stop()
    await redis.kill()
    const killedAt = performance.now()
    await redis.start()
    const [first] = revoked
    const recovery = await msUntil(
      async () => first !== undefined && (await fleet.introspect(first)) !== undefined,
    )
    await wait(DEAD_AFTER_MS)
    await asking.stop()
    const after = asking.asked.filter(({ at }) => at > killedAt)
    const living = asking.asked.filter(({ active }) => active === true)
    figure(t, {
      fault: `Redis: kill -9 and a restart with a snapshot from before ${revoked.length} revocations`,
      figure:
        `revoked tokens: active ${tally(after.map(({ active }) => String(active)))}; answers again ` +
        `after ${recovery.toFixed(0)} ms`,
      mustShow: '0 revoked access tokens accepted, at no time',
      holds:
        living.length === 0 &&
        after.filter(({ active }) => active === false).length > 100 &&
        recovery < 3000,
    })
    t.same(fallen(servers), [])
  },
)

/** The current generation of a family's packed record: its second number. */
async function generationIn({ admin }: RedisNode, key: string): Promise<number> {
  const packed = await admin.getrangeBuffer(key, 4, 7)
  return packed.length === 4 ? packed.readUInt32BE() : 0
}

t.test('kill -9 and a restart with its append-only file', async t => {
  const rounds = FULL ? 20 : 3
  const random = createRandom(SEED)
  const { redis, servers, fleet, revoked, load } = await setUp(t, {
    args: ['--appendonly', 'yes'],
  })
  const [lost, gaps]: [string[], number[]] = [[], []]
  const generations = () =>
    fleet.sessions.reduce((sum, session) => sum + tokenOf(session).generation, 0)
  for (let round = 0; round < rounds; round++) {
    const before = generations()
    await msUntil(() => generations() - before > 20, 60_000)
    await wait(random() * 300)
    await redis.kill()
    const held = fleet.sessions.map(session => ({ ...tokenOf(session) }))
    await redis.start()
    const startedAt = performance.now()
    for (const { userTag, sid, generation } of held) {
      const cur = await generationIn(redis, `lk:{${userTag}}:f:${sid}`)
      if (cur < generation) lost.push(`${cur} of ${generation}`)
    }
    gaps.push(
      await msUntil(() =>
        fleet.answers.some(
          ({ path, status, at }) => path === '/token' && status === 200 && at > startedAt,
        ),
      ),
    )
  }
  await load.stop()
  const dead: boolean[] = []
  for (const token of revoked) dead.push(await verdictOn(fleet, token))
  const loggedOut = fleet.sessions.filter(session => session.loggedOut !== undefined)
  figure(t, {
    fault: `Redis: kill -9 and a restart with its append-only file, ${rounds} times, under load`,
    figure:
      `${generations()} rotations, ${lost.length} acknowledged ones ` +
      `lost${lost.length > 0 ? ` (${lost[0]})` : ''}; ${loggedOut.length} logged out; revoked ` +
      `tokens: active ${tally(dead.map(String))}; answers again after ` +
      `${Math.max(...gaps).toFixed(0)} ms at most`,
    mustShow: '0 lost, 0 logged out, revoked tokens stay invalid, recovery < 3 s',
    holds:
      lost.length === 0 &&
      loggedOut.length === 0 &&
      dead.length === 20 &&
      dead.every(active => active === false) &&
      Math.max(...gaps) < 3000,
  })
  t.same(audited(servers, 'refresh.reused'), [])
  t.same(fallen(servers), [])
})

/** What introspection says once it says something: the second server may be a moment behind. */
async function verdictOn(fleet: Fleet, token: string): Promise<boolean> {
  let verdict: boolean | undefined
  await msUntil(async () => {
    verdict = await fleet.introspect(token)
    return verdict !== undefined
  })
  return verdict ?? true
}

t.test('SCRIPT FLUSH, again and again', async t => {
  const times = FULL ? 1000 : 100
  const { redis, servers, fleet, revoked, load } = await setUp(t, {})
  const asking = keepIntrospecting(t, fleet, revoked)
  const since = fleet.answers.length
  for (let time = 0; time < times; time++) {
    await redis.admin.script('FLUSH')
    await wait(20)
  }
  await Promise.all([load.stop(), asking.stop()])
  const answers = fleet.answers.slice(since)
  const known = (await redis.admin.info('stats')).match(
    /errorstat_NOSCRIPT|total_error_replies:(\d+)/,
  )?.[0]
  figure(t, {
    fault: `Redis: SCRIPT FLUSH ${times} times, under load`,
    figure:
      `${answers.length} answers: ${tally(answers.map(({ status }) => status))}; revoked tokens: ` +
      `active ${tally(asking.asked.map(({ active }) => String(active)))}; ${known ?? 'no error'} at ` +
      'Redis',
    mustShow: 'all 200',
    holds:
      answers.length > 200 &&
      answers.every(({ status }) => status === 200) &&
      asking.asked.every(({ active }) => active === false) &&
      known !== 'total_error_replies:0',
  })
  t.same(fallen(servers), [])
})

t.test('memory that fills up with logins', async t => {
  const { redis, servers, fleet, revoked, load } = await setUp(t, {})
  const used = Number(/used_memory:(\d+)/.exec(await redis.admin.info('memory'))?.[1])
  await redis.admin.config('SET', 'maxmemory', used + 400_000)
  const fillers: Fleet[] = []
  const full = await msUntil(async () => {
    const opened = await Promise.allSettled(
      Array.from({ length: 20 }, (_, user) => logIn(servers, [`user-${user % 4}`])),
    )
    fillers.push(
      ...opened
        .filter(({ status }) => status === 'fulfilled')
        .map(one => ('value' in one ? one.value : fleet)),
    )
    return opened.filter(({ status }) => status === 'rejected').length > 10
  }, 60_000)
  const since = fleet.answers.length
  const asking = keepIntrospecting(t, fleet, [
    ...revoked,
    ...fillers
      .flatMap(({ sessions }) => sessions.map(({ accessToken }) => accessToken))
      .slice(0, 20),
  ])
  await wait(FULL ? 10_000 : 2000)
  await asking.stop()
  const during = fleet.answers.slice(since)
  const writes = during.filter(({ path }) => path === '/token')
  await redis.admin.config('SET', 'maxmemory', '0')
  const freedAt = performance.now()
  const recovery = await msUntil(() =>
    fleet.answers.some(
      ({ path, status, at }) => path === '/token' && status === 200 && at > freedAt,
    ),
  )
  await load.stop()
  const opened = fillers.flatMap(one => one.sessions.map(session => ({ one, session })))
  let alive = 0
  for (const { one, session } of opened) {
    if ((await msUntil(() => one.refresh(session), 3000)) < Infinity) alive += 1
  }
  const wrong = asking.asked.filter(
    ({ token, active }) => active !== undefined && active === revoked.includes(token),
  )
  const loggedOut = fleet.sessions.filter(session => session.loggedOut !== undefined)
  figure(t, {
    fault: 'Redis: maxmemory reached by logins (noeviction)',
    figure:
      `${opened.length} logins until it is full; then writes ` +
      `${tally(writes.map(({ status }) => status))}, introspection ${wrong.length} wrong of ` +
      `${asking.asked.length}; ${loggedOut.length} logged out; recovery ${recovery.toFixed(0)} ms; ` +
      `${alive} of ${opened.length} acknowledged logins refresh`,
    mustShow:
      '503 for what finds no room, no wrong answer, every acknowledged login stays valid, recovery < 3 s',
    holds:
      full < Infinity &&
      opened.length > 20 &&
      writes.some(({ status }) => status === 503) &&
      writes.every(
        ({ status, retryAfter }) =>
          status === 200 || (status === 503 && retryAfter !== null),
      ) &&
      asking.asked.length > 40 &&
      wrong.length === 0 &&
      loggedOut.length === 0 &&
      recovery < 3000 &&
      alive === opened.length,
  })
  t.same(fallen(servers), [])
})
