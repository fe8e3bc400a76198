// The storm, in a process of its own: logins on many connections, the next one when the last was answered.
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'undici'
import { CLIENT, PASSWORD, USER } from './parties.ts'

export interface StormJob {
  readonly base: string
  readonly connections: number
  readonly seconds: number
  /** Whether a 503 is obeyed: the next login comes after its Retry-After, and not at once. */
  readonly obey: boolean
}

export interface StormResult {
  /** Logins that got tokens. */
  readonly perSecond: number
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<string, number>>
}

const LOGIN = {
  method: 'POST',
  path: '/token',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams({
    grant_type: 'password',
    client_id: CLIENT,
    username: USER,
    password: PASSWORD,
  }).toString(),
} as const

async function storm({
  base,
  connections,
  seconds,
  obey,
}: StormJob): Promise<StormResult> {
  const clients = Array.from({ length: connections }, () => new Client(base))
  const statuses: Record<string, number> = {}
  const startedAt = performance.now()
  const isOver = () => performance.now() - startedAt > seconds * 1000
  await Promise.all(
    clients.map(async client => {
      while (!isOver()) {
        const { statusCode, headers, body } = await client.request(LOGIN)
        await body.dump()
        // What is answered later was hashed in another's time.
        if (isOver()) break
        statuses[statusCode] = (statuses[statusCode] ?? 0) + 1
        if (obey && statusCode === 503) {
          await Promise.race([
            wait(Number(headers['retry-after']) * 1000),
            wait(seconds * 1000 - (performance.now() - startedAt)),
          ])
        }
      }
    }),
  )
  await Promise.all(clients.map(client => client.destroy()))
  return { perSecond: (statuses[200] ?? 0) / seconds, statuses }
}

process.on('message', async (job: StormJob) => {
  process.send?.(await storm(job).catch((error: unknown) => String(error)))
})
