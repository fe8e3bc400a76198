// The golden dumps: what a release has left in a store, and beside it what must still be so (test/golden/).
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'

export const GOLDEN = new URL('../golden/', import.meta.url).pathname
export const GOLDEN_STORES = ['sqlite', 'redis'] as const
export type GoldenStore = (typeof GOLDEN_STORES)[number]

/** An account that logs in. */
export interface GoldenAccount {
  readonly name: string
  readonly password: string
  readonly sub: string
  readonly scopes: readonly string[] | null
  readonly roles: readonly string[]
}

/** A session, its newest refresh token, and what becomes of that one. */
export interface GoldenSession {
  readonly what: string
  readonly clientId: string
  readonly refreshToken: string
  readonly sid: string
  readonly isBound: boolean
  /** Undefined: it is exchanged. */
  readonly refusedFor?: string
}

export interface GoldenAccessToken {
  readonly what: string
  readonly token: string
  readonly active: boolean
}

/** What stands beside the dumps of a release's store. */
export interface Expected {
  /** When the dump was taken; milliseconds. */
  readonly takenAt: number
  readonly issuer: string
  /** A value for tests only. */
  readonly secret: string
  readonly accounts: readonly GoldenAccount[]
  readonly lockedOut: ReadonlyArray<{ readonly name: string; readonly password: string }>
  readonly sessions: readonly GoldenSession[]
  readonly accessTokens: readonly GoldenAccessToken[]
  readonly jwks: { readonly keys: ReadonlyArray<Record<string, unknown>> }
  readonly throttled: {
    readonly name: string
    readonly password: string
    readonly status: number
  }
  /** Of DPoP-bound sessions; JWK. */
  readonly proofKey: Record<string, string>
}

/** A key of Redis. */
export interface GoldenKey {
  readonly key: string
  /** Milliseconds; undefined: it stays. */
  readonly expiresAt?: number
  /** In base64. */
  readonly text?: string
  /** Fields and values in base64, in turn. */
  readonly hash?: readonly string[]
  /** Members in base64 and scores, in turn. */
  readonly sorted?: readonly string[]
}

/** The releases of which there are dumps. */
export function goldenReleases(): string[] {
  return readdirSync(GOLDEN, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name }) => name)
}

/** Reads what stands beside a dump. */
export function expectedOf(release: string, store: GoldenStore): Expected {
  return JSON.parse(readFileSync(join(GOLDEN, release, `${store}.expected.json`), 'utf8'))
}

/** Copies the file of SQLite into a folder; gives the store's URL. */
export function loadSqlite(release: string, dir: string): string {
  const file = join(dir, 'golden.db')
  cpSync(join(GOLDEN, release, 'sqlite.db'), file)
  return `sqlite:${file}`
}

/** The keys of Redis that a release has left. */
export function goldenKeys(release: string): GoldenKey[] {
  const lines = readFileSync(join(GOLDEN, release, 'redis.jsonl'), 'utf8').split('\n')
  return lines.filter(Boolean).map(line => JSON.parse(line))
}

/** Puts every key into a Redis, each with as long to live as it had when the dump was taken. */
export async function loadRedis(release: string, url: string): Promise<void> {
  const { takenAt } = expectedOf(release, 'redis')
  const client = new Redis(url)
  try {
    for (const entry of goldenKeys(release)) await put(client, entry, takenAt)
  } finally {
    client.disconnect()
  }
}

async function put(client: Redis, entry: GoldenKey, takenAt: number): Promise<void> {
  const { key, expiresAt, text, hash = [], sorted = [] } = entry
  const bytes = (part: string) => Buffer.from(part, 'base64')
  if (text !== undefined) await client.set(key, bytes(text))
  if (hash.length > 0) await client.hset(key, ...hash.map(bytes))
  for (let at = 0; at < sorted.length; at += 2) {
    await client.zadd(key, Number(sorted[at + 1]), bytes(String(sorted[at])))
  }
  if (expiresAt !== undefined) await client.pexpire(key, Math.max(1, expiresAt - takenAt))
}

/** Every key under the prefix, sorted by name. */
export async function dumpRedis(url: string): Promise<GoldenKey[]> {
  const client = new Redis(url)
  try {
    const keys = (await client.keys('lk:*')).sort()
    return await Promise.all(keys.map(key => read(client, key)))
  } finally {
    client.disconnect()
  }
}

async function read(client: Redis, key: string): Promise<GoldenKey> {
  const goneAt = Number(await client.call('PEXPIRETIME', key))
  const kept = { key, ...(goneAt > 0 && { expiresAt: goneAt }) }
  const base64 = (parts: readonly Buffer[]) => parts.map(part => part.toString('base64'))
  const type = await client.type(key)
  if (type === 'string') {
    return { ...kept, text: (await client.getBuffer(key))?.toString('base64') ?? '' }
  }
  if (type === 'hash') {
    const flat = await client.callBuffer('HGETALL', key)
    return { ...kept, hash: base64(pairsOf(flat)) }
  }
  const members = pairsOf(await client.callBuffer('ZRANGE', key, 0, -1, 'WITHSCORES'))
  return {
    ...kept,
    sorted: members.map((part, at) => part.toString(at % 2 === 0 ? 'base64' : 'utf8')),
  }
}

function pairsOf(reply: unknown): Buffer[] {
  if (!Array.isArray(reply)) throw new TypeError('expected a list')
  return reply
    .flat()
    .map(part => (Buffer.isBuffer(part) ? part : Buffer.from(String(part))))
}
