// Replacing `secrets` one server after the other while clients refresh: in the two steps that the
// documentation has and back by rollback, and in the one step that it forbids.
import t, { type Test } from 'tap'
import { figure, tally } from './support/figures.ts'
import { addUsers, fallen, ISSUER, logIn, SECRET } from './support/load.ts'
import { startNode } from './support/redis-node.ts'
import { freePort } from '../support/free-port.ts'
import { startLatchkey, type LatchkeyProcess } from '../support/server.ts'
import { until } from '../support/until.ts'

const OLD = SECRET
const NEW = 'g'.repeat(43)
const SERVERS = 3
const SESSIONS = 25
/** 50 refreshes a second, as far as the servers answer. */
const PAUSE_MS = 500

type Ports = { readonly http: number; readonly management: number }
type Fleet = Awaited<ReturnType<typeof logIn>>

/** Three servers that are started anew, each at its own door, under sessions that refresh. */
async function setUp(t: Test) {
  const redis = await startNode(t)
  await addUsers(redis.url, SESSIONS)
  const every: LatchkeyProcess[] = []
  const start = async (ports: Ports, secrets: readonly string[]) => {
    const process = await startLatchkey({
      storeUrl: redis.url,
      addUser: false,
      ports,
      config: { issuer: ISSUER, secrets },
    })
    t.teardown(() => process.stop())
    every.push(process)
    return { process, ports }
  }
  const running: Awaited<ReturnType<typeof start>>[] = []
  for (let server = 0; server < SERVERS; server++) {
    running.push(
      await start({ http: await freePort(), management: await freePort() }, [OLD]),
    )
  }
  const fleet = await logIn(
    running.map(({ process: { url } }) => ({ url })),
    Array.from({ length: SESSIONS }, (_, user) => `user-${user}`),
  )
  const load = fleet.keepRefreshing({ pauseMs: PAUSE_MS })
  t.teardown(() => load.stop())
  return {
    every,
    fleet,
    load,
    /** Starts every server anew with these secrets, one after the other. */
    async roll(...secrets: readonly string[]) {
      for (const [index, { process, ports }] of running.entries()) {
        await process.stop()
        running[index] = await start(ports, secrets)
        await metEveryServer(fleet)
      }
    },
  }
}

/** Waits until clients have asked twice for each session, or are all logged out. */
async function metEveryServer({ answers, sessions }: Fleet): Promise<void> {
  const enough = answers.length + 2 * SESSIONS
  await until(
    () =>
      answers.length >= enough ||
      sessions.every(({ loggedOut }) => loggedOut !== undefined),
  )
}

const statusesOf = ({ answers }: Fleet, from = 0) =>
  tally(answers.slice(from).map(({ status }) => status))
const loggedOut = ({ sessions }: Fleet) =>
  sessions.filter(session => session.loggedOut !== undefined)
/** How often a server said that another one can read a token. */
const elsewhere = (servers: readonly LatchkeyProcess[]) =>
  servers.flatMap(({ lines }) => lines.filter(line => line.includes('secret_elsewhere')))
    .length

t.test('secrets are replaced in two steps, and back by rollback', async t => {
  const { every, fleet, load, roll } = await setUp(t)
  await roll(OLD, NEW)
  await roll(NEW, OLD)
  await roll(OLD, NEW)
  await roll(OLD)
  await load.stop()
  const out = loggedOut(fleet)
  figure(t, {
    fault: `secrets replaced in two steps over ${SERVERS} processes, and rolled back, 50 refreshes a second`,
    figure:
      `${statusesOf(fleet)}; ${elsewhere(every)} times 503 for a secret that only another server has; ` +
      `${out.length} of ${SESSIONS} sessions logged out`,
    mustShow: '0 logouts, 0 times 503 for a secret',
    holds: out.length === 0 && elsewhere(every) === 0,
  })
  t.same(out, [])
  t.same(fallen(every), [])
})

t.test('secrets are replaced in one step, against the documentation', async t => {
  const { every, fleet, load, roll } = await setUp(t)
  await roll(NEW, OLD)
  const after = fleet.answers.length
  await metEveryServer(fleet)
  await load.stop()
  const out = loggedOut(fleet)
  const held = fleet.answers.filter(({ error }) => error === 'temporarily_unavailable')
  figure(t, {
    fault: `secrets replaced in one step over ${SERVERS} processes, 50 refreshes a second`,
    figure:
      `${statusesOf(fleet)}, in the end ${statusesOf(fleet, after)}; ` +
      `${elsewhere(every)} times 503 for a secret that only another server has; ` +
      `${out.length} of ${SESSIONS} sessions logged out`,
    mustShow: '503 with Retry-After until all have it, 0 logouts',
    holds:
      out.length === 0 &&
      elsewhere(every) > 0 &&
      held.every(({ retryAfter }) => retryAfter !== null) &&
      !fleet.answers.slice(after).some(({ status }) => status === 503),
  })
  t.same(out, [])
  t.same(fallen(every), [])
})
