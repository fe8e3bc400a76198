// Redis away in every way there is, under load: what each endpoint answers meanwhile, what it costs, and how soon all is well again.
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { LatchkeyProcess } from '../support/server.ts'
import { type FaultProxy, startProxy } from './support/fault-proxy.ts'
import { FULL, figure, percentile, tally } from './support/figures.ts'
import { type Answer, addUsers, fallen, type Fleet, logIn, msUntil, startServers } from './support/load.ts'
import { type RedisNode, startNode } from './support/redis-node.ts'

const OUTAGE_MS = FULL ? 60_000 : 8000
/** What was under way when the fault came is answered by the deadline of a call. */
const MOMENT_MS = 1000

interface Scene { readonly redis: RedisNode, readonly proxy: FaultProxy }

interface Outage {
  readonly name: string
  readonly forMs?: number
  readonly begin: (scene: Scene) => Promise<void> | void
  readonly end: (scene: Scene) => Promise<void> | void
  /** What goes on: introspection, where only writes are refused. */
  readonly reads?: boolean
}

const OUTAGES: readonly Outage[] = [
  { name: 'stopped (SIGSTOP)', begin: ({ redis }) => redis.signal('SIGSTOP'), end: ({ redis }) => redis.signal('SIGCONT') },
  { name: 'refused', begin: ({ proxy }) => proxy.refuse(), end: ({ proxy }) => proxy.accept() },
  { name: 'half open', begin: ({ proxy }) => { proxy.silent = true }, end: ({ proxy }) => { proxy.silent = false } },
  { name: '1 s late', forMs: 8000, begin: ({ proxy }) => { proxy.delayMs = 1000 }, end: ({ proxy }) => { proxy.delayMs = 0 } },
  {
    name: 'full (maxmemory, noeviction)',
    forMs: 8000,
    reads: true,
    begin: async ({ redis }) => { await redis.admin.config('SET', 'maxmemory', '1') },
    end: async ({ redis }) => { await redis.admin.config('SET', 'maxmemory', '0') },
  },
]

for (const outage of OUTAGES) t.test(`Redis ${outage.name}`, t => live(t, outage))

async function live (t: Test, { name, forMs = OUTAGE_MS, begin, end, reads = false }: Outage): Promise<void> {
  const redis = await startNode(t)
  const proxy = await startProxy(redis.port)
  t.teardown(() => proxy.close())
  const servers = await startServers(t, 1, { storeUrl: `redis://127.0.0.1:${proxy.port}/0` })
  const [server] = servers
  await addUsers(redis.url, 4)
  const fleet = await logIn(servers, Array.from({ length: 8 }, (_, user) => `user-${user % 4}`))
  const access = fleet.sessions.map(({ accessToken }) => accessToken)
  const doomed = await logIn(servers, Array.from({ length: 4 }, (_, user) => `user-${user}`))

  const load = fleet.keepRefreshing({ pauseMs: 40 })
  const others = keepAsking(fleet, access, () => doomed.sessions[0]?.refreshToken ?? '')
  const jwks = keepFetching(server)
  await wait(2000)
  const before = residentMiB(server)
  const [healthy, calm] = [fleet.answers.length, jwks.times.splice(0)]
  await begin({ redis, proxy })
  const startedAt = performance.now()
  await wait(forMs)
  const peak = residentMiB(server)
  const endedAt = performance.now()
  const during = fleet.answers.slice(healthy).filter(({ at }) => at > startedAt + MOMENT_MS)
  await end({ redis, proxy })
  const recovery = await msUntil(() => ['/token', '/introspect', '/revoke'].every(path => fleet.answers.some(answer => answer.path === path && answer.status === 200 && answer.at > endedAt)))
  await wait(500)
  await Promise.all([load.stop(), others.stop(), jwks.stop()])

  const answers = fleet.answers.slice(healthy).filter(({ at }) => at > startedAt && at <= endedAt)
  const judged = reads ? during.filter(({ path }) => path !== '/introspect') : during
  const slowest = Math.max(...answers.map(({ ms }) => ms))
  const verdicts = fleet.answers.filter(({ error, active }) => error === 'invalid_grant' || active === false)
  // A machine that is busy with something else is slow with and without a fault: the full form is for a quiet one.
  const [calmP99, jwksP99] = [percentile(calm, 99), percentile(jwks.times, 99)]
  const memory = Math.max(0, peak - before)
  figure(t, {
    fault: `Redis ${name} for ${forMs / 1000} s`,
    figure: [
      byPath(during), `slowest ${slowest.toFixed(0)} ms`, `${verdicts.length} verdicts`,
      `JWKS ${tally(jwks.statuses)}, p99 ${jwksP99.toFixed(0)} ms (${calmP99.toFixed(0)} before the fault)`, `memory +${memory.toFixed(0)} MiB`, `recovery ${recovery.toFixed(0)} ms`,
    ].join('; '),
    mustShow: `within 1 s, all 503 with Retry-After${reads ? ' but reads' : ''}, 0 invalid_grant, 0 active:false; JWKS 200, p99 < 50 ms; < 32 MiB; recovery < 3 s`,
    holds: judged.length > 0 && judged.every(isUnavailable) && slowest < 1000 && verdicts.length === 0 && jwks.statuses.every(status => status === 200) &&
      jwks.times.length > 0 && jwksP99 < (FULL ? 50 : Math.max(50, 2 * calmP99)) && memory < 32 && recovery < 3000,
  })
  for (const path of ['/token', '/introspect', '/revoke']) t.ok(during.some(answer => answer.path === path), `${path} was asked`)
  if (reads) t.ok(during.filter(({ path }) => path === '/introspect').every(({ active }) => active === true), 'what is read goes on')
  t.ok(fleet.sessions.every(({ loggedOut }) => loggedOut === undefined), 'nobody is logged out')
  t.same(fallen(servers), [])
}

const isUnavailable = ({ status, error, retryAfter }: Answer) => status === 503 && error === 'temporarily_unavailable' && /^[1-9]\d*$/.test(retryAfter ?? '')

const byPath = (answers: readonly Answer[]) => [...Map.groupBy(answers, ({ path }) => path)].map(([path, group]) => `${path} ${tally(group.map(({ status }) => status))}`).join(', ')

/** Introspects and revokes again and again; the same refresh token may be revoked as often as one likes. */
function keepAsking ({ introspect, revoke }: Fleet, tokens: readonly string[], doomed: () => string) {
  const stopped = new AbortController()
  const repeat = async (ask: () => Promise<unknown>) => {
    while (!stopped.signal.aborted) {
      await ask()
      await wait(40)
    }
  }
  const running = [...tokens.map(token => repeat(() => introspect(token))), repeat(() => revoke(doomed()))]
  return {
    async stop () {
      stopped.abort()
      await Promise.all(running)
    },
  }
}

function keepFetching ({ url }: LatchkeyProcess) {
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
    stop () {
      stopped.abort()
      return running
    },
  }
}

function residentMiB ({ pid }: LatchkeyProcess): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
