// npm run bench:admin: whether calls of the management listener slow refreshes. Refreshes come at a fixed
// rate, in windows with 25 requests a second of SCIM (or of /admin/v1) and without any, in turn. Where the
// machine's noise is larger than what is sought, it says that nothing is resolved.
import { readFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import { sha256Line } from '../test/support/server.ts'
import { startRedis } from '../test/support/redis.ts'
import { CLIENT, CLIENTS, PASSWORD, USER } from './parties.ts'
import type { AdminJob } from './admin-calls.ts'
import { head } from './machine.ts'
import { startWorker } from './child.ts'
import { startLatchkey } from './processes.ts'
import { type Pair, printTable, quantileRatio } from './report.ts'
import { numbersOf } from './trial.ts'
import { goalText, quantile, span } from './verdict.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    seconds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '500' },
    admin: { type: 'string', default: '25' },
    calls: { type: 'string', default: 'scim' },
    accounts: { type: 'string', default: '1000' },
  },
})
const { rounds, seconds, rate, admin, accounts } = numbersOf(values, [
  'rounds',
  'seconds',
  'rate',
  'admin',
  'accounts',
])

const calls = values.calls === 'admin' ? 'admin' : 'scim'

const SESSIONS = 64
/** So many tell what one costs. */
const CALLS = 300
const MOST_RATIO = 1.2
const SECRET = 'the-secret-of-the-bench-Vb7-2kQ9xLm'
const hashing = { memoryKiB: 64, passes: 1, parallelism: 1, concurrency: 1 }

const ADMIN = {
  id: 'ops',
  secrets: [sha256Line(SECRET)],
  grants: ['client_credentials'],
  scopes: ['admin', 'scim'],
}

// A busy machine may keep the store from answering in time; every client of ours may repeat then.
const ATTEMPTS = 5

async function post(
  server: Pool,
  form: Record<string, string>,
  left = ATTEMPTS,
): Promise<any> {
  const { statusCode, body } = await server.request({
    path: '/token',
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  })
  if (statusCode === 200) return body.json()
  if (statusCode === 503 && left > 1) return post(server, form, left - 1)
  throw new Error(`/token: ${statusCode} ${await body.text()}`)
}

/** Calls something at the rate until the seconds are over; resolves when the last call has ended. */
async function atRate(call: (due: number) => Promise<void>) {
  const running: Array<Promise<void>> = []
  const start = performance.now()
  for (let count = 0; count < rate * seconds; count++) {
    const due = start + (count * 1000) / rate
    const early = due - performance.now()
    if (early > 0) await wait(early)
    running.push(call(due))
  }
  await Promise.all(running)
}

interface Callers {
  /** Milliseconds from when it was due to its answer, of each refresh. */
  refreshes(): Promise<number[]>
  /** What the other process is to do. */
  readonly job: Omit<AdminJob, 'count'>
}

async function callersOf(token: Pool, managementUrl: string): Promise<Callers> {
  const { access_token: bearer } = await post(token, {
    grant_type: 'client_credentials',
    client_id: ADMIN.id,
    client_secret: SECRET,
  })
  const headers = { authorization: `Bearer ${bearer}` }
  const found = await fetch(`${managementUrl}/admin/v1/events?name=${USER}`, { headers })
  const { account }: any = await found.json()
  const login = { grant_type: 'password', client_id: CLIENT, username: USER }
  const free: string[] = []
  for (let count = 0; count < SESSIONS; count++) {
    free.push((await post(token, { ...login, password: PASSWORD })).refresh_token)
  }
  return {
    async refreshes() {
      const times: number[] = []
      await atRate(async due => {
        while (free.length === 0) await wait(1)
        const form = { grant_type: 'refresh_token', client_id: CLIENT }
        const held = String(free.shift())
        free.push((await post(token, { ...form, refresh_token: held })).refresh_token)
        times.push(performance.now() - due)
      })
      return times
    },
    job: { base: managementUrl, bearer, sub: account.sub, calls },
  }
}

