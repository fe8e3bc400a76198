// What each endpoint answers while the store is away, what that costs, and how soon all is well again.
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { Test } from 'tap'
import type { LatchkeyProcess } from '../../support/server.ts'
import { keepAsking } from './asking.ts'
import { FULL, figure, percentile, tally } from './figures.ts'
import { type Answer, fallen, logIn, msUntil, type startServers } from './load.ts'

export const OUTAGE_MS = FULL ? 60_000 : 6000
/** What was under way when the fault came is answered by the deadline of a call. */
const MOMENT_MS = 1000

/** So many answers bring the heap of a new process to its size under this load. */
const WARM_UP = 12_000

export interface Outage {
  readonly name: string
  readonly forMs: number
  readonly begin: () => Promise<void> | void
  readonly end: () => Promise<void> | void
  /** What goes on: introspection, where only writes are refused. */
  readonly reads?: boolean
}

/**
 * Puts a server to work, at full speed, as long as its memory grows for being new: what comes after is the
 * outage's.
 */
export async function warmUp([server]: Awaited<
  ReturnType<typeof startServers>
>): Promise<void> {
  const fleet = await logIn(
    [server],
    Array.from({ length: 8 }, (_, user) => `user-${user % 4}`),
  )
  const load = fleet.keepRefreshing()
  await msUntil(() => fleet.answers.length >= WARM_UP, 60_000)
  await load.stop()
}

/**
 * Plays an outage under load, with sessions of `user-0` to `user-3`, and takes down what each endpoint
 * answered, what it cost and how soon all was well again.
 */
export async function live(
  t: Test,
  servers: Awaited<ReturnType<typeof startServers>>,
  { name, forMs, begin, end, reads = false }: Outage,
): Promise<void> {
  const [server] = servers
  const fleet = await logIn(
    servers,
    Array.from({ length: 8 }, (_, user) => `user-${user % 4}`),
  )
  const access = fleet.sessions.map(({ accessToken }) => accessToken)
  const doomed = await logIn(
    servers,
    Array.from({ length: 4 }, (_, user) => `user-${user}`),
  )

  const load = fleet.keepRefreshing({ pauseMs: 40 })
  const others = keepAsking(fleet, access, () => doomed.sessions[0]?.refreshToken ?? '')
  const jwks = keepFetching(server)
  await wait(2000)
  const before = residentMiB(server)
  const [healthy, calm] = [fleet.answers.length, jwks.times.splice(0)]
  await begin()
  const startedAt = performance.now()
  await wait(forMs)
  const after = residentMiB(server)
  const endedAt = performance.now()
  const during = fleet.answers
    .slice(healthy)
    .filter(({ at }) => at > startedAt + MOMENT_MS)
  await end()
  const recovery = await msUntil(() =>
    ['/token', '/introspect', '/revoke'].every(path =>
      fleet.answers.some(
        answer => answer.path === path && answer.status === 200 && answer.at > endedAt,
      ),
    ),
  )
  await wait(500)
  await Promise.all([load.stop(), others.stop(), jwks.stop()])

  const answers = fleet.answers
    .slice(healthy)
    .filter(({ at }) => at > startedAt && at <= endedAt)
  const judged = reads ? during.filter(({ path }) => path !== '/introspect') : during
  const slowest = Math.max(...answers.map(({ ms }) => ms))
  const verdicts = fleet.answers.filter(
    ({ error, active }) => error === 'invalid_grant' || active === false,
  )
  // A machine that is busy with something else is slow with and without a fault: the full form is for a quiet
  // one.
  const [calmP99, jwksP99] = [percentile(calm, 99), percentile(jwks.times, 99)]
  const memory = Math.max(0, after - before)
  figure(t, {
    fault: `${name} for ${forMs / 1000} s`,
    figure: [
      byPath(during),
      `slowest ${slowest.toFixed(0)} ms`,
      `${verdicts.length} verdicts`,
      `JWKS ${tally(jwks.statuses)}, p99 ${jwksP99.toFixed(0)} ms (${calmP99.toFixed(0)} before the fault)`,
      `memory +${memory.toFixed(0)} MiB`,
      `recovery ${recovery.toFixed(0)} ms`,
    ].join('; '),
    mustShow:
      `within 1 s, all 503 with Retry-After${reads ? ' but reads' : ''}, 0 invalid_grant, 0 ` +
      'active:false; JWKS 200, p99 < 50 ms; < 32 MiB; recovery < 3 s',
    holds:
      judged.length > 0 &&
      judged.every(isUnavailable) &&
      slowest < 1000 &&
      verdicts.length === 0 &&
      jwks.statuses.every(status => status === 200) &&
      jwks.times.length > 0 &&
      jwksP99 < (FULL ? 50 : Math.max(50, 2 * calmP99)) &&
      memory < 32 &&
      recovery < 3000,
  })
  for (const path of ['/token', '/introspect', '/revoke']) {
    t.ok(
      during.some(answer => answer.path === path),
      `${path} was asked`,
    )
  }
  if (reads) {
    t.ok(
      during
        .filter(({ path }) => path === '/introspect')
        .every(({ active }) => active === true),
      'what is read goes on',
    )
  }
  t.ok(
    fleet.sessions.every(({ loggedOut }) => loggedOut === undefined),
    'nobody is logged out',
  )
  t.same(fallen(servers), [])
}

const isUnavailable = ({ status, error, retryAfter }: Answer) =>
  status === 503 &&
  error === 'temporarily_unavailable' &&
  /^[1-9]\d*$/.test(retryAfter ?? '')

const byPath = (answers: readonly Answer[]) =>
  [...Map.groupBy(answers, ({ path }) => path)]
    .map(([path, group]) => `${path} ${tally(group.map(({ status }) => status))}`)
    .join(', ')

function keepFetching({ url }: LatchkeyProcess) {
  const stopped = new AbortController()
  const [times, statuses]: [number[], number[]] = [[], []]
  const running = (async () => {
    while (!stopped.signal.aborted) {
      const start = performance.now()
      const answer = await fetch(`${url}/.well-known/jwks.json`)
      await answer.arrayBuffer()
      times.push(performance.now() - start)
      statuses.push(answer.status)
      await wait(10)
    }
  })()
  return {
    times,
    statuses,
    stop() {
      stopped.abort()
      return running
    },
  }
}

function residentMiB({ pid }: LatchkeyProcess): number {
  return (
    Number(
      /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1],
    ) / 1024
  )
}
