// Clients that behave, by openid-client against real processes: each keeps one session, refreshes it, and
// asks again with the same token whenever it got no verdict.
import { setTimeout as wait } from 'node:timers/promises'
import * as openid from 'openid-client'
import pLimit from 'p-limit'
import type { Test } from 'tap'
import { request } from 'undici'
import { openStore } from '../../../src/stores/open.ts'
import {
  createRefreshTokenCodec,
  type ReadRefreshToken,
} from '../../../src/tokens/refresh-token.ts'
import { createBuiltInDirectory } from '../../../src/users/directory/built-in.ts'
import { createAccounts } from '../../../src/users/accounts.ts'
import { createPasswordHasher } from '../../../src/users/hashing/hasher.ts'
import {
  API_SECRET,
  CHEAP_HASHING,
  type LatchkeyOptions,
  type LatchkeyProcess,
  PASSWORD,
  startLatchkey,
} from '../../support/server.ts'
import { NO_ATTRIBUTES } from '../../support/stores.ts'
import { PATIENT } from '../../support/until.ts'

export const ISSUER = 'https://id.example.com'
export const SECRET = 'f'.repeat(43)

const TOKENS = createRefreshTokenCodec({ issuer: ISSUER, secrets: [SECRET] })

/** Starts server processes that share an issuer, a secret and a store; they end with the test. */
export async function startServers(
  t: Test,
  count: number,
  options: LatchkeyOptions,
): Promise<[LatchkeyProcess, ...LatchkeyProcess[]]> {
  const start = async () => {
    const server = await startLatchkey({
      secret: SECRET,
      addUser: false,
      ...options,
      config: { issuer: ISSUER, ...options.config },
    })
    t.teardown(() => server.stop())
    return server
  }
  const first = await start()
  return [first, ...(await Promise.all(Array.from({ length: count - 1 }, start)))]
}

/** Adds users `user-0`, `user-1`, … */
export async function addUsers(storeUrl: string, count: number): Promise<void> {
  const { store } = await openStore({ ...PATIENT, url: storeUrl, clock: Date.now })
  const hasher = createPasswordHasher({ ...CHEAP_HASHING, queue: count, maxWait: 60_000 })
  const accounts = createAccounts({
    directory: createBuiltInDirectory({ ...store, ...NO_ATTRIBUTES }),
    hasher,
    emit: () => {},
    checkNewPassword: async () => undefined,
    ...NO_ATTRIBUTES,
  })
  try {
    for (let user = 0; user < count; user++) {
      await accounts.add({
        name: `user-${user}`,
        password: PASSWORD,
        scopes: null,
        roles: [],
      })
    }
  } finally {
    await store.close()
  }
}

/** What a server said. */
export interface Answer {
  readonly path: string
  /** 0: nothing, as the connection broke. */
  readonly status: number
  readonly error: string | undefined
  readonly active: boolean | undefined
  readonly accessToken: string | undefined
  readonly retryAfter: string | null
  readonly ms: number
  /** performance.now. */
  readonly at: number
}

export interface Session {
  readonly user: string
  accessToken: string
  refreshToken: string
  /** Refused for good, with an error: the user has to log in again. */
  loggedOut: string | undefined
}

/** What the refresh token of a session says. */
export function tokenOf({
  refreshToken,
}: Pick<Session, 'refreshToken'>): ReadRefreshToken {
  const read = TOKENS.decode(refreshToken)
  if (read === undefined) throw new Error('no refresh token of ours')
  return read
}

export interface Fleet {
  readonly sessions: readonly Session[]
  /** Every answer, the oldest first. */
  readonly answers: Answer[]
  /** Presents the session's refresh token once: whether it has a new one. */
  refresh(session: Session): Promise<boolean>
  /** What introspection says; undefined: no verdict. */
  introspect(token: string): Promise<boolean | undefined>
  /** Whether the server said that the token is revoked. */
  revoke(token: string): Promise<boolean>
  /** Refreshes every session again and again until it is told to stop. */
  keepRefreshing(options?: { readonly pauseMs?: number }): Repeating
}

export interface Repeating {
  stop(): Promise<void>
}

/** Enough to keep the server busy, not enough to be told to come later. */
const LOGINS_AT_ONCE = 16

/** Where a client asks: a server itself, or a proxy before it. */
export type Door = Pick<LatchkeyProcess, 'url'>

