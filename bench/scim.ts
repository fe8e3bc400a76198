// npm run bench:scim [COUNT] [redis|sqlite]: 1,000 users added by SCIM, one after the other and eight at
// once, and a walk over COUNT accounts (100,000) by pages of 200, by cursor, as a client of another system
// makes it.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../src/stores/open.ts'
import { sha256Line } from '../test/support/server.ts'
import { startRedis } from '../test/support/redis.ts'
import { someAccount } from '../test/support/stores.ts'
import { CLIENTS } from './parties.ts'
import { startLatchkey } from './processes.ts'
import { printTable } from './report.ts'
import { median, quantile } from './verdict.ts'

const COUNT = Number(process.argv[2] ?? 100_000)
const ONLY = process.argv[3]
const CREATES = 1_000
const AT_ONCE = 8
const PAGE = 200
/** Accounts that are added to the store at once; a busy machine answers no thousand in time. */
const BATCH = 100
const TOKEN = `lks_${'b'.repeat(43)}`
const USER = 'urn:ietf:params:scim:schemas:core:2.0:User'
const hashing = { memoryKiB: 64, passes: 1, parallelism: 1, concurrency: 1 }

const CONFIG = {
  clients: CLIENTS,
  attributes: { email: { unique: true }, given_name: {}, family_name: {} },
  scim: {
    perClient: { max: 1_000_000 },
    tokens: [{ name: 'bench', hashes: [sha256Line(TOKEN)] }],
  },
}

interface Answer {
  readonly status: number
  readonly body: { readonly Resources?: readonly unknown[]; readonly nextCursor?: string }
  readonly ms: number
}

type Ask = (method: string, path: string, body?: object) => Promise<Answer>

function askerOf(base: string): Ask {
  return async (method, path, body) => {
    const at = performance.now()
    const answer = await fetch(`${base}/scim/v2${path}`, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/scim+json',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const told: Answer['body'] = JSON.parse(await answer.text())
    return { status: answer.status, body: told, ms: performance.now() - at }
  }
}

/** Adds users; gives how long each waited, in milliseconds. */
async function create(ask: Ask, from: number, atOnce: number): Promise<number[]> {
  const waits: number[] = []
  let next = from
  async function work(): Promise<void> {
    while (next < from + CREATES) {
      const userName = `created-${String(next++).padStart(6, '0')}`
      const { status, ms } = await ask('POST', '/Users', {
        schemas: [USER],
        userName,
        name: { givenName: 'Ann', familyName: 'Example' },
        emails: [{ value: `${userName}@example.com`, primary: true }],
      })
      if (status !== 201) throw new Error(`${userName}: ${status}`)
      waits.push(ms)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return waits
}

async function fill(url: string, count: number): Promise<void> {
  const { store } = await openStore({ url, clock: Date.now, deadlineMs: 30_000 })
  try {
    for (let from = 0; from < count; from += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, at) => {
        const name = `somebody-${String(from + at).padStart(8, '0')}`
        const email = `${name}@example.com`
        return someAccount(name, {
          name,
          foldedName: name,
          attributes: { email },
          uniqueValues: [{ attribute: 'email', value: email }],
        })
      })
      await store.directory.addAll(batch)
    }
  } finally {
    await store.close()
  }
}

/** Walks over all; gives how long each page took, and how many were met. */
async function walk(ask: Ask): Promise<{ waits: number[]; met: number }> {
  const waits: number[] = []
  let [cursor, met] = ['', 0]
  do {
    const path = `/Users?count=${PAGE}&cursor=${encodeURIComponent(cursor)}`
    const { status, body, ms } = await ask('GET', path)
    if (status !== 200) throw new Error(`a page: ${status}`)
    waits.push(ms)
    met += body.Resources?.length ?? 0
    cursor = body.nextCursor ?? ''
  } while (cursor !== '')
  return { waits, met }
}

function row(what: string, waits: readonly number[], totalMs: number): string[] {
  return [
    what,
    `${(totalMs / 1000).toFixed(1)} s`,
    median(waits).toFixed(1),
    quantile(waits, 0.95).toFixed(1),
    Math.max(...waits).toFixed(1),
  ]
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const at = performance.now()
  const result = await work()
  return [result, performance.now() - at]
}

async function measure(name: string, redisUrl: string | undefined): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const url = redisUrl ?? `sqlite:${dir}/a.db`
  await startLatchkey(parts, dir, url, hashing, { config: CONFIG })
  const { management } = JSON.parse(await readFile(join(dir, 'latchkey.yaml'), 'utf8'))
  const ask = askerOf(`http://127.0.0.1:${management.port}`)
  const [alone, aloneMs] = await timed(() => create(ask, 0, 1))
  const [together, togetherMs] = await timed(() => create(ask, CREATES, AT_ONCE))
  const [, fillMs] = await timed(() => fill(url, COUNT))
  const [{ waits, met }, walkMs] = await timed(() => walk(ask))
  console.log(
    `${name}: ${COUNT} accounts put into the store in ${(fillMs / 1000).toFixed(0)} s; the walk met ${met}`,
  )
  if (met < COUNT + 2 * CREATES) throw new Error('the walk has lost somebody')
  printTable([
    ['', 'in all', 'median, ms', '95 %, ms', 'longest, ms'],
    row(`${CREATES} creates, one after the other`, alone, aloneMs),
    row(`${CREATES} creates, ${AT_ONCE} at once`, together, togetherMs),
    row(`${waits.length} pages of ${PAGE}`, waits, walkMs),
  ])
}

console.log(
  `load ${loadavg()
    .map(each => each.toFixed(1))
    .join(' ')} on ${cpus().length} cores`,
)
if (ONLY !== 'redis') await measure('SQLite', undefined)
if (ONLY !== 'sqlite') {
  const redis = await startRedis()
  try {
    await measure('Redis', redis.url)
  } finally {
    await redis.stop()
  }
}
