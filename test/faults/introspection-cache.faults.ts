// Introspection from memory through a failover under Sentinel: one server answers from memory, another one
// revokes. The primary is killed, or stands still with its connections open, as behind a network that is cut.
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { DelayedNode } from './support/delayed-node.ts'
import { FULL, figure, percentile } from './support/figures.ts'
import {
  addUsers,
  fallen,
  type Fleet,
  logIn,
  msUntil,
  type Session,
  startServers,
} from './support/load.ts'
import { replicaOf, startWatched, type Watched } from './support/sentinels.ts'

const ROUNDS = FULL ? 10 : 2
const USERS = 8
const SESSIONS = 32
/** How often each token is asked about. */
const PAUSE_MS = 40
/** Until all tokens are remembered. */
const WARM_MS = 1500
/** How long before the fault the first token is revoked, and how much later each further one. */
const REVOKED_BEFORE_MS = 1000
const REVOKED_EVERY_MS = 150
/** No answer may be older (docs/reliability.md). */
const BOUND_MS = 1000

interface Scene {
  readonly watched: Watched
  /** Logs in and revokes at the server without a memory; asks the one that has it. */
  readonly enter: () => Promise<{ readonly fleet: Fleet; readonly asked: Fleet }>
  readonly faults: () => readonly string[]
}

/** An answer of the server that answers from memory. */
interface Told {
  readonly token: string
  readonly sentAt: number
  /** undefined: no verdict. */
  readonly active: boolean | undefined
}

/** What one fault showed; spans in milliseconds. */
interface Round {
  /** How long after the fault the last request was sent that was answered `active: true` by then. */
  readonly aliveMs: number
  /** From the fault to the promotion. */
  readonly promotionMs: number
  /** From the promotion to the first verdict. */
  readonly backMs: number
  /** For each revocation how long after its acknowledgement such a request was sent; 0: none was. */
  readonly lateMs: readonly number[]
  /** How many of them were acknowledged after the fault. */
  readonly afterwards: number
}

/** Gives what ends it. */
type Fault = (node: DelayedNode) => Promise<(watched: Watched) => Promise<void>>

const FAULTS: Record<string, Fault> = {
  async killed(node) {
    await node.fall()
    return async ({ settled }) => node.rise(replicaOf(await settled(0)))
  },
  async 'standing still'(node) {
    node.signal('SIGSTOP')
    return async () => node.signal('SIGCONT')
  },
}

for (const [name, fault] of Object.entries(FAULTS)) {
  t.test(`the primary ${name}, ${ROUNDS} times`, async t => {
    const scene = await setScene(t)
    const rounds: Round[] = []
    for (let times = 0; times < ROUNDS; times++) rounds.push(await play(scene, fault))
    judge(t, name, rounds)
    t.same(scene.faults(), [])
  })
}

async function setScene(t: Test): Promise<Scene> {
  const watched = await startWatched(t)
  await watched.settled(2)
  const start = (cache: boolean) =>
    startServers(t, 1, {
      storeUrl: watched.url,
      config: { store: { url: watched.url, replicas: 1 }, introspection: { cache } },
    })
  const [recalling, revoking] = [await start(true), await start(false)]
  await addUsers(watched.url, USERS)
  const users = Array.from(
    { length: SESSIONS },
    (_, session) => `user-${session % USERS}`,
  )
  return {
    watched,
    async enter() {
      return { fleet: await logIn(revoking, users), asked: await logIn(recalling, []) }
    },
    faults: () => fallen([...recalling, ...revoking]),
  }
}

