// What the conformance tests share: the server on each store, refusals as rows, and forged tokens.
import { sign as signBytes, type KeyLike } from 'node:crypto'
import type { LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { buildTestApp, type TestApp, type TestAppOptions } from '../support/app.ts'
import { startRedis } from '../support/redis.ts'

export const STORES = ['SQLite', 'Redis'] as const
export type StoreName = (typeof STORES)[number]

export const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

/** The server on a store of its own, gone with the test. */
export async function serverOn(
  t: Test,
  store: StoreName,
  options: TestAppOptions = {},
): Promise<TestApp> {
  const redis = store === 'Redis' ? await startRedis() : undefined
  // Also when the server can't be built: a Redis that is left would hold the file until its time limit.
  t.teardown(() => redis?.stop())
  const server = await buildTestApp({
    ...options,
    ...(redis !== undefined && { storeUrl: redis.url }),
  })
  t.teardown(() => server.close())
  return server
}

/** An Authorization header as RFC 6749 §2.3.1 makes it. */
export function basic(id: string, secret: string): { authorization: string } {
  return rawBasic(`${formEncode(id)}:${formEncode(secret)}`)
}

/** An Authorization header of exactly this text. */
export function rawBasic(text: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` }
}

export function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

export interface Refusal {
  readonly status: number
  readonly error: string
  readonly challenge?: RegExp | string
}

const CHALLENGES: Readonly<Record<string, RegExp>> = {
  invalid_client: /^Basic realm="latchkey", charset="UTF-8"$/,
}

/**
 * Asserts everything that RFC 6749 §5.2 says of an error, and that a 401 carries a challenge (RFC 9110
 * §15.5.2) and nothing else one that wasn't expected.
 */
export function refused(
  t: Test,
  answer: LightMyRequestResponse,
  { status, error, challenge = CHALLENGES[error] }: Refusal,
  name = 'status',
): void {
  t.equal(answer.statusCode, status, `${name}: ${answer.body}`)
  const body = answer.json()
  t.equal(body.error, error)
  t.match(
    body.error_description,
    /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/,
    'the alphabet of error_description',
  )
  t.same(
    Object.keys(body).filter(key => !['error', 'error_description'].includes(key)),
    [],
    'nothing else is told',
  )
  t.match(answer.headers['content-type'], /^application\/json(;|$)/)
  t.equal(answer.headers['cache-control'], 'no-store')
  if (challenge !== undefined) t.match(answer.headers['www-authenticate'], challenge)
  else {
    t.not(status, 401, 'a 401 needs a challenge')
    t.equal(answer.headers['www-authenticate'], undefined, 'no challenge')
  }
}

export const base64url = (value: string | Buffer) =>
  Buffer.from(value).toString('base64url')

/** A compact JWS over header and payload as they are given, ES256 unless another signer is given. */
export function compact(
  header: unknown,
  payload: unknown,
  makeSignature: (input: Buffer) => Buffer,
): string {
  const text = (value: unknown) =>
    typeof value === 'string' ? value : JSON.stringify(value)
  const input = `${base64url(text(header))}.${base64url(text(payload))}`
  return `${input}.${base64url(makeSignature(Buffer.from(input)))}`
}

export const es256 = (key: KeyLike) => (input: Buffer) =>
  signBytes('sha256', input, { key: key as string, dsaEncoding: 'ieee-p1363' })

/** The key that a server signs with, private part and all. */
export function signerOf({ keys }: TestApp) {
  const key = keys.signingKey()
  if (!('privateKey' in key)) throw new Error('a key that is kept elsewhere')
  return key
}

/** The audit events of a type, in the order in which they were logged. */
export function audited({ lines }: TestApp, type: RegExp): Array<Record<string, string>> {
  return lines
    .map(line => JSON.parse(line).audit)
    .filter(event => event !== undefined && type.test(event.type))
}

/** Header and payload of a token. */
export function read(token: string) {
  const [header, payload] = token
    .split('.')
    .slice(0, 2)
    .map(part => JSON.parse(Buffer.from(part, 'base64url').toString()))
  return { header, payload }
}
