// A cluster of three masters under load: slots that move while their users refresh, and masters killed with
// what is on its way.
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { keepAsking } from './support/asking.ts'
import { type ClusterNode, type RunningCluster, startCluster } from './support/cluster.ts'
import { FULL, figure, tally } from './support/figures.ts'
import {
  type Answer,
  addUsers,
  fallen,
  type Fleet,
  logIn,
  msUntil,
  type Session,
  startServers,
} from './support/load.ts'
import { familyKey, lostOn } from './support/lost.ts'

const USERS = 20
const SESSIONS = 60
const PAUSE_MS = 100
/** How often every user's slot is moved. */
const PASSES = FULL ? 10 : 1
/** Between two keys of a slot: while they are apart, its users ask both masters. */
const KEY_PAUSE_MS = 10
const KILLS = FULL ? 5 : 1
/** How many more, where the link had nothing on its way each time: what is lost is a matter of chance. */
const MORE_KILLS = 4

t.test('slots moved during load', async t => {
  const { cluster, fleet, stop } = await setScene(t)
  const before = fleet.answers.length
  let moved = 0
  for (let pass = 0; pass < PASSES; pass++) {
    for (const slot of await slotsOf(cluster, fleet)) moved += await move(cluster, slot)
  }
  await wait(2000)
  await stop()
  const answers = fleet.answers.slice(before)
  const told = await redirections(cluster)
  figure(t, {
    fault: `cluster of 3 masters, ${USERS} users' slots moved ${PASSES} times under load`,
    figure:
      `${moved} keys moved, Redis answered ${tally(told)}; ${summary(answers)}; ` +
      `${loggedOut(fleet).length} of ${SESSIONS} sessions logged out`,
    mustShow: '0 errors beyond 503, 0 logouts',
    holds:
      moved > 0 &&
      told.includes('ASK') &&
      isCalm(answers) &&
      loggedOut(fleet).length === 0,
  })
})

t.test('masters killed', async t => {
  const { cluster, fleet, stop } = await setScene(t)
  const before = fleet.answers.length
  const [lost, back]: [number[], number[]] = [[], []]
  const isEnough = () => lost.some(count => count > 0)
  for (let kill = 0; kill < KILLS || (kill < KILLS + MORE_KILLS && !isEnough()); kill++) {
    const masters = await cluster.settled()
    const [victim] = masters
    if (victim === undefined) throw new Error('no master')
    await wait(2000)
    await victim.fall()
    // What was answered is with the client by then, and what was let through is with the replica.
    await wait(200)
    const held = fleet.sessions.map(session => ({ ...session }))
    const ofReplicas = await Promise.all(
      cluster.nodes
        .filter(node => !masters.includes(node))
        .map(async node => lostOn(node, await heldBy(node, held))),
    )
    lost.push(ofReplicas.reduce((sum, count) => sum + count, 0))
    const others = masters.filter(master => master !== victim)
    await msUntil(
      async () => (await cluster.masters()).some(master => !others.includes(master)),
      30_000,
    )
    const promotedAt = performance.now()
    await victim.rise()
    await msUntil(
      () =>
        fleet.sessions.every(
          ({ refreshToken }, index) => refreshToken !== held[index]?.refreshToken,
        ),
      30_000,
    )
    back.push(performance.now() - promotedAt)
  }
  await stop()
  const answers = fleet.answers.slice(before)
  figure(t, {
    fault: `cluster of 3 masters, one and its 50 ms replication link killed under load, ${lost.length} times`,
    figure:
      `${lost.join(', ')} acknowledged rotations lost; ${summary(answers)}; ` +
      `${loggedOut(fleet).length} of ${SESSIONS} sessions logged out; every session refreshed again ` +
      `${Math.max(...back).toFixed(0)} ms after the promotion at most`,
    mustShow: 'rotations lost, 0 errors beyond 503, 0 logouts, back',
    holds:
      isEnough() &&
      isCalm(answers) &&
      loggedOut(fleet).length === 0 &&
      back.every(ms => ms < 10_000),
  })
})

interface Scene {
  readonly cluster: RunningCluster
  readonly fleet: Fleet
  readonly stop: () => Promise<void>
}