/** Logs one session in for each name, spread over the doors. */
export async function logIn(
  doors: readonly Door[],
  users: readonly string[],
): Promise<Fleet> {
  const answers: Answer[] = []
  const clients = doors.map(door => clientOf(door, 'mobile', openid.None(), answers))
  const apis = doors.map(door =>
    clientOf(door, 'orders-api', openid.ClientSecretBasic(API_SECRET), answers),
  )
  let turn = 0
  const oneOf = <T>(list: readonly T[]): T => {
    const item = list[turn++ % list.length]
    if (item === undefined) throw new Error('no door')
    return item
  }

  async function open(user: string): Promise<Session> {
    const tokens = await repeated(() =>
      openid.genericGrantRequest(oneOf(clients), 'password', {
        username: user,
        password: PASSWORD,
      }),
    )
    return {
      user,
      accessToken: tokens.access_token,
      refreshToken: String(tokens.refresh_token),
      loggedOut: undefined,
    }
  }

  async function refresh(session: Session): Promise<boolean> {
    try {
      const tokens = await openid.refreshTokenGrant(oneOf(clients), session.refreshToken)
      session.accessToken = tokens.access_token
      session.refreshToken = String(tokens.refresh_token)
      return true
    } catch (error) {
      if (error instanceof openid.ResponseBodyError) {
        session.loggedOut = `${error.status} ${error.error}`
      }
      return false
    }
  }

  const sessions = await pLimit(LOGINS_AT_ONCE).map(users, open)
  const keepRefreshing: Fleet['keepRefreshing'] = ({ pauseMs = 0 } = {}) => {
    const stopped = new AbortController()
    const running = sessions.map(async (session, turn) => {
      // Not all at the same moment.
      await wait((pauseMs * turn) / sessions.length)
      while (!stopped.signal.aborted && session.loggedOut === undefined) {
        await wait((await refresh(session)) ? pauseMs : 20 + pauseMs)
      }
    })
    return {
      async stop() {
        stopped.abort()
        await Promise.all(running)
      },
    }
  }

  return {
    sessions,
    answers,
    refresh,
    introspect: token =>
      openid.tokenIntrospection(oneOf(apis), token).then(
        ({ active }) => active,
        () => undefined,
      ),
    revoke: token =>
      openid.tokenRevocation(oneOf(clients), token).then(
        () => true,
        () => false,
      ),
    keepRefreshing,
  }
}

/** As a client does that got no verdict: on a busy machine a login may take longer than it is given. */
async function repeated<T>(ask: () => Promise<T>, times = 50): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (times === 0 || error instanceof openid.ResponseBodyError) throw error
    await wait(100)
    return repeated(ask, times - 1)
  }
}

function clientOf(
  { url }: Door,
  id: string,
  authentication: openid.ClientAuth,
  answers: Answer[],
): openid.Configuration {
  const metadata = {
    issuer: ISSUER,
    token_endpoint: `${url}/token`,
    introspection_endpoint: `${url}/introspect`,
    revocation_endpoint: `${url}/revoke`,
  }
  const client = new openid.Configuration(metadata, id, undefined, authentication)
  openid.allowInsecureRequests(client)
  client[openid.customFetch] = (to, options) => noted(to, options, answers)
  return client
}

async function noted(
  url: string,
  options: openid.CustomFetchOptions,
  answers: Answer[],
): Promise<Response> {
  const path = new URL(url).pathname
  const start = performance.now()
  const note = (
    status: number,
    body: { error?: string; active?: boolean; access_token?: string },
    retryAfter: string | null,
  ) => {
    const at = performance.now()
    answers.push({
      path,
      status,
      error: body.error,
      active: body.active,
      accessToken: body.access_token,
      retryAfter,
      ms: at - start,
      at,
    })
  }
  try {
    // A third of what fetch costs: clients and servers share the machine.
    const {
      statusCode: status,
      headers,
      body,
    } = await request(url, {
      method: 'POST',
      headers: options.headers,
      body: String(options.body),
    })
    const text = await body.text()
    note(
      status,
      JSON.parse(text),
      headers['retry-after'] === undefined ? null : String(headers['retry-after']),
    )
    return new Response(text, {
      status,
      headers: Object.entries(headers).map(([name, value]) => [name, String(value)]),
    })
  } catch (error) {
    note(0, {}, null)
    throw error
  }
}

/** Asks until it is so; gives the milliseconds that it took, Infinity after `withinMs`. */
export async function msUntil(
  holds: () => Promise<boolean> | boolean,
  withinMs = 10_000,
): Promise<number> {
  const start = performance.now()
  while (performance.now() - start < withinMs) {
    if (await holds()) return performance.now() - start
    await wait(10)
  }
  return Infinity
}

/** The audit events of a type in the servers' logs so far. */
export function audited(
  servers: readonly Pick<LatchkeyProcess, 'lines'>[],
  type: string,
): Array<Record<string, string>> {
  return servers
    .flatMap(({ lines }) => lines)
    .filter(line => line.includes(`"type":"${type}"`))
    .map(line => JSON.parse(line).audit)
}

/** Signs of a process that fell: what close-with-grace and Node say of an error that nobody caught. */
export function fallen(servers: readonly Pick<LatchkeyProcess, 'lines'>[]): string[] {
  return servers
    .flatMap(({ lines }) => lines)
    .filter(line => /unhandled|uncaught|the process failed|a fault of ours/i.test(line))
}
