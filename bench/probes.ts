// Who uses the server meanwhile, in a process of its own: refreshes, introspections and key fetches, each at
// a fixed low rate, whether the last one was answered or not. Times are told from sending to the last byte.
import { setPriority } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { Pool, type Dispatcher } from 'undici'
import { CLIENT, PASSWORD, USER } from './parties.ts'
import { BASIC, form } from './requests.ts'

export interface ProbeJob {
  readonly base: string
  readonly seconds: number
  /** Of each kind. */
  readonly perSecond: number
}

export const KINDS = ['refresh', 'introspection', 'jwks'] as const
export type Probe = (typeof KINDS)[number]

/** Milliseconds of every request, and how many were answered otherwise than they should. */
export type ProbeTimes = Record<Probe, number[]> & { failed: number }

interface Session {
  readonly accessToken: string
  refreshToken: string
}

/** A refresh token is used by one at a time. */
const SESSIONS = 32

const sessions: Session[] = []

async function probe({ base, seconds, perSecond }: ProbeJob): Promise<ProbeTimes> {
  const pool = new Pool(base, { connections: SESSIONS })
  while (sessions.length < SESSIONS) sessions.push(await logIn(pool))
  const times: ProbeTimes = {
    refresh: [],
    introspection: [],
    jwks: [],
    failed: 0,
  }
  const running: Promise<void>[] = []
  const startedAt = performance.now()
  for (let round = 0; round < seconds * perSecond; round++) {
    for (const [index, kind] of KINDS.entries()) {
      // Kinds take turns within each round: none waits behind the others.
      await wait(
        Math.max(
          0,
          startedAt +
            ((round + index / KINDS.length) * 1000) / perSecond -
            performance.now(),
        ),
      )
      running.push(timed(times, kind, () => SEND[kind](pool)))
    }
  }
  await Promise.all(running)
  await pool.close()
  return times
}

async function timed(
  times: ProbeTimes,
  kind: Probe,
  send: () => Promise<boolean>,
): Promise<void> {
  const sentAt = performance.now()
  const good = await send()
  times[kind].push(performance.now() - sentAt)
  if (!good) times.failed += 1
}

/** Each sends one request and says whether it was answered as it should. */
const SEND: Record<Probe, (pool: Pool) => Promise<boolean>> = {
  async refresh(pool) {
    const session = sessions.shift()
    if (session === undefined) return false
    const { status, body } = await send(
      pool,
      form('/token', {
        grant_type: 'refresh_token',
        client_id: CLIENT,
        refresh_token: session.refreshToken,
      }),
    )
    if (status === 200) session.refreshToken = body.refresh_token
    sessions.push(session)
    return status === 200
  },
  async introspection(pool) {
    const { status, body } = await send(pool, {
      ...form('/introspect', { token: sessions[0]?.accessToken ?? '' }),
      headers: BASIC,
    })
    return status === 200 && body.active === true
  },
  async jwks(pool) {
    const { status } = await send(pool, { method: 'GET', path: '/.well-known/jwks.json' })
    return status === 200
  },
}

async function logIn(pool: Pool): Promise<Session> {
  const { body } = await send(
    pool,
    form('/token', {
      grant_type: 'password',
      client_id: CLIENT,
      username: USER,
      password: PASSWORD,
    }),
  )
  return { accessToken: body.access_token, refreshToken: body.refresh_token }
}

async function send(
  pool: Pool,
  options: Dispatcher.RequestOptions,
): Promise<{ status: number; body: any }> {
  const { statusCode, body } = await pool.request(options)
  return { status: statusCode, body: JSON.parse(await body.text()) }
}

// Its own wait for a processor is not the server's fault. Only root may go first.
try {
  setPriority(-15)
} catch {
  process.stderr.write(
    'the probes wait for a processor like everybody else: their times are longer than they would be ' +
      '(root may go first)\n',
  )
}

process.on('message', async (job: ProbeJob) => {
  process.send?.(await probe(job).catch((error: unknown) => String(error)))
})
