// Refreshes at a fixed rate, in a process of its own: neither what others send nor the collections of a large
// heap make one late, and it goes first where it may.
import { setPriority } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { Pool } from 'undici'
import { CLIENT, PASSWORD, USER } from './parties.ts'
import { form } from './requests.ts'

export interface RefreshJob {
  readonly base: string
  readonly seconds: number
  readonly perSecond: number
}

/** A refresh token is used by one at a time. */
const SESSIONS = 64
// A busy machine may keep the store from answering in time; every client of ours may repeat then.
const ATTEMPTS = 5

const free: string[] = []
let pool: Pool | undefined

/** Milliseconds of each refresh: from its instant, or from sending where that was earlier. */
async function refreshAll({ base, seconds, perSecond }: RefreshJob): Promise<number[]> {
  pool ??= new Pool(base, { connections: SESSIONS })
  const login = { grant_type: 'password', client_id: CLIENT, username: USER }
  while (free.length < SESSIONS) {
    free.push(await tokenBy(pool, { ...login, password: PASSWORD }))
  }
  const times: number[] = []
  const running: Array<Promise<void>> = []
  const start = performance.now()
  for (let count = 0; count < perSecond * seconds; count++) {
    const due = start + (count * 1000) / perSecond
    const early = due - performance.now()
    if (early > 0) await wait(early)
    running.push(refresh(pool, due, times))
  }
  await Promise.all(running)
  return times
}

async function refresh(server: Pool, due: number, times: number[]): Promise<void> {
  // Timers know whole milliseconds: some fire before the instant.
  const from = Math.min(due, performance.now())
  while (free.length === 0) await wait(1)
  const held = String(free.shift())
  const asked = { grant_type: 'refresh_token', client_id: CLIENT, refresh_token: held }
  free.push(await tokenBy(server, asked))
  times.push(performance.now() - from)
}

async function tokenBy(
  server: Pool,
  params: Record<string, string>,
  left = ATTEMPTS,
): Promise<string> {
  const { statusCode, body } = await server.request(form('/token', params))
  const text = await body.text()
  if (statusCode === 503 && left > 1) return tokenBy(server, params, left - 1)
  if (statusCode !== 200) throw new Error(`/token: ${statusCode} ${text}`)
  return String(JSON.parse(text).refresh_token)
}

// Its own wait for a processor is not the server's fault. Only root may go first.
try {
  setPriority(-15)
} catch {
  process.stderr.write(
    'refreshes may wait for a processor themselves (root may go first)\n',
  )
}

process.on('message', async (job: RefreshJob) => {
  process.send?.(await refreshAll(job).catch((error: unknown) => String(error)))
})
