// The server on a socket of its own, for attackers; every look at a password is counted.
import { setTimeout as wait } from 'node:timers/promises'
import type { Test } from 'tap'
import { Agent, request } from 'undici'
import type { Hashing, PasswordHasher } from '../../src/users/hashing/hasher.ts'
import { serverOn, type StoreName } from '../conformance/helpers.ts'
import { UNTHROTTLED, type TestApp } from './app.ts'

/** Failures of one name from one network that cost no delay. */
export const ALLOWANCE = 5

interface Options {
  readonly trustedProxies?: readonly string[]
  readonly connections?: number
  /** How long each look at a password takes, at least; default: no longer than it does. */
  readonly hashMs?: number
  /** As in `passwords`. */
  readonly queue?: number
  readonly maxWait?: number
}

/** What a login was answered. */
export interface LoginAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly error?: string
  readonly token?: string
}

export type SendLogin = (
  username: string,
  password: string,
  headers?: Record<string, string>,
) => Promise<LoginAnswer>

export interface Attacked {
  readonly server: TestApp
  /** How many passwords were looked at. */
  readonly looks: { count: number }
  send: SendLogin
  /** The same, again where the answer is 503: a busy machine's store may not answer in time. */
  logIn: SendLogin
}

/** Starts it; it ends with the test. */
export async function attacked(
  t: Test,
  store: StoreName,
  { trustedProxies = [], connections = 16, hashMs = 0, ...passwords }: Options = {},
): Promise<Attacked> {
  const looks = { count: 0 }
  const server = await serverOn(t, store, {
    logLevel: 'warn',
    trustedProxies,
    passwords,
    overHasher: hasher => counting(hasher, looks, hashMs),
  })
  server.live.logins = { ...UNTHROTTLED, perName: ALLOWANCE }
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 })
  const dispatcher = new Agent({ connections })
  t.teardown(() => dispatcher.destroy())
  const send: SendLogin = async (username, password, headers = {}) => {
    const body = new URLSearchParams({
      grant_type: 'password',
      client_id: 'mobile',
      username,
      password,
    }).toString()
    const answer = await request(`${url}/token`, {
      method: 'POST',
      dispatcher,
      body,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    })
    const { error, access_token: token } = (await answer.body.json()) as Record<
      string,
      string
    >
    return {
      status: answer.statusCode,
      headers: answer.headers,
      ...(error !== undefined && { error }),
      ...(token !== undefined && { token }),
    }
  }
  return {
    server,
    looks,
    send,
    logIn: (...login) => patiently(() => send(...login)),
  }
}

function counting(
  hasher: PasswordHasher,
  looks: { count: number },
  hashMs: number,
): PasswordHasher {
  async function look<Result>(checked: Promise<Result>): Promise<Result> {
    looks.count += 1
    const [result] = await Promise.all([checked, hashMs > 0 && wait(hashMs)])
    return result
  }
  const watch = (hashing: Hashing): Hashing => ({
    ...hashing,
    verify: (hash, password) => look(hashing.verify(hash, password)),
    verifyDummy: password => look(hashing.verifyDummy(password)),
  })
  return {
    ...hasher,
    enqueue: (turn, work) => hasher.enqueue(turn, hashing => work(watch(hashing))),
  }
}

interface Siege {
  readonly networks: number
  readonly guesses: number
}

/**
 * Guesses at alice from many networks at once, no guess twice; how many of each network's were looked at.
 * Others must be answered 429.
 */
export async function besiege(
  { logIn }: Pick<Attacked, 'logIn'>,
  { networks, guesses }: Siege,
): Promise<number[]> {
  const looked = Array<number>(networks).fill(0)
  for (let guess = 0; guess < guesses; guess++) {
    const answers = await Promise.all(
      looked.map((_, network) =>
        logIn('alice', `guess ${guess} of ${network}`, {
          'x-forwarded-for': `10.${network}.0.${(guess % 250) + 1}`,
        }),
      ),
    )
    for (const [network, { status }] of answers.entries()) {
      if (status === 400) looked[network] = (looked[network] ?? 0) + 1
      else if (status !== 429) throw new Error(`answered ${status}`)
    }
  }
  return looked
}

async function patiently(
  logIn: () => Promise<LoginAnswer>,
  tries = 20,
): Promise<LoginAnswer> {
  const answer = await logIn()
  if (answer.status !== 503 || tries === 1) return answer
  await wait(50)
  return patiently(logIn, tries - 1)
}
