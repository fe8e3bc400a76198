// The primary killed under Sentinel together with what is on its way to the replicas, under load: what was
// acknowledged is lost there, and nobody notices. Revocations are made by a server that is killed at the same
// moment: what it remembers must not help.
import { setTimeout as wait } from 'node:timers/promises'
import pLimit from 'p-limit'
import t, { type Test } from 'tap'
import { keepAsking } from './support/asking.ts'
import { type Crowd, startCrowd } from './support/crowd.ts'
import { BEHIND_MS, type DelayedNode } from './support/delayed-node.ts'
import { FULL, figure, percentile, tally } from './support/figures.ts'
import {
  addUsers,
  audited,
  fallen,
  type Fleet,
  logIn,
  msUntil,
  type Session,
  startServers,
} from './support/load.ts'
import { lostOn } from './support/lost.ts'
import { replicaOf, startWatched, type Watched } from './support/sentinels.ts'

const KILLS = FULL ? 20 : 3
const IN_A_ROW = FULL ? 5 : 1
/** How often it is tried, at most, to see a revocation undone where nobody waits for replicas. */
const CONTROLS = 4
const USERS = 40
const SESSIONS = 240
/** A session refreshes far less often than a replica is behind, as every real one does. */
const PAUSE_MS = 400
/** Fewer than two rotations in the time that a replica is behind: more are healed by no rule. */
const WITNESS_PAUSE_MS = 60
/** How long the load goes on before a revocation, and after the last endpoint is back. */
const LOAD_MS = 1500
const REVOCATIONS = 150
const REVOKED_EVERY_MS = 4
/** So many are acknowledged when the primary is killed. */
const REVOKED_BEFORE = 40
const VERDICTS_AT_ONCE = 8
const ENDPOINTS = ['/token', '/introspect', '/revoke'] as const

/** What is there to be killed, and who looks on. */
interface Scene {
  readonly watched: Watched
  readonly crowd: Crowd
  /** Clients of the server that lives on. */
  readonly witness: Fleet
  /** Starts a server with sessions that it is going to revoke. */
  readonly startRevoker: () => Promise<Revoker>
  /**
   * Ends the load; tells whether the server that lives on has fallen, and how many sessions it has healed.
   */
  readonly end: () => Promise<{
    readonly faults: readonly string[]
    readonly healed: number
  }>
}

interface Revoker {
  readonly fleet: Fleet
  readonly kill: () => void
}

/** What one kill showed. */
interface Kill {
  /** Refreshes a second, while revocations went on before it. */
  readonly perSecond: number
  /** Acknowledged rotations that the promoted replica didn't have. */
  readonly lost: number
  /** From the kill to the promotion. */
  readonly promotionMs: number
  /** From the promotion until the promoted one had a replica: it takes no writes before. */
  readonly followedMs: number
  /** From the promotion until an endpoint answered 200 again. */
  readonly backMs: Readonly<Record<string, number>>
  /** Revocations. */
  readonly acknowledged: readonly Revoked[]
}

interface Revoked extends Session {
  /** Which of its tokens was revoked. */
  readonly by: 'refreshToken' | 'accessToken'
}

t.test(`the primary killed ${KILLS} times`, async t => {
  const scene = await setScene(t, 1)
  const kills: Kill[] = []
  for (let times = 0; times < KILLS; times++) kills.push(...(await killInARow(scene, 1)))
  await judge(
    t,
    scene,
    kills,
    `primary and its 50 ms replication link killed under Sentinel, ${KILLS} times`,
  )
})

t.test('the primary killed, and the next one as soon as it serves', async t => {
  const scene = await setScene(t, 1)
  const kills: Kill[] = []
  for (let times = 0; times < IN_A_ROW; times++) {
    kills.push(...(await killInARow(scene, 2)))
  }
  await judge(t, scene, kills, `the same, twice in a row, ${IN_A_ROW} times`)
})

t.test('nobody waits for replicas: what is shown above is shown by WAIT', async t => {
  const scene = await setScene(t, 0)
  let [acknowledged, undone]: [readonly Revoked[], readonly Revoked[]] = [[], []]
  // It may be that nothing was on its way just then.
  for (let times = 0; times < CONTROLS && undone.length === 0; times++) {
    acknowledged = (await killInARow(scene, 1)).flatMap(kill => kill.acknowledged)
    undone = await undoneOf(scene, acknowledged)
  }
  figure(t, {
    fault: 'negative control: the same with `replicas: 0`',
    figure: `${undone.length} of ${acknowledged.length} acknowledged revocations undone`,
    mustShow: 'more than 0 undone',
    holds: undone.length > 0,
  })
  t.same((await scene.end()).faults, [])
})