async function play({ watched, enter }: Scene, fault: Fault): Promise<Round> {
  const primary = await watched.settled(2)
  const { fleet, asked } = await enter()
  const asking = keepAsking(asked, fleet.sessions)
  await wait(WARM_MS)
  const revocations = Promise.all(
    fleet.sessions.map((one, turn) => revoke(fleet, one, turn)),
  )
  await wait(REVOKED_BEFORE_MS)
  const faultAt = performance.now()
  const end = await fault(primary)
  const promotedAt = await promotionAfter(watched, faultAt)
  const revoked = await revocations
  const hasVerdict = ({ sentAt, active }: Told) =>
    sentAt > promotedAt && active !== undefined
  await msUntil(() => asking.told.some(hasVerdict), 60_000)
  // As long again as an answer may be old.
  await wait(2 * BOUND_MS)
  const told = await asking.stop()
  await end(watched)
  const alive = told.filter(({ active }) => active === true)
  const verdicts = told.filter(hasVerdict)
  const sent = (answers: readonly Told[]) => answers.map(({ sentAt }) => sentAt)
  return {
    aliveMs: Math.max(
      0,
      ...sent(alive)
        .filter(at => at < promotedAt)
        .map(at => at - faultAt),
    ),
    promotionMs: promotedAt - faultAt,
    backMs: Math.min(...sent(verdicts)) - promotedAt,
    lateMs: revoked.map(({ token, at }) => {
      const last = Math.max(...sent(alive.filter(answer => answer.token === token)))
      return Math.max(0, last - at)
    }),
    afterwards: revoked.filter(({ at }) => at > faultAt).length,
  }
}

/** Asks about each token again and again. */
function keepAsking({ introspect }: Fleet, sessions: readonly Session[]) {
  const stopped = new AbortController()
  const told: Told[] = []
  const running = sessions.map(async ({ accessToken: token }, turn) => {
    // Not all at the same moment.
    await wait((PAUSE_MS * turn) / sessions.length)
    while (!stopped.signal.aborted) {
      const sentAt = performance.now()
      told.push({ token, sentAt, active: await introspect(token) })
      await wait(PAUSE_MS)
    }
  })
  return {
    told,
    async stop(): Promise<readonly Told[]> {
      stopped.abort()
      await Promise.all(running)
      return told
    },
  }
}

/** Revokes a session's access token, however often it takes; gives when that was acknowledged. */
async function revoke(fleet: Fleet, { accessToken: token }: Session, turn: number) {
  await wait(turn * REVOKED_EVERY_MS)
  const took = await msUntil(() => fleet.revoke(token), 60_000)
  if (took === Infinity) throw new Error('no revocation was acknowledged')
  return { token, at: performance.now() }
}

async function promotionAfter({ told }: Watched, after: number): Promise<number> {
  const find = () =>
    told.find(({ event, at }) => event === '+promoted-slave' && at > after)
  await msUntil(() => find() !== undefined, 60_000)
  return find()?.at ?? Number.NaN
}

function judge(t: Test, name: string, rounds: readonly Round[]): void {
  const late = rounds.flatMap(({ lateMs }) => lateMs)
  const most = (of: (round: Round) => number) => Math.max(...rounds.map(of)).toFixed(0)
  const afterwards = rounds.reduce((sum, round) => sum + round.afterwards, 0)
  figure(t, {
    fault: `introspection.cache: the primary ${name} under Sentinel, ${rounds.length} times`,
    figure: [
      `${late.length} revocations acknowledged, ${afterwards} of them after the fault; then still active ` +
        `for ${percentile(late, 50).toFixed(0)} ms (median), ${Math.max(...late).toFixed(0)} ms at most`,
      `active at most ${most(({ aliveMs }) => aliveMs)} ms after the fault`,
      `promotion after ${most(({ promotionMs }) => promotionMs)} ms at most, verdicts ` +
        `${most(({ backMs }) => backMs)} ms after that`,
    ].join('; '),
    mustShow: `never active for more than ${BOUND_MS} ms after either`,
    holds:
      afterwards > 0 &&
      late.every(ms => ms < BOUND_MS) &&
      rounds.every(({ aliveMs, backMs }) => aliveMs < BOUND_MS && backMs < Infinity),
  })
}
