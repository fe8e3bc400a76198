// Back-ups of Redis by its ordinary commands, so that they work where nobody may copy its files: a managed
// Redis, a cluster. Keys are read one after the other while servers go on; what was acknowledged before the
// back-up began is in it.
import { setTimeout as wait } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import {
  newerBackup,
  notEmpty,
  type BackupContent,
  type Backups,
  type RestoreOptions,
  type ShowPart,
} from '../../ports/backups.ts'
import {
  checkBackupFile,
  readBackupFile,
  writeBackupFile,
  type BackupRecord,
} from './backup-file.ts'
import { primariesOf } from '../safety/inspect.ts'
import { markAfter } from '../safety/identity-marks.ts'
import type { FormatMark } from '../safety/format.ts'
import type { Caller } from '../connection/caller.ts'
import type { RedisKeys } from '../redis-keys.ts'

export interface RedisBackupsOptions {
  /** Calls through it are not refused while the store's data is missing. */
  readonly link: Caller
  readonly keys: RedisKeys
  /** The names of all marks of the store's identity. */
  readonly marks: readonly string[]
  readonly format: Pick<FormatMark, 'read' | 'known'>
  /** Redis' clock in milliseconds. */
  readonly now: () => Promise<number>
}

type Work<T> = (client: Redis | Cluster) => Promise<T>
type Ask = <T>(work: Work<T>) => Promise<T>

/** So many keys are read or written at once. */
const BATCH = 200
/** A busy server may leave a call unanswered; all calls here can be made again. */
const TRIES = 30
/** What a server that is looked for again needs. */
const PAUSE_MS = 100
/** A restore that was given up keeps servers from taking a half of it for the whole. */
const LOST_MS = 3_600_000
/**
 * A server that has just missed the store's identity reports the loss a moment later, on a busy machine after
 * more than a second: so often, and so far apart, its report is taken back.
 */
const NOTICES = 8
const NOTICE_MS = 250

/** Makes the back-ups of this store. */
export function createRedisBackups(options: RedisBackupsOptions): Backups {
  const { link, keys, marks, format, now } = options
  const [main = ''] = marks
  const ask: Ask = work => again(() => link.run(work))

  async function* recordsOf(
    content: Count,
    showPart: ShowPart,
  ): AsyncGenerator<BackupRecord> {
    const total = await sizeOf(link)
    let done = 0
    for await (const names of scan(link, keys.every)) {
      const kept = names.filter(name => isKept(name, keys))
      for (const record of await Promise.all(
        kept.map(name => ask(readKey(name, keys, now))),
      )) {
        if (record === undefined) continue
        content.add(record)
        yield record
      }
      done += names.length
      showPart(Math.min(1, done / total))
    }
    // After the accounts: whoever was added meanwhile is there with the name, or not at all.
    yield* nameRecords(ask, keys)
  }

  /** Servers answer 503 from now on: they miss the store's identity. Gives what it was. */
  async function withdraw(): Promise<string | null> {
    const before = await ask(client => client.get(main))
    await ask(client => client.set(keys.lost, 1, 'PX', LOST_MS))
    for (const mark of marks) await ask(client => client.del(mark))
    for await (const names of scan(link, keys.every)) {
      const gone = names.filter(name => name !== keys.lost && !marks.includes(name))
      await Promise.all(gone.map(name => ask(client => client.unlink(name))))
    }
    return before
  }

  /**
   * Servers go on. Those that run have to put back what they know of, so the identity that they knew gets a
   * successor; where nobody knew one it is that of the back-up.
   */
  async function admit(before: string | null, mark: string | undefined): Promise<void> {
    const announced = await ask(client => client.get(main))
    const text = announced ?? (before === null ? mark : markAfter(before))
    if (text !== undefined) {
      await Promise.all(marks.map(name => ask(client => client.set(name, text))))
    }
    await ask(client => client.del(keys.lost))
    for (let times = 0; times < NOTICES; times++) {
      await wait(NOTICE_MS)
      await ask(client => client.del(keys.lost))
    }
  }

  return {
    async save(file, showPart = () => {}) {
      const content = new Count(await now())
      const mark = (await ask(client => client.get(main))) ?? undefined
      const { readableFrom } = await again(() => format.read())
      const header = { takenAt: content.takenAt, mark, readableFrom }
      await writeBackupFile(file, header, recordsOf(content, showPart))
      return content.sum()
    },

    async restore(file: string, { replace, showPart = () => {} }: RestoreOptions) {
      const { takenAt, mark, count, readableFrom } = await checkBackupFile(file)
      if (readableFrom > format.known) {
        throw newerBackup(file, readableFrom, format.known)
      }
      if (!replace && (await ask(client => client.exists(keys.names))) === 1) {
        throw notEmpty()
      }
      const content = new Count(takenAt)
      const before = await withdraw()
      const at = await now()
      let done = 0
      for await (const records of batches(readBackupFile(file))) {
        await Promise.all(records.map(record => ask(writeKey(record, keys, at))))
        await Promise.all(records.flatMap(record => claimOf(record, keys, ask)))
        for (const record of records) content.add(record)
        done += records.length
        showPart(done / count)
      }
      await admit(before, mark)
      return content.sum()
    },
  }
}