/** So many accounts, as a page of them would be short otherwise. */
async function fill(base: string, bearer: string): Promise<void> {
  for (let each = 0; each < accounts; each++) await add(each, { base, bearer })
}

async function add(
  each: number,
  { base, bearer }: Pick<AdminJob, 'base' | 'bearer'>,
  left = ATTEMPTS,
): Promise<void> {
  const answer = await fetch(`${base}/scim/v2/Users`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bearer}`,
      'content-type': 'application/scim+json',
    },
    body: JSON.stringify({
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
      userName: `user-${each}`,
      displayName: `User ${each}`,
      emails: [{ value: `user-${each}@example.com` }],
    }),
  })
  const text = await answer.text()
  if (answer.status === 503 && left > 1) return add(each, { base, bearer }, left - 1)
  // One whose answer was lost is there.
  if (![201, 409].includes(answer.status)) {
    throw new Error(`/Users: ${answer.status} ${text}`)
  }
}

/** One store: pairs of windows, every second one the other way round. */
async function measure(name: string, storeUrl: string): Promise<string[]> {
  await using parts = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const { url, cpu } = await startLatchkey(
    parts,
    dir,
    storeUrl || `sqlite:${dir}/a.db`,
    hashing,
    {
      config: {
        clients: [...CLIENTS, ADMIN],
        attributes: { name: {}, email: { type: 'email', unique: true } },
        scim: { perClient: { max: 1_000_000 } },
      },
    },
  )
  const config = JSON.parse(await readFile(join(dir, 'latchkey.yaml'), 'utf8'))
  const management = `http://127.0.0.1:${config.management.port}`
  // `fetch` keeps a processor so busy that its caller, and not the server, would be late.
  const server = new Pool(url, { connections: SESSIONS })
  parts.defer(() => server.close())
  const { refreshes, job } = await callersOf(server, management)
  await fill(management, job.bearer)
  const ask = startWorker<AdminJob, number>(parts, 'admin-calls.ts')
  const window = { ...job, count: admin * seconds, perSecond: admin }
  const beside = async () => (await Promise.all([refreshes(), ask(window)]))[0]
  await beside()
  const before = await cpu()
  await ask({ ...job, count: CALLS })
  const cost = ((await cpu()) - before) / CALLS
  const pairs: Pair[] = []
  for (let round = 0; round < rounds; round++) {
    const [first, second] = round % 2 === 0 ? [refreshes, beside] : [beside, refreshes]
    const [one, other] = [await first(), await second()]
    pairs.push(
      round % 2 === 0 ? { without: one, beside: other } : { without: other, beside: one },
    )
  }
  const quiet = pairs.flatMap(({ without }) => without)
  const busy = pairs.flatMap(each => each.beside)
  const ms = (times: readonly number[], share: number) =>
    quantile(times, share).toFixed(1)
  const ratio = quantileRatio(pairs, 0.99)
  return [
    name,
    ms(quiet, 0.5),
    ms(busy, 0.5),
    ms(quiet, 0.99),
    ms(busy, 0.99),
    ratio.value.toFixed(2),
    span(ratio),
    goalText(ratio, 1, { atMost: MOST_RATIO }),
    `${cost.toFixed(0)} µs`,
  ]
}

const redis = await startRedis()
const table = [
  [
    'store',
    'p50',
    'p50 beside',
    'p99',
    'p99 beside',
    'ratio of p99',
    'within (95 %)',
    'goal',
    'CPU of a call',
  ],
]
try {
  table.push(await measure('Redis', redis.url))
  table.push(await measure('SQLite', ''))
} finally {
  await redis.stop()
}
console.log(
  `${rate} refreshes and ${admin} calls of ${calls} a second, in pairs of windows; milliseconds\n` +
    head({ rounds, seconds, accounts }),
)
printTable(table)