async function setScene(t: Test, replicas: number): Promise<Scene> {
  const watched = await startWatched(t)
  await watched.settled(2)
  const config = { store: { url: watched.url, replicas } }
  const servers = await startServers(t, 1, { storeUrl: watched.url, config })
  await addUsers(watched.url, USERS)
  await wait(1000)
  const crowd = await startCrowd(
    t,
    servers,
    Array.from({ length: SESSIONS }, (_, session) => `user-${session % USERS}`),
  )
  const witness = await logIn(servers, ['user-0', 'user-1'])
  const [lives, doomed] = witness.sessions
  const load = witness.keepRefreshing({ pauseMs: WITNESS_PAUSE_MS })
  const others = keepAsking(witness, [String(lives?.accessToken)], () =>
    String(doomed?.refreshToken),
  )
  const stop = () => Promise.all([load.stop(), others.stop()])
  t.teardown(stop)

  async function end() {
    await stop()
    return { faults: fallen(servers), healed: audited(servers, 'refresh.healed').length }
  }

  async function startRevoker(): Promise<Revoker> {
    const [server] = await startServers(t, 1, { storeUrl: watched.url, config })
    const fleet = await logIn(
      [server],
      Array.from({ length: REVOCATIONS }, (_, session) => `user-${session % USERS}`),
    )
    return { fleet, kill: () => server.signal('SIGKILL') }
  }
  return {
    watched,
    crowd,
    witness,
    startRevoker,
    end,
  }
}

/**
 * Kills the primary under load, and the next one as soon as it serves: whoever fell is started again at once,
 * as a replica.
 */
async function killInARow(
  { watched, crowd, witness, startRevoker }: Scene,
  times: number,
): Promise<Kill[]> {
  await watched.settled(2)
  const revokers = []
  for (let count = 0; count < times; count++) revokers.push(await startRevoker())
  // What a round has to prepare would take the machine from the load.
  await crowd.start(PAUSE_MS)
  await wait(LOAD_MS)
  const kills: Kill[] = []
  for (const revoker of revokers) {
    const primary = await watched.settled(2)
    kills.push(await killPrimary({ watched, crowd, witness }, primary, revoker))
    await primary.rise(replicaOf(await watched.settled(0)))
  }
  await wait(LOAD_MS)
  await crowd.stop()
  return kills
}

async function killPrimary(
  { watched, crowd, witness }: Pick<Scene, 'watched' | 'crowd' | 'witness'>,
  primary: DelayedNode,
  revoker: Revoker,
): Promise<Kill> {
  await crowd.report()
  const startedAt = performance.now()
  const acknowledged: Revoked[] = []
  const revoking = revokeAll(revoker.fleet, acknowledged)
  await msUntil(() => acknowledged.length >= REVOKED_BEFORE)
  await flowing()
  // Whatever was acknowledged just now can't be with the replicas yet, unless somebody waited for that.
  const count = acknowledged.length
  await msUntil(() => acknowledged.length > count || count === REVOCATIONS)
  const killedAt = performance.now()
  revoker.kill()
  await primary.fall()
  // What was answered is with the client by then, and what was let through is with the replicas.
  await wait(200)
  const { sessions, answers } = await crowd.report()
  const replicas = await watched.inRole('slave')
  const lostBy = new Map(
    await Promise.all(
      replicas.map(async node => [node, await lostOn(node, sessions)] as const),
    ),
  )

  const { promoted, promotedAt } = await promotion(watched, killedAt)
  const followed = watched.settled(1).then(() => performance.now() - promotedAt)
  const firstAfter = (path: string) =>
    witness.answers.find(
      answer => answer.path === path && answer.status === 200 && answer.at > promotedAt,
    )
  await msUntil(() => ENDPOINTS.every(path => firstAfter(path) !== undefined), 20_000)
  await revoking
  return {
    perSecond:
      (answers.filter(({ status, at }) => status === 200 && at <= killedAt).length *
        1000) /
      (killedAt - startedAt),
    lost: lostBy.get(promoted) ?? Number.NaN,
    promotionMs: promotedAt - killedAt,
    followedMs: await followed,
    backMs: Object.fromEntries(
      ENDPOINTS.map(path => [path, (firstAfter(path)?.at ?? Infinity) - promotedAt]),
    ),
    acknowledged,
  }
}

/**
 * Waits until this thread, which plays the network, wasn't kept waiting itself for a while: nothing would be
 * on its way else.
 */
