// Each directory elsewhere refused, slow and half open, under load: its users' logins have no answer then,
// and nothing else may show it. Another server beside it, whose directory is well, has the same load: what is
// slow there, too, is the machine.
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { openStore } from '../../src/stores/open.ts'
import { createBuiltInDirectory } from '../../src/users/directory/built-in.ts'
import { PASSWORD, type LatchkeyProcess } from '../support/server.ts'
import { NO_ATTRIBUTES } from '../support/stores.ts'
import { PATIENT } from '../support/until.ts'
import { keepAsking } from './support/asking.ts'
import { DIRECTORIES, USERS } from './support/directories.ts'
import { type FaultProxy, startProxy } from './support/fault-proxy.ts'
import { FULL, figure, percentile, tally } from './support/figures.ts'
import { type Answer, fallen, logIn, msUntil, startServers } from './support/load.ts'
import { startNode } from './support/redis-node.ts'

const FAULT_MS = FULL ? 60_000 : 5_000
const CALM_MS = 3_000
/** As configured by default; a login is answered by then. */
const TIMEOUT_MS = 2_000
/** So long after its deadline a login may be answered on a busy machine; one that hangs isn't by then. */
const LATE_MS = 3_000
/** What waited for a directory would wait for as long as that. A busy machine alone makes nobody wait so. */
const COUPLED_MS = TIMEOUT_MS / 2

const FAULTS: ReadonlyArray<{
  readonly name: string
  readonly begin: (proxy: FaultProxy) => unknown
  readonly end: (proxy: FaultProxy) => unknown
}> = [
  {
    name: 'refused',
    begin: proxy => proxy.refuse(),
    end: proxy => proxy.accept(),
  },
  {
    name: 'slow (5 s late)',
    begin: proxy => Object.assign(proxy, { delayMs: 5_000 }),
    end: proxy => Object.assign(proxy, { delayMs: 0 }),
  },
  {
    name: 'half open',
    begin: proxy => Object.assign(proxy, { silent: true }),
    end: proxy => Object.assign(proxy, { silent: false }),
  },
]

for (const [name, open] of DIRECTORIES) {
  t.test(name, async t => {
    const redis = await startNode(t)
    const { port, settings } = await open(t)
    const proxy = await startProxy(port)
    t.teardown(() => proxy.close())
    const [faulty, well] = await Promise.all([
      startAsking(t, redis.url, settings(proxy.port)),
      startAsking(t, redis.url, settings(port)),
    ])
    for (const fault of FAULTS) {
      await t.test(fault.name, async t => {
        const loads = [keepBusy(faulty), keepBusy(well)] as const
        const { names, logins } = loads[0]
        await msUntil(() => logins.some(isIn))
        await wait(CALM_MS)
        const before = await accountsOf(redis.url)
        await fault.begin(proxy)
        const from = performance.now()
        // They are counted nowhere: nobody can say that they are wrong. Each fault has a name of its own: one
        // that was on its way when the last fault ended was found unknown, and isn't asked about again.
        names.push(`nobody-${fault.name.replace(/\W/g, '')}`)
        await wait(FAULT_MS)
        const to = performance.now()
        names.pop()
        const after = await accountsOf(redis.url)
        await fault.end(proxy)
        const endedAt = performance.now()
        const recovery = await msUntil(() =>
          logins.some(answer => isIn(answer) && answer.at > endedAt),
        )
        await Promise.all(loads.map(each => each.stop()))

        const latencies = ['/token', '/introspect'].map(path => {
          const [within, beside] = [faulty, well].map(({ fleet }) =>
            percentile(
              fleet.answers
                .filter(
                  answer => answer.path === path && answer.at > from && answer.at <= to,
                )
                .map(({ ms }) => ms),
              99,
            ),
          )
          return { path, within: Number(within), beside: Number(beside) }
        })
        // What was asked before the fault began may have its answer still.
        const refused = logins.filter(({ at, ms }) => at - ms > from && at <= to)
        const slowest = Math.max(...refused.map(({ ms }) => ms))
        const { fleet } = faulty
        const loggedOut = fleet.sessions.filter(each => each.loggedOut !== undefined)
        const verdicts = fleet.answers.filter(
          ({ error, active }) => error === 'invalid_grant' || active === false,
        )
        figure(t, {
          fault: `directory (${name}) ${fault.name} for ${FAULT_MS / 1000} s, under load`,
          figure: [
            `logins ${tally(refused.map(({ status }) => status))}, slowest ${slowest.toFixed(0)} ms`,
            ...latencies.map(
              ({ path, within, beside }) =>
                `${path} p99 ${within.toFixed(1)} ms (${(within / beside).toFixed(2)} of the other server's)`,
            ),
            `${changes(before, after)} accounts changed`,
            `${loggedOut.length} logged out`,
            `recovery ${recovery.toFixed(0)} ms`,
          ].join('; '),
          mustShow:
            'all 503 with Retry-After; p99 of refresh and introspection at most 1.2 times the ' +
            "other server's on a quiet machine, and far below `timeout` on a busy one; " +
            '0 accounts changed; 0 logged out; recovery < 3 s',
          holds:
            refused.length > 0 &&
            refused.every(isUnavailable) &&
            slowest < TIMEOUT_MS + LATE_MS &&
            latencies.every(({ within }) => within < COUPLED_MS) &&
            before.size === USERS.length &&
            changes(before, after) === 0 &&
            loggedOut.length === 0 &&
            verdicts.length === 0 &&
            recovery < 3_000,
        })
        t.same(fallen([faulty.server]), [])
      })
    }
  })
}

