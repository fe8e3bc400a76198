// Refreshing under faults of the network between a client, Latchkey and Redis: answers that get lost,
// connections that break.
import t from 'tap'
import { FULL, figure, percentile, tally } from './support/figures.ts'
import { startProxy } from './support/fault-proxy.ts'
import {
  addUsers,
  audited,
  fallen,
  logIn,
  msUntil,
  startServers,
  tokenOf,
} from './support/load.ts'
import { createRandom, SEED } from './support/random.ts'
import { startNode } from './support/redis-node.ts'

t.test('1,000 parallel refreshes of one token, two processes on one Redis', async t => {
  const redis = await startNode(t)
  const servers = await startServers(t, 2, { storeUrl: redis.url })
  await addUsers(redis.url, 1)
  const fleet = await logIn(servers, ['user-0'])
  const [session] = fleet.sessions
  if (session === undefined) throw new Error('no session')
  const { generation } = tokenOf(session)
  const copies = Array.from({ length: 1000 }, () => ({ ...session }))

  await Promise.all(copies.map(copy => fleet.refresh(copy)))
  const answered = copies.filter(copy => copy.refreshToken !== session.refreshToken)
  const successors = new Set(answered.map(({ refreshToken }) => refreshToken))
  const steps = new Set(answered.map(copy => tokenOf(copy).generation - generation))
  const [survivor] = answered
  const lives =
    survivor !== undefined &&
    (await fleet.refresh(survivor)) &&
    tokenOf(survivor).generation === generation + 2
  figure(t, {
    fault: '1,000 parallel refreshes of one token, two processes on one Redis',
    figure:
      `${tally(fleet.answers.slice(1, 1001).map(({ status }) => status))}; ${successors.size} ` +
      `successor, ${[...steps].join()} step; the family ${lives ? 'lives' : 'is dead'}`,
    mustShow: 'every 200 carries the same successor, one step, the family lives',
    holds:
      answered.length >= 500 &&
      successors.size === 1 &&
      steps.size === 1 &&
      steps.has(1) &&
      lives &&
      copies.every(({ loggedOut }) => loggedOut === undefined),
  })
  t.same(fallen(servers), [])
})

const EVERY = 7

for (const [between, where] of [
  ['client and Latchkey', 'http'],
  ['Latchkey and Redis', 'redis'],
] as const) {
  t.test(`every ${EVERY}th answer between ${between} gets lost`, async t => {
    const refreshes = FULL ? 10_000 : 500
    const redis = await startNode(t)
    const toRedis = await startProxy(redis.port)
    t.teardown(() => toRedis.close())
    const servers = await startServers(t, 1, {
      storeUrl: `redis://127.0.0.1:${toRedis.port}/0`,
    })
    const toServer = await startProxy(servers[0].port)
    t.teardown(() => toServer.close())
    await addUsers(redis.url, 4)
    const fleet = await logIn(
      [{ url: `http://127.0.0.1:${toServer.port}` }],
      Array.from({ length: 20 }, (_, user) => `user-${user % 4}`),
    )
    const generation = () =>
      fleet.sessions.reduce((sum, session) => sum + tokenOf(session).generation, 0)
    const before = generation()

    if (where === 'http') {
      Object.assign(toServer, { answer: 'HTTP/1.1', dropEvery: EVERY })
    } else toRedis.dropEvery = EVERY
    const load = fleet.keepRefreshing()
    await msUntil(
      () =>
        generation() - before >= refreshes ||
        fleet.sessions.some(({ loggedOut }) => loggedOut !== undefined),
      600_000,
    )
    await load.stop()
    const [dropped, loggedOut] = [
      where === 'http' ? toServer.dropped : toRedis.dropped,
      fleet.sessions.filter(session => session.loggedOut !== undefined),
    ]
    figure(t, {
      fault: `${refreshes.toLocaleString('en')} refreshes, every ${EVERY}th answer between ${between} lost`,
      figure:
        `${generation() - before} steps, ${dropped} answers lost; ` +
        `${tally(fleet.answers.map(({ status }) => status))}; ${loggedOut.length} clients logged out`,
      mustShow: '0 clients logged out',
      holds:
        loggedOut.length === 0 &&
        generation() - before >= refreshes &&
        dropped >= refreshes / 100,
    })
    t.same(audited(servers, 'refresh.reused'), [])
    t.same(fallen(servers), [])
  })
}

t.test('connections to Redis cut at random points', async t => {
  const cuts = FULL ? 1000 : 100
  const random = createRandom(SEED)
  const redis = await startNode(t)
  const proxy = await startProxy(redis.port)
  t.teardown(() => proxy.close())
  const servers = await startServers(t, 1, {
    storeUrl: `redis://127.0.0.1:${proxy.port}/0`,
  })
  await addUsers(redis.url, 4)
  const fleet = await logIn(
    servers,
    Array.from({ length: 8 }, (_, user) => `user-${user % 4}`),
  )
  const load = fleet.keepRefreshing({ pauseMs: 2 })
  // From within the greeting to after some hundred commands; whatever is on its way is lost.
  proxy.cutAfter = () => Math.floor(random() ** 2 * 30_000)
  proxy.cut()

  const gaps: number[] = []
  let [seen, lastCutAt, next] = [0, 0, 0]
  await msUntil(() => {
    const again = fleet.answers
      .slice(next)
      .find(({ status, at }) => status === 200 && at > lastCutAt)
    next = fleet.answers.length
    if (seen > gaps.length && again !== undefined) {
      while (gaps.length < seen) gaps.push(again.at - lastCutAt)
    }
    if (proxy.cuts > seen) [seen, lastCutAt] = [proxy.cuts, performance.now()]
    return gaps.length >= cuts
  }, cuts * 1000)
  await load.stop()
  const [longest, loggedOut] = [
    Math.max(...gaps),
    fleet.sessions.filter(session => session.loggedOut !== undefined),
  ]
  figure(t, {
    fault: `connections to Redis cut at ${cuts.toLocaleString('en')} random points, under load`,
    figure:
      `${seen} cuts; a refresh went through again after ${percentile(gaps, 50).toFixed(0)} ms ` +
      `(median), ${longest.toFixed(0)} ms at most; ` +
      `${tally(fleet.answers.map(({ status }) => status))}; ${loggedOut.length} logged out`,
    mustShow: 'within 2 s, always; 0 logged out',
    holds: gaps.length >= cuts && longest < 2000 && loggedOut.length === 0,
  })
  t.same(fallen(servers), [])
})
