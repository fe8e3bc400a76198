// Who calls the management listener meanwhile, in a process of its own: what these calls cost their caller
// must not make the caller of refreshes late.
import { setTimeout as wait } from 'node:timers/promises'
import { Pool } from 'undici'
import { USER } from './parties.ts'

export interface AdminJob {
  /** The management listener. */
  readonly base: string
  /** An access token that may. */
  readonly bearer: string
  /** Of the user that is asked about. */
  readonly sub: string
  readonly calls: keyof typeof OPERATIONS
  /** How many, and how many a second; undefined: one after the other. */
  readonly count: number
  readonly perSecond?: number
  /** The place of one kind of call, which alone is made; undefined: all in turn. */
  readonly only?: number | undefined
}

/** What is asked, in turn: a path, and what a PATCH of it says. */
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

// A busy machine may keep the store from answering in time; every client of ours may repeat then.
const ATTEMPTS = 5

let turn = 0
let pool: Pool | undefined

async function callAll({ count, perSecond, ...job }: AdminJob): Promise<number> {
  const calls: Array<Promise<void>> = []
  const start = performance.now()
  for (let done = 0; done < count; done++) {
    turn += 1
    const call = callOne(job, turn, ATTEMPTS)
    const due = start + ((done + 1) * 1000) / (perSecond ?? Infinity)
    await (perSecond === undefined ? call : wait(Math.max(0, due - performance.now())))
    calls.push(call)
  }
  await Promise.all(calls)
  return count
}

async function callOne(
  job: Pick<AdminJob, 'base' | 'bearer' | 'sub' | 'calls' | 'only'>,
  at: number,
  left: number,
): Promise<void> {
  const asked: readonly Asked[] = OPERATIONS[job.calls]
  const [path = '', patch] = asked[(job.only ?? at) % asked.length] ?? []
  // `fetch` takes twice as much of a processor, which the server would lack.
  pool ??= new Pool(job.base)
  const { statusCode, body } = await pool.request({
    path: path.replace('SUB', job.sub),
    method: patch === undefined ? 'GET' : 'PATCH',
    headers: {
      authorization: `Bearer ${job.bearer}`,
      'content-type': 'application/scim+json',
    },
    ...(patch !== undefined && {
      body: JSON.stringify({
        schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
        Operations: [{ op: 'replace', ...patch(at) }],
      }),
    }),
  })
  await body.dump({ limit: Infinity })
  if (statusCode === 503 && left > 1) return callOne(job, at, left - 1)
  if (statusCode >= 300) throw new Error(`${path}: ${statusCode}`)
}

process.on('message', async (job: AdminJob) => {
  process.send?.(await callAll(job).catch((error: unknown) => String(error)))
})
