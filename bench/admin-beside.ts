// npm run bench:admin: whether calls of the management listener slow refreshes. Refreshes come at a fixed
// rate, in windows with 25 requests a second of SCIM (or of /admin/v1) and without any, in turn. Where the
// machine's noise is larger than what is sought, it says that nothing is resolved.
import { readFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { sha256Line } from '../test/support/server.ts'
import { CLIENTS, USER } from './parties.ts'
import type { AdminJob } from './admin-calls.ts'
import { head } from './machine.ts'
import { startWorker } from './child.ts'
import { startLatchkey, startStore, type StoreKind } from './processes.ts'
import type { RefreshJob } from './refreshes.ts'
import { type Pair, printTable, quantileRatio, typicalRatio } from './report.ts'
import { inChangingOrder, inTurn, numbersOf } from './trial.ts'
import { goalText, noiseOf, quantile, span } from './verdict.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    seconds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '500' },
    admin: { type: 'string', default: '25' },
    calls: { type: 'string', default: 'scim' },
    accounts: { type: 'string', default: '1000' },
    // redis or sqlite alone.
    store: { type: 'string' },
    // The place of a kind of call in admin-calls.ts: this kind alone.
    only: { type: 'string' },
    // Other checkouts, in turn with this one.
    beside: { type: 'string', multiple: true, default: [] },
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
const only = values.only === undefined ? undefined : Number(values.only)
const what = only === undefined ? calls : `${calls}, kind ${only} alone,`
const STORES = (['redis', 'sqlite'] as const).filter(
  store => values.store === undefined || values.store === store,
)

/** A small young generation: a collection takes a fraction of a millisecond. */
const SMALL_HEAP = { execArgv: ['--max-semi-space-size=1'] }
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

/** What the other process is to do. */
async function jobOf(url: string, base: string): Promise<Omit<AdminJob, 'count'>> {
  const answer = await fetch(`${url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: ADMIN.id,
      client_secret: SECRET,
    }),
  })
  const { access_token: bearer }: any = await answer.json()
  const headers = { authorization: `Bearer ${bearer}` }
  const found = await fetch(`${base}/admin/v1/events?name=${USER}`, { headers })
  const { account }: any = await found.json()
  return { base, bearer, sub: account.sub, calls }
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

/** Three windows: without calls, with calls, and without any once more, which says what chance does. */
interface Round extends Pair {
  readonly again: readonly number[]
}

/** A server, and what is sent to it. */
interface Subject {
  readonly name: string
  readonly rounds: Round[]
  /** Microseconds of a call. */
  readonly cost: number
  refreshes(): Promise<number[]>
  /** The same, with calls meanwhile. */
  beside(): Promise<number[]>
}

async function open(
  parts: AsyncDisposableStack,
  { store, root }: { readonly store: StoreKind; readonly root: string | undefined },
): Promise<Subject> {
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const storeUrl =
    store === 'redis' ? (await startStore(parts)).url : `sqlite:${dir}/a.db`
  const { url, cpu } = await startLatchkey(parts, dir, storeUrl, hashing, {
    ...(root !== undefined && { root: resolve(root) }),
    config: {
      clients: [...CLIENTS, ADMIN],
      attributes: { name: {}, email: { type: 'email', unique: true } },
      scim: { perClient: { max: 1_000_000 } },
    },
  })
  const config = JSON.parse(await readFile(join(dir, 'latchkey.yaml'), 'utf8'))
  const management = `http://127.0.0.1:${config.management.port}`
  const job = await jobOf(url, management)
  await fill(management, job.bearer)
  const ask = startWorker<AdminJob, number>(parts, 'admin-calls.ts')
  const refresh = startWorker<RefreshJob, number[]>(parts, 'refreshes.ts', SMALL_HEAP)
  const window = { ...job, count: admin * seconds, perSecond: admin, only }
  const refreshes = () => refresh({ base: url, seconds, perSecond: rate })
  const beside = async () => (await Promise.all([refreshes(), ask(window)]))[0]
  await beside()
  const before = await cpu()
  await ask({ ...job, count: CALLS, only })
  const cost = ((await cpu()) - before) / CALLS
  const name = root === undefined ? store : `${store}, ${basename(resolve(root))}`
  return { name, rounds: [], cost, refreshes, beside }
}

/** The three windows, in an order that changes. */
async function measure(subject: Subject, round: number): Promise<void> {
  const { refreshes, beside } = subject
  const [without = [], busy = [], again = []] = await inChangingOrder(
    [refreshes, beside, refreshes],
    round,
    window => window(),
  )
  subject.rounds.push({ without, beside: busy, again })
}

function rowOf({ name, rounds: measured, cost }: Subject): string[] {
  const quiet = measured.flatMap(({ without }) => without)
  const busy = measured.flatMap(each => each.beside)
  const ms = (times: readonly number[], share: number) =>
    quantile(times, share).toFixed(2)
  const chance = measured.map(({ without, again }) => ({ without, beside: again }))
  const judged = [quantileRatio, typicalRatio].flatMap(ratioOf => {
    const [ratio, itself] = [ratioOf(measured, 0.99), ratioOf(chance, 0.99)]
    return [
      ratio.value.toFixed(2),
      span(ratio),
      span(itself),
      goalText(ratio, noiseOf(itself), { atMost: MOST_RATIO }),
    ]
  })
  return [
    name,
    ms(quiet, 0.5),
    ms(busy, 0.5),
    ms(quiet, 0.99),
    ms(busy, 0.99),
    ...judged,
    `${cost.toFixed(0)} µs`,
  ]
}

const JUDGED = ['within (95 %)', 'itself', 'goal']
const HEAD = [
  'server',
  'p50',
  'p50 beside',
  'p99',
  'p99 beside',
  'ratio of p99',
  ...JUDGED,
  'of the median window',
  ...JUDGED,
  'CPU of a call',
]

for (const store of STORES) {
  await using parts = new AsyncDisposableStack()
  const subjects = await inTurn([...values.beside, undefined], root =>
    open(parts, { store, root }),
  )
  for (let round = 0; round < rounds; round++) {
    await inChangingOrder(subjects, round, subject => measure(subject, round))
  }
  console.log(
    `${rate} refreshes and ${admin} calls of ${what} a second, in windows with calls and without; ` +
      'milliseconds\n' +
      head({ rounds, seconds, accounts }),
  )
  printTable([HEAD, ...subjects.map(rowOf)])
}