async function setScene(t: Test): Promise<Scene> {
  const cluster = await startCluster(t)
  const servers = await startServers(t, 1, {
    storeUrl: cluster.url,
    config: { store: { url: cluster.url, replicas: 1 } },
  })
  await addUsers(cluster.url, USERS)
  const fleet = await logIn(
    servers,
    Array.from({ length: SESSIONS }, (_, session) => `user-${session % USERS}`),
  )
  const doomed = await logIn(servers, ['user-0'])
  const repeating = [
    fleet.keepRefreshing({ pauseMs: PAUSE_MS }),
    keepAsking(
      fleet,
      fleet.sessions.slice(0, USERS).map(({ accessToken }) => accessToken),
      () => String(doomed.sessions[0]?.refreshToken),
    ),
  ]
  const stopAll = () => Promise.all(repeating.map(each => each.stop()))
  t.teardown(stopAll)
  async function stop(): Promise<void> {
    await stopAll()
    t.same(fallen(servers), [])
  }
  return { cluster, fleet, stop }
}

const loggedOut = ({ sessions }: Fleet) =>
  sessions.filter(session => session.loggedOut !== undefined)

/** Nothing but good answers and 503. */
const isCalm = (answers: readonly Answer[]) =>
  answers.every(
    ({ status, active }) => status === 503 || (status === 200 && active !== false),
  )

const summary = (answers: readonly Answer[]) =>
  [...Map.groupBy(answers, ({ path }) => path)]
    .map(
      ([path, group]) =>
        `${path} ${tally(group.map(({ status, active }) => (active === false ? 'active:false' : status)))}`,
    )
    .join(', ')

/** The sessions whose records a node has. */
async function heldBy(
  { admin }: ClusterNode,
  sessions: readonly Session[],
): Promise<Session[]> {
  await admin.call('READONLY')
  const has = await Promise.all(
    sessions.map(session =>
      admin.exists(familyKey(session)).then(
        count => count === 1,
        () => false,
      ),
    ),
  )
  return sessions.filter((_, index) => has[index])
}

async function slotsOf(
  { nodes: [any] }: RunningCluster,
  { sessions }: Fleet,
): Promise<number[]> {
  const slots = await Promise.all(
    sessions.map(async session =>
      Number(await any?.admin.call('CLUSTER', 'KEYSLOT', familyKey(session))),
    ),
  )
  return [...new Set(slots)]
}

/** Moves a slot to the next master, key by key; gives the number of keys. */
async function move(cluster: RunningCluster, slot: number): Promise<number> {
  const masters = await cluster.masters()
  const owners = await Promise.all(masters.map(master => owns(master, slot)))
  const at = owners.indexOf(true)
  const [from, to] = [masters[at], masters[(at + 1) % masters.length]]
  if (from === undefined || to === undefined) throw new Error(`nobody has slot ${slot}`)
  await to.admin.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
  await from.admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
  let moved = 0
  for (
    let [key] = await keysIn(from, slot);
    key !== undefined;
    [key] = await keysIn(from, slot)
  ) {
    await from.admin.call('MIGRATE', '127.0.0.1', to.port, key, 0, 1000)
    moved += 1
    await wait(KEY_PAUSE_MS)
  }
  for (const { admin } of [to, from, ...masters]) {
    await admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
  }
  return moved
}

/** Whether a master has a slot, as it says itself. */
async function owns({ admin, id }: ClusterNode, slot: number): Promise<boolean> {
  const ranges = await admin.cluster('SLOTS')
  return ranges.some(
    ([start, end, master]) => master?.[2] === id && slot >= start && slot <= end,
  )
}

async function keysIn({ admin }: ClusterNode, slot: number): Promise<string[]> {
  return admin.cluster('GETKEYSINSLOT', slot, 1)
}

/** The kinds of redirections that clients were given. */
async function redirections({ nodes }: RunningCluster): Promise<string[]> {
  const infos = await Promise.all(nodes.map(({ admin }) => admin.info('errorstats')))
  return infos
    .flatMap(info => [...info.matchAll(/^errorstat_(ASK|MOVED|TRYAGAIN):count=(\d+)/gm)])
    .flatMap(([, name = '', count]) => Array<string>(Number(count)).fill(name))
}
