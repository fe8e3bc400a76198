// The file of a back-up of Redis: lines of JSON, compressed. The first says what it is, then one line for
// each record, the last one has their number and checksum.
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { BackupRefused, fileRefusal } from '../../ports/backups.ts'

/** A later format has another number. */
const FORMAT = 1

/** The first line. */
export interface BackupHeader {
  readonly format: number
  /** Milliseconds by Redis' clock. */
  readonly takenAt: number
  /** The store's identity: the text of its marks; undefined where it had none. */
  readonly mark?: string | undefined
  /** What a release must know to work on what is in the file; 0 where it says nothing. */
  readonly readableFrom: number
}

/** One key of Redis, or a part of a large hash. */
export interface BackupRecord {
  /** Without the store's prefix. */
  readonly key: string
  /** When the key goes; milliseconds by Redis' clock; undefined: never. */
  readonly expiresAt?: number | undefined
  /** A string's bytes in base64. */
  readonly text?: string
  /** Fields and values of a hash, in turn. */
  readonly hash?: readonly string[]
  /** Members and scores of a sorted set, in turn. */
  readonly sorted?: readonly string[]
}

/**
 * Writes a new file, readable for its owner only; a file that isn't whole doesn't stay.
 *
 * @throws BackupRefused when the file can't be made; whatever `records` throws
 */
export async function writeBackupFile(
  file: string,
  header: Omit<BackupHeader, 'format'>,
  records: AsyncIterable<BackupRecord>,
): Promise<void> {
  const output = createWriteStream(file, {
    flags: 'wx',
    mode: 0o600,
    flush: true,
  })
  await new Promise<void>((resolve, reject) => {
    output.once('open', () => resolve())
    output.once('error', error => reject(fileRefusal(file, error)))
  })
  try {
    await pipeline(linesOf({ format: FORMAT, ...header }, records), createGzip(), output)
  } catch (error) {
    await unlink(file)
    throw error
  }
}

async function* linesOf(
  header: BackupHeader,
  records: AsyncIterable<BackupRecord>,
): AsyncGenerator<string> {
  const hash = createHash('sha256')
  let count = 0
  const add = (what: unknown) => {
    const line = `${JSON.stringify(what)}\n`
    hash.update(line)
    return line
  }
  yield add({ latchkey: 'back-up of Redis', ...header })
  for await (const record of records) {
    count += 1
    yield add(record)
  }
  yield `${JSON.stringify({
    end: true,
    count,
    sha256: hash.digest('base64url'),
  })}\n`
}

/**
 * Reads the whole file and checks it.
 *
 * @throws BackupRefused when it isn't whole, or nothing that this release can read
 */
export async function checkBackupFile(
  file: string,
): Promise<BackupHeader & { count: number }> {
  const hash = createHash('sha256')
  let header: BackupHeader | undefined
  let last = ''
  let count = -1
  for await (const line of readLines(file)) {
    header ??= headerOf(file, line)
    if (last !== '') hash.update(`${last}\n`)
    last = line
    count += 1
  }
  const end = parse(last)
  const isWhole = end['count'] === count - 1 && end['sha256'] === hash.digest('base64url')
  if (header === undefined || !isWhole) throw damaged(file, 'it is not whole')
  return { ...header, count: count - 1 }
}

/** The records of a file that was checked. */
export async function* readBackupFile(file: string): AsyncGenerator<BackupRecord> {
  for await (const line of readLines(file)) {
    const record = parse(line)
    if (isRecord(record)) yield record
  }
}

function headerOf(file: string, line: string): BackupHeader {
  const { latchkey, format, takenAt, mark, readableFrom } = parse(line)
  if (latchkey !== 'back-up of Redis') {
    throw damaged(file, "it is no back-up of Redis; SQLite's are restored into SQLite")
  }
  if (format !== FORMAT) {
    throw damaged(file, `it has format ${String(format)}, this release reads ${FORMAT}`)
  }
  return {
    format,
    takenAt: Number(takenAt),
    mark: typeof mark === 'string' ? mark : undefined,
    readableFrom: Number(readableFrom ?? 0),
  }
}

async function* readLines(file: string): AsyncGenerator<string> {
  const input = createReadStream(file)
  const text = createGunzip()
  const done = pipeline(input, text)
  // Rejects where nobody listens as well: the loop below has thrown then.
  done.catch(() => {})
  try {
    yield* createInterface({ input: text, crlfDelay: Infinity })
    await done
  } catch (error) {
    throw String(Object(error).code).startsWith('Z_')
      ? damaged(file, 'it is not whole, or no back-up of Redis')
      : fileRefusal(file, error)
  }
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(line))
  } catch {
    return {}
  }
}

function isRecord(value: unknown): value is BackupRecord {
  return typeof Object(value).key === 'string'
}

function damaged(file: string, why: string): BackupRefused {
  return new BackupRefused('file_damaged', `${file} can't be restored: ${why}`)
}