/** Starts a server that asks a directory, with sessions of its users. */
async function startAsking(t: Test, storeUrl: string, settings: object) {
  const [server] = await startServers(t, 1, {
    storeUrl,
    config: {
      log: { level: 'warn' },
      // A look beside nearly every refresh: none of them may end anything.
      directory: { recheck: '1s' },
      directories: [{ name: 'old', timeout: `${TIMEOUT_MS}ms`, ...settings }],
    },
  })
  return { server, fleet: await logIn([server], [...USERS, ...USERS]) }
}

/** Refreshes, introspects and logs in until it is told to stop. */
function keepBusy({ server, fleet }: Awaited<ReturnType<typeof startAsking>>) {
  const access = fleet.sessions.map(({ accessToken }) => accessToken)
  const logins = keepLoggingIn(server)
  const all = [
    fleet.keepRefreshing({ pauseMs: 40 }),
    keepAsking(fleet, access, () => ''),
    logins,
  ]
  return {
    names: logins.names,
    logins: logins.answers,
    async stop() {
      await Promise.all(all.map(each => each.stop()))
    },
  }
}

type Login = Pick<Answer, 'status' | 'retryAfter' | 'ms' | 'at'>

const isIn = ({ status }: Login) => status === 200

const isUnavailable = ({ status, retryAfter }: Login) =>
  status === 503 && /^[1-9]\d*$/.test(retryAfter ?? '')

/** Logs in again and again, a few at once, whatever it is told. */
function keepLoggingIn({ url }: LatchkeyProcess) {
  const stopped = new AbortController()
  const answers: Login[] = []
  const names = [...USERS]
  const repeat = async (turn: number) => {
    for (let time = turn; !stopped.signal.aborted; time++) {
      const startedAt = performance.now()
      const { statusCode, headers, body } = await request(`${url}/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: 'password',
          client_id: 'mobile',
          username: String(names[time % names.length]),
          password: PASSWORD,
        }).toString(),
      })
      await body.dump()
      const at = performance.now()
      const retryAfter = headers['retry-after']
      answers.push({
        status: statusCode,
        retryAfter: retryAfter === undefined ? null : String(retryAfter),
        ms: at - startedAt,
        at,
      })
      await wait(150)
    }
  }
  const running = [0, 1, 2].map(repeat)
  return {
    answers,
    names,
    async stop() {
      stopped.abort()
      await Promise.all(running)
    },
  }
}

/** Every account as it is stored, by its subject. */
async function accountsOf(storeUrl: string): Promise<ReadonlyMap<string, string>> {
  const { store } = await openStore({ ...PATIENT, url: storeUrl, clock: Date.now })
  try {
    const accounts = new Map<string, string>()
    const directory = createBuiltInDirectory({ ...store, ...NO_ATTRIBUTES })
    for await (const account of directory.all()) {
      accounts.set(account.sub, JSON.stringify(account))
    }
    return accounts
  } finally {
    await store.close()
  }
}

function changes(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): number {
  const subs = new Set([...before.keys(), ...after.keys()])
  return [...subs].filter(sub => before.get(sub) !== after.get(sub)).length
}
