// How long the event loop of the server is held up, at most, by a mixed load: refreshes, logins that hash as
// in production, introspection, revocation, JWKS.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { LatchkeyProcess } from '../support/server.ts'
import { FULL, figure, percentile, tally } from './support/figures.ts'
import { addUsers, type Door, fallen, logIn, startServers } from './support/load.ts'
import { startNode } from './support/redis-node.ts'

const SECONDS = FULL ? 60 : 8
/**
 * Where others use the same disk and processors, as in CI, only what is far off tells of us: the full form is
 * for a quiet machine.
 */
const BOUND_MS = FULL ? 50 : 200
const HASHING = {
  memoryKiB: 19_456,
  passes: 2,
  parallelism: 1,
  concurrency: 'auto',
  queue: 64,
}
const USERS = Array.from({ length: 8 }, (_, user) => `user-${user % 4}`)

const STORES: Record<string, (t: Test) => Promise<string>> = {
  async SQLite(t) {
    const dir = mkdtempSync(join(tmpdir(), 'latchkey-loop-'))
    t.teardown(() => rmSync(dir, { recursive: true, force: true }))
    return `sqlite:${join(dir, 'latchkey.db')}`
  },
  Redis: async t => (await startNode(t)).url,
}

for (const [store, make] of Object.entries(STORES)) {
  t.test(`${store}: the event loop under a mixed load`, async t => {
    const storeUrl = await make(t)
    const servers = await startServers(t, 1, { storeUrl, config: { passwords: HASHING } })
    const [server] = servers
    await addUsers(storeUrl, 4)
    const fleet = await logIn(servers, USERS)
    const load = fleet.keepRefreshing({ pauseMs: 5 })
    const others = keepDoing(t, [
      async () => {
        await fleet.introspect(fleet.sessions[0]?.accessToken ?? '')
      },
      () => loginAndRevoke(server),
      () => loginAndRevoke(server),
      async () => {
        await fetch(`${server.url}/.well-known/jwks.json`).then(answer => answer.text())
      },
    ])
    t.teardown(() => load.stop())
    // What it took to start, and to compile, is no load.
    await wait(3000)
    await lagOf(server)
    const samples: Sample[] = []
    const since = fleet.answers.length
    for (let second = 0; second < SECONDS; second++) {
      const before = waitedForProcessor(server)
      await wait(1000)
      samples.push({
        lag: await lagOf(server),
        waited: waitedForProcessor(server) - before,
      })
    }
    await Promise.all([load.stop(), others.stop()])
    const lags = samples.map(({ lag }) => lag)
    // A processor that somebody else has is nothing that the server does.
    const own = samples.map(({ lag, waited }) => (FULL ? lag : lag - waited))
    const answers = fleet.answers.slice(since)
    figure(t, {
      fault:
        `${store}: the event loop, ${SECONDS} s of refreshes, logins (argon2id, 19 MiB), ` +
        'introspection, revocation, JWKS',
      figure:
        `held up for ${Math.max(...lags).toFixed(0)} ms at most, ${percentile(lags, 50).toFixed(0)} ` +
        'ms in the median second (its clock ticks every 10 ms); in the worst second the process ' +
        `waited ${samples.toSorted((a, b) => b.lag - a.lag)[0]?.waited.toFixed(0)} ms for a ` +
        `processor; refreshes and introspection: ${tally(answers.map(({ status }) => status))}`,
      mustShow: `never over ${BOUND_MS} ms${FULL ? '' : ', but for waiting for a processor'}`,
      holds:
        Math.max(...own) < BOUND_MS &&
        answers.length > SECONDS * 10 &&
        answers.every(({ status }) => status === 200),
    })
    t.same(fallen(servers), [])
  })
}

interface Sample {
  /** The longest delay of the loop in a second, in milliseconds. */
  readonly lag: number
  /** How long its thread was ready to run in that second, and didn't, in milliseconds. */
  readonly waited: number
}

/** The longest delay of the event loop since it was asked last. */
async function lagOf({ managementUrl }: LatchkeyProcess): Promise<number> {
  const metrics = await fetch(`${managementUrl}/metrics`).then(answer => answer.text())
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(metrics)?.[1]) * 1000
}

function waitedForProcessor({ pid }: LatchkeyProcess): number {
  return (
    Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  )
}

async function loginAndRevoke(door: Door): Promise<void> {
  const { sessions, revoke } = await logIn([door], ['user-0'])
  for (const { accessToken, refreshToken } of sessions) {
    await revoke(accessToken)
    await revoke(refreshToken)
  }
}

/** Does each again and again; what fails is tried again. */
function keepDoing(t: Test, work: ReadonlyArray<() => Promise<void>>) {
  const stopped = new AbortController()
  const running = work.map(async act => {
    while (!stopped.signal.aborted) {
      await act().catch(() => {})
      await wait(10)
    }
  })
  const stop = async () => {
    stopped.abort()
    await Promise.all(running)
  }
  t.teardown(stop)
  return { stop }
}