async function flowing(): Promise<void> {
  await msUntil(async () => {
    const start = performance.now()
    await wait(BEHIND_MS)
    return performance.now() - start < BEHIND_MS + 10
  })
}

/** Waits for the first sentinel to say that a replica was promoted. */
async function promotion(
  { told, nodes }: Watched,
  after: number,
): Promise<{ readonly promoted: DelayedNode; readonly promotedAt: number }> {
  const find = () =>
    told.find(({ event, at }) => event === '+promoted-slave' && at > after)
  await msUntil(() => find() !== undefined, 60_000)
  const event = find()
  const promoted = nodes.find(({ port }) =>
    event?.text.startsWith(`slave 127.0.0.1:${port} `),
  )
  if (event === undefined || promoted === undefined) {
    throw new Error(`nobody was promoted: ${JSON.stringify(told.slice(-20))}`)
  }
  return { promoted, promotedAt: event.at }
}

/**
 * Revokes each session, by its refresh token or its access token; collects those that the server said were
 * revoked.
 */
async function revokeAll(fleet: Fleet, acknowledged: Revoked[]): Promise<void> {
  await Promise.all(
    fleet.sessions.map(async (session, turn) => {
      await wait(turn * REVOKED_EVERY_MS)
      const by = turn % 2 === 0 ? 'refreshToken' : 'accessToken'
      if (await fleet.revoke(session[by])) acknowledged.push({ ...session, by })
    }),
  )
}

/** The revoked tokens that are good again; asked until there is a verdict. */
async function undoneOf(
  { witness }: Scene,
  revoked: readonly Revoked[],
): Promise<Revoked[]> {
  async function isUndone({ by, ...session }: Revoked): Promise<boolean> {
    let isActive: boolean | undefined
    await msUntil(
      async () =>
        (isActive = await witness.introspect(session.accessToken)) !== undefined,
      60_000,
    )
    if (by === 'accessToken') return isActive !== false
    const { refreshToken } = session
    await msUntil(
      async () => (await witness.refresh(session)) || session.loggedOut !== undefined,
      60_000,
    )
    return isActive !== false || session.refreshToken !== refreshToken
  }
  const verdicts = await pLimit(VERDICTS_AT_ONCE).map(revoked, isUndone)
  return revoked.filter((_, index) => verdicts[index])
}

async function judge(
  t: Test,
  scene: Scene,
  kills: readonly Kill[],
  fault: string,
): Promise<void> {
  const { sessions } = await scene.crowd.report()
  const loggedOut = sessions.filter(({ loggedOut }) => loggedOut !== undefined)
  const acknowledged = kills.flatMap(({ acknowledged }) => acknowledged)
  const undone = await undoneOf(scene, acknowledged)
  const lost = kills.map(({ lost }) => lost)
  const { faults, healed } = await scene.end()
  for (const { perSecond, lost, promotionMs, followedMs, backMs } of kills) {
    t.comment(
      `${perSecond.toFixed(0)} refreshes/s, ${lost} lost, promoted after ${promotionMs.toFixed(0)} ` +
        `ms, followed ${followedMs.toFixed(0)} ms and back ` +
        `${ENDPOINTS.map(path => backMs[path]?.toFixed(0)).join(', ')} ms after that`,
    )
  }
  t.comment(tally(scene.watched.told.map(({ event }) => event)))
  const slowest = (path: string) =>
    Math.max(...kills.map(({ backMs }) => Number(backMs[path])))
  figure(t, {
    fault,
    figure: [
      `${percentile(
        kills.map(({ perSecond }) => perSecond),
        50,
      ).toFixed(0)} refreshes/s (median)`,
      `${lost.reduce((sum, count) => sum + count, 0)} acknowledged rotations lost ` +
        `(${lost.join(', ')}), ${healed} healed`,
      `${loggedOut.length} of ${sessions.length} sessions logged out`,
      `${undone.length} of ${acknowledged.length} acknowledged revocations undone`,
      `promotion ${percentile(
        kills.map(({ promotionMs }) => promotionMs),
        50,
      ).toFixed(0)} ms after the kill (median)`,
      'back after the promotion at most: ' +
        `${ENDPOINTS.map(path => `${path} ${slowest(path).toFixed(0)} ms`).join(', ')}`,
    ].join('; '),
    mustShow: 'rotations lost; 0 logged out; 0 undone; back within 2 s',
    holds:
      lost.some(count => count > 0) &&
      loggedOut.length === 0 &&
      acknowledged.length > 0 &&
      undone.length === 0 &&
      ENDPOINTS.every(path => slowest(path) < 2000),
  })
  t.same(faults, [])
}
