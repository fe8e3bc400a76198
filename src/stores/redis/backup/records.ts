// From keys of Redis to the records of a back-up, and the way back.
import type { Cluster, Redis } from 'ioredis'
import {
  hashOf,
  readAccount,
  readUniqueValues,
  withoutSessionIndex,
} from '../people/account-record.ts'
import { nameShard, type Names } from '../people/claims/names.ts'
import { claimPlace } from '../people/claims/unique-values.ts'
import type { RedisKeys } from '../redis-keys.ts'
import type { BackupRecord } from './backup-file.ts'
import { again, BATCH, type Ask } from './walk.ts'

const ACCOUNT_KEY = /^\{([^}]+)\}:u$/

const isAccount = (key: string) => ACCOUNT_KEY.test(key)

/** Marks of the moment, counts of addresses and the outbox belong to the server that has them. */
export function isKept(name: string, keys: RedisKeys): boolean {
  const passing = [
    keys.probe,
    keys.lost,
    keys.names,
    keys.leavingNames,
    keys.identity(0).slice(0, -1),
    keys.rate(''),
    keys.outbox.items.slice(0, -'items'.length),
    ...indexStarts(keys),
  ]
  return !passing.some(start => name.startsWith(start))
}

/** Reads a key with its end; undefined: it is gone. */
export function readKey(name: string, keys: RedisKeys, now: () => Promise<number>) {
  return async (client: Redis | Cluster): Promise<BackupRecord | undefined> => {
    const [type, leftMs] = await Promise.all([client.type(name), client.pttl(name)])
    const key = keys.bareName(name)
    const record = {
      key,
      ...(leftMs > 0 && { expiresAt: (await now()) + leftMs }),
    }
    if (type === 'hash') {
      return { ...record, hash: Object.entries(await client.hgetall(name)).flat() }
    }
    if (type === 'zset') {
      const sorted = await client.zrange(name, '0', '-1', 'WITHSCORES')
      return { ...record, sorted: [...sorted] }
    }
    const bytes = type === 'string' ? await client.getBuffer(name) : null
    return bytes === null ? undefined : { ...record, text: bytes.toString('base64') }
  }
}

/** What the claims of names are read by. */
interface NameParts {
  readonly keys: Pick<RedisKeys, 'names' | 'bareName'>
  readonly names: Pick<Names, 'everywhere'>
}

/** The claims of names, in parts; as one hash, which a release that knows no shards restores, too. */
export async function* nameRecords(
  ask: Ask,
  { keys, names }: NameParts,
): AsyncGenerator<BackupRecord> {
  for (const name of await again(() => names.everywhere(async hashes => hashes))) {
    let cursor = '0'
    do {
      const at = cursor
      const [next, hash] = await ask(client => client.hscan(name, at, 'COUNT', BATCH))
      cursor = next
      if (hash.length > 0) yield { key: keys.bareName(keys.names), hash }
    } while (cursor !== '0')
  }
}

/** Whether the store has a name. */
export async function hasNames(ask: Ask, names: Pick<Names, 'everywhere'>) {
  const counts = await again(() =>
    names.everywhere(hashes =>
      ask(client => Promise.all(hashes.map(key => client.hlen(key)))),
    ),
  )
  return counts.some(count => count > 0)
}

/** What the keys of the index of accounts begin with: it is made anew from the accounts. */
function indexStarts(keys: RedisKeys): string[] {
  return [keys.indexWalked, keys.accounts('created', '').split('}', 1).join('')]
}

/** Whether a record of a back-up is a part of that index: an earlier release has read it like any key. */
export function isIndex({ key }: BackupRecord, keys: RedisKeys): boolean {
  return indexStarts(keys).some(start => keys.fullName(key).startsWith(start))
}

/** Whether a record of a back-up holds claims of names or unique values: the accounts say what they have. */
export function isClaims({ key }: BackupRecord, keys: RedisKeys): boolean {
  const name = keys.fullName(key)
  return name === keys.names || name.startsWith(keys.values(''))
}

/**
 * The claims of an account's name and unique values. One that was removed or changed while the back-up was
 * made has them again, as it had at its begin.
 */
export function claimsOf(
  { key, hash = [] }: BackupRecord,
  keys: RedisKeys,
  ask: Ask,
): Array<Promise<unknown>> {
  const [, tag] = ACCOUNT_KEY.exec(key) ?? []
  const stored = hashOf(hash)
  const account = tag === undefined ? undefined : readAccount(tag, stored)
  if (account === undefined) return []
  const claim = (name: string, field: string) =>
    ask(client => client.hsetnx(name, field, `${tag} 0`))
  return [
    claim(keys.namesIn(nameShard(account.foldedName)), account.foldedName),
    ...readUniqueValues(stored).map(value => {
      const { shard, field } = claimPlace(value)
      return claim(keys.values(shard), field)
    }),
  ]
}

/** Writes a key anew, with its end, in one step. A part of a large hash is added to the others. */
export function writeKey(
  { key, expiresAt, text, hash, sorted }: BackupRecord,
  keys: RedisKeys,
  at: number,
) {
  return async (client: Redis | Cluster): Promise<void> => {
    if (expiresAt !== undefined && expiresAt <= at) return
    const name = keys.fullName(key)
    const step = client.multi()
    if (text !== undefined) step.set(name, Buffer.from(text, 'base64'))
    if (hash !== undefined && hash.length > 0) {
      step.hset(name, ...(isAccount(key) ? withoutSessionIndex(hash) : hash))
    }
    // Backwards each score stands before its member, as ZADD takes them.
    if (sorted !== undefined) step.zadd(name, ...sorted.toReversed())
    if (expiresAt !== undefined) step.pexpireat(name, expiresAt)
    const results = await step.exec()
    const refused = results?.find(([error]) => error !== null)
    if (refused !== undefined) throw refused[0]
  }
}
