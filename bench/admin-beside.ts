// npm run bench:admin: whether calls of the management listener slow refreshes. Refreshes come at a fixed
// rate, in windows with 25 requests a second of SCIM (or of /admin/v1) and without any, in turn. Where the
// machine's noise is larger than what is sought, it says that nothing is resolved.
import { readFile, mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { sha256Line } from '../test/support/server.ts'
import { startRedis } from '../test/support/redis.ts'
import { CLIENT, CLIENTS, PASSWORD, USER } from './parties.ts'
import { startLatchkey } from './processes.ts'
import { median, medianWithin, printTable, quantile } from './report.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '500' },
    admin: { type: 'string', default: '25' },
    calls: { type: 'string', default: 'scim' },
  },
})
const [rounds, seconds, rate, admin] = [
  values.rounds,
  values.seconds,
  values.rate,
  values.admin,
].map(Number) as [number, number, number, number]

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

/** What is asked of the management listener, in turn: a path, and what a PATCH of it says. */
type Asked = readonly [path: string, patch?: (turn: number) => object]

const OPERATIONS = {
  scim: [
    ['/scim/v2/Users?count=100'],
    [`/scim/v2/Users?filter=${encodeURIComponent(`userName eq "${USER}"`)}`],
    ['/scim/v2/Users/SUB'],
    ['/scim/v2/Users/SUB', turn => ({ path: 'displayName', value: `Alice ${turn}` })],
    ['/scim/v2/Groups'],
  ],
  admin: [
    ['/admin/v1/accounts/SUB/sessions'],
    ['/admin/v1/accounts/SUB/events'],
    [`/admin/v1/events?name=${USER}`],
    ['/admin/v1/keys'],
    ['/admin/v1/clients'],
  ],
} satisfies Record<string, readonly Asked[]>

const ASKED: readonly Asked[] =
  values.calls === 'admin' ? OPERATIONS.admin : OPERATIONS.scim

// A busy machine may keep the store from answering in time; every client of ours may repeat then.
const ATTEMPTS = 5

async function post(
  url: string,
  form: Record<string, string>,
  left = ATTEMPTS,
): Promise<any> {
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form) })
  if (answer.ok) return answer.json()
  if (answer.status === 503 && left > 1) return post(url, form, left - 1)
  throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
}

/** Calls something at a rate until the seconds are over; resolves when the last call has ended. */
async function atRate(perSecond: number, call: (due: number) => Promise<void>) {
  const calls: Array<Promise<void>> = []
  const start = performance.now()
  for (let count = 0; count < perSecond * seconds; count++) {
    const due = start + (count * 1000) / perSecond
    if (due > performance.now()) await wait(due - performance.now())
    calls.push(call(due))
  }
  await Promise.all(calls)
}

interface Callers {
  /** Milliseconds from when it was due to its answer, of each refresh. */
  refreshes(): Promise<number[]>
  adminCalls(): Promise<void>
  /** As many of them, one after the other. */
  adminCall(count: number): Promise<void>
}

async function callersOf(url: string, managementUrl: string): Promise<Callers> {
  const token = `${url}/token`
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
  let turn = 0
  async function askOne(left = ATTEMPTS): Promise<void> {
    turn += 1
    const [asked = '', patch] = ASKED[turn % ASKED.length] ?? []
    const path = asked.replace('SUB', account.sub)
    const answer = await fetch(`${managementUrl}${path}`, {
      headers: { ...headers, 'content-type': 'application/scim+json' },
      ...(patch !== undefined && {
        method: 'PATCH',
        body: JSON.stringify({
          schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
          Operations: [{ op: 'replace', ...patch(turn) }],
        }),
      }),
    })
    await answer.arrayBuffer()
    if (answer.status === 503 && left > 1) await askOne(left - 1)
    else if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
  }
  return {
    async refreshes() {
      const times: number[] = []
      await atRate(rate, async due => {
        while (free.length === 0) await wait(1)
        const form = { grant_type: 'refresh_token', client_id: CLIENT }
        const held = String(free.shift())
        free.push((await post(token, { ...form, refresh_token: held })).refresh_token)
        times.push(performance.now() - due)
      })
      return times
    },
    adminCalls: () => atRate(admin, () => askOne()),
    async adminCall(count) {
      while (count-- > 0) await askOne()
    },
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
        attributes: { name: {} },
        scim: { perClient: { max: 1_000_000 } },
      },
    },
  )
  const config = JSON.parse(await readFile(join(dir, 'latchkey.yaml'), 'utf8'))
  const management = `http://127.0.0.1:${config.management.port}`
  const { refreshes, adminCalls, adminCall } = await callersOf(url, management)
  const beside = async () => (await Promise.all([refreshes(), adminCalls()]))[0]
  await beside()
  const before = await cpu()
  await adminCall(CALLS)
  const cost = ((await cpu()) - before) / CALLS
  const [quiet, busy, ratios]: [number[], number[], number[]] = [[], [], []]
  for (let round = 0; round < rounds; round++) {
    const [first, second] = round % 2 === 0 ? [refreshes, beside] : [beside, refreshes]
    const [one, other] = [await first(), await second()]
    const [without, together] = round % 2 === 0 ? [one, other] : [other, one]
    quiet.push(...without)
    busy.push(...together)
    ratios.push(quantile(together, 0.99) / quantile(without, 0.99))
  }
  const ms = (times: readonly number[], share: number) =>
    quantile(times, share).toFixed(1)
  const [low, high] = medianWithin(ratios)
  return [
    name,
    ms(quiet, 0.5),
    ms(busy, 0.5),
    ms(quiet, 0.99),
    ms(busy, 0.99),
    median(ratios).toFixed(2),
    `${low.toFixed(2)} to ${high.toFixed(2)}`,
    verdict(low, high),
    `${cost.toFixed(0)} µs`,
  ]
}

function verdict(low: number, high: number): string {
  if (high <= MOST_RATIO) return 'met'
  return low > MOST_RATIO ? 'MISSED' : 'not resolved'
}

const redis = await startRedis()
const table = [
  [
    'store',
    'p50',
    'p50 beside',
    'p99',
    'p99 beside',
    'median of p99 ratios',
    'within (95 %)',
    `at most ${MOST_RATIO}`,
    'CPU of a call',
  ],
]
try {
  table.push(await measure('Redis', redis.url))
  table.push(await measure('SQLite', ''))
} finally {
  await redis.stop()
}
const load = loadavg().map(each => each.toFixed(1))
console.log(
  `${rate} refreshes and ${admin} calls of ${values.calls} a second, ${rounds} pairs of windows of ` +
    `${seconds} s; milliseconds; load ${load.join(' ')} on ${cpus().length} cores`,
)
printTable(table)
