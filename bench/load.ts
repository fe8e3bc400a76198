// The load, in a process of its own: one connection per client, the next request when the answer to the last
// one is there.
import { Client, type Dispatcher } from 'undici'
import { CLIENT, PASSWORD, USER } from './parties.ts'
import { BASIC, form } from './requests.ts'

/**
 * What is asked for. `first-sight` introspects access tokens that the server hasn't seen since it made them.
 */
export type Kind = 'refresh' | 'introspection' | 'first-sight' | 'jwks' | 'password'

export interface Job {
  /** The server, and the path below which it has its endpoints. */
  readonly base: string
  readonly kind: Kind
  readonly connections: number
  readonly requests: number
}

/** One connection and the session behind it. */
interface Slot {
  readonly client: Client
  readonly accessToken: string
  refreshToken: string
}

interface Target {
  readonly path: string
  readonly slots: Slot[]
  /** Access tokens that came with refreshes and were shown to nobody. */
  readonly unseen: string[]
}

const LOGIN = form('/token', {
  grant_type: 'password',
  client_id: CLIENT,
  username: USER,
  password: PASSWORD,
})

const SEND: Record<Kind, (slot: Slot, target: Target) => Promise<unknown>> = {
  async refresh(slot, target) {
    const answer = await send(
      slot.client,
      target,
      form('/token', {
        grant_type: 'refresh_token',
        client_id: CLIENT,
        refresh_token: slot.refreshToken,
      }),
    )
    slot.refreshToken = answer.refresh_token
    if (target.unseen.length < 10_000) target.unseen.push(answer.access_token)
  },
  introspection: (slot, target) => introspect(slot, target, slot.accessToken),
  'first-sight': (slot, target) =>
    introspect(slot, target, target.unseen.pop() ?? slot.accessToken),
  jwks: ({ client }, target) =>
    send(client, target, { method: 'GET', path: '/.well-known/jwks.json' }),
  password: ({ client }, target) => send(client, target, LOGIN),
}

async function introspect(
  { client }: Slot,
  target: Target,
  token: string,
): Promise<void> {
  const { active } = await send(client, target, {
    ...form('/introspect', { token }),
    headers: BASIC,
  })
  if (active !== true) throw new Error('a token that should be active is not')
}

// A busy machine may keep Redis from answering in time; every client of ours may repeat then.
const ATTEMPTS = 10

const targets = new Map<string, Target>()

/** Runs a job; answers with the seconds that it took. */
async function run({ base, kind, connections, requests }: Job): Promise<number> {
  const target = await targetOf(base, connections)
  const started = performance.now()
  let left = requests
  await Promise.all(
    target.slots.slice(0, connections).map(async slot => {
      while (left-- > 0) await SEND[kind](slot, target)
    }),
  )
  return (performance.now() - started) / 1000
}

async function targetOf(base: string, connections: number): Promise<Target> {
  const { origin, pathname } = new URL(base)
  const target = targets.get(base) ?? {
    path: pathname.replace(/\/$/, ''),
    slots: [],
    unseen: [],
  }
  targets.set(base, target)
  while (target.slots.length < connections) {
    const client = new Client(origin)
    const { access_token: accessToken, refresh_token: refreshToken } = await send(
      client,
      target,
      LOGIN,
    )
    target.slots.push({ client, accessToken, refreshToken })
  }
  return target
}

async function send(
  client: Client,
  target: Target,
  options: Dispatcher.RequestOptions,
  attempts = ATTEMPTS,
): Promise<any> {
  const { statusCode, body } = await client.request({
    ...options,
    path: target.path + options.path,
  })
  const text = await body.text()
  if (statusCode === 503 && attempts > 1) {
    return send(client, target, options, attempts - 1)
  }
  if (statusCode !== 200) {
    throw new Error(`${options.path} answered ${statusCode}: ${text}`)
  }
  return JSON.parse(text)
}

process.on('message', async (job: Job) => {
  process.send?.(await run(job).catch((error: unknown) => String(error)))
})