/** Counts what records are about. */
class Count {
  readonly takenAt: number
  #accounts = 0
  #sessions = 0
  #revocations = 0

  constructor(takenAt: number) {
    this.takenAt = takenAt
  }

  add({ key, hash }: BackupRecord): void {
    if (/^\{[^}]+\}:u$/.test(key) && hash?.includes('sub')) this.#accounts += 1
    if (/^\{[^}]+\}:f:/.test(key)) this.#sessions += 1
    if (/^\{(?!status\})[^}]+\}:r:/.test(key)) this.#revocations += 1
  }

  sum(): BackupContent {
    return {
      takenAt: this.takenAt,
      accounts: this.#accounts,
      sessions: this.#sessions,
      revocations: this.#revocations,
    }
  }
}

/** Marks of the moment, and counts of addresses, belong to the server that has them. */
function isKept(name: string, keys: RedisKeys): boolean {
  const passing = [
    keys.probe,
    keys.lost,
    keys.names,
    keys.identity(0).slice(0, -1),
    keys.rate(''),
  ]
  return !passing.some(start => name.startsWith(start))
}

/** Reads a key with its end; undefined: it is gone. */
function readKey(name: string, keys: RedisKeys, now: () => Promise<number>) {
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

async function* nameRecords(ask: Ask, keys: RedisKeys): AsyncGenerator<BackupRecord> {
  let cursor = '0'
  do {
    const at = cursor
    const [next, hash] = await ask(client => client.hscan(keys.names, at, 'COUNT', BATCH))
    cursor = next
    if (hash.length > 0) yield { key: keys.bareName(keys.names), hash }
  } while (cursor !== '0')
}

/** An account that was removed while the back-up was made has its name again, as it had at its begin. */
function claimOf(
  { key, hash = [] }: BackupRecord,
  keys: RedisKeys,
  ask: Ask,
): Array<Promise<unknown>> {
  const [, tag] = /^\{([^}]+)\}:u$/.exec(key) ?? []
  const folded = hash.find((_, index) => index % 2 === 1 && hash[index - 1] === 'folded')
  if (tag === undefined || folded === undefined) return []
  return [ask(client => client.hsetnx(keys.names, folded, `${tag} 0`))]
}

/** Writes a key anew, with its end, in one step. A part of a large hash is added to the others. */
function writeKey(
  { key, expiresAt, text, hash, sorted }: BackupRecord,
  keys: RedisKeys,
  at: number,
) {
  return async (client: Redis | Cluster): Promise<void> => {
    if (expiresAt !== undefined && expiresAt <= at) return
    const name = keys.fullName(key)
    const step = client.multi()
    if (text !== undefined) step.set(name, Buffer.from(text, 'base64'))
    if (hash !== undefined && hash.length > 0) step.hset(name, ...hash)
    // Backwards each score stands before its member, as ZADD takes them.
    if (sorted !== undefined) step.zadd(name, ...sorted.toReversed())
    if (expiresAt !== undefined) step.pexpireat(name, expiresAt)
    const results = await step.exec()
    const refused = results?.find(([error]) => error !== null)
    if (refused !== undefined) throw refused[0]
  }
}

/** The names that a pattern finds, on every primary; a name may come twice. */
async function* scan(link: Caller, pattern: string): AsyncGenerator<string[]> {
  for (const node of primariesOf(link.client)) {
    let cursor = '0'
    do {
      const at = cursor
      const [next, names] = await again(() =>
        link.run(() => node.scan(at, 'MATCH', pattern, 'COUNT', BATCH)),
      )
      cursor = next
      yield names
    } while (cursor !== '0')
  }
}

async function sizeOf(link: Caller): Promise<number> {
  const sizes = await Promise.all(
    primariesOf(link.client).map(node => again(() => link.run(() => node.dbsize()))),
  )
  return Math.max(
    1,
    sizes.reduce((sum, size) => sum + size, 0),
  )
}

async function* batches<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function again<T>(work: () => Promise<T>, left = TRIES): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (left <= 1) throw error
    await wait(PAUSE_MS)
    return again(work, left - 1)
  }
}
