// Which release has written to the store, and which one a release must be to work on it
// (docs/decisions/stored-data.md).
import { newerFormat, unreadableFormat, type StoreRisk } from '../../ports/health.ts'
import type { Caller } from '../connection/caller.ts'
import { addressOf, RedisFault, unavailable } from '../connection/reasons.ts'
import type { RedisKeys } from '../redis-keys.ts'
import { loadScript } from '../scripts.ts'

/** A format is a number that counts up; 0: by a release from before there was a mark. */
export interface RedisFormat {
  /** The newest that a release which was started here writes. */
  readonly written: number
  /** What a release must know to work on the store. */
  readonly readableFrom: number
}

/** This release's: `written` is what it knows, `readableFrom` what others must know once it has written. */
export const REDIS_FORMAT: RedisFormat = { written: 4, readableFrom: 0 }

/** The store's format. */
export interface FormatMark {
  /** The newest format that this release knows. */
  readonly known: number
  /** Rejects with StoreUnavailable where this release can't work on the store. Writes nothing. */
  check(): Promise<void>
  /** As `check`, and then the store says that this release has written to it. */
  keep(): Promise<void>
  /** Raises what the store says to at least that. */
  raise(format: RedisFormat): Promise<void>
  /** What the store says; 0 and 0 where it says nothing. */
  read(): Promise<RedisFormat>
  /** For an operator whose release is older than the newest that has written. */
  risks(): Promise<readonly StoreRisk[]>
}

export interface FormatMarkOptions {
  /** Calls through it are not refused while data is missing. */
  readonly link: Caller
  readonly keys: Pick<RedisKeys, 'format'>
  /** Replaces REDIS_FORMAT; for tests. */
  readonly own?: RedisFormat | undefined
}

/** Makes the access to the mark. */
export function createFormatMark({
  link,
  keys,
  own = REDIS_FORMAT,
}: FormatMarkOptions): FormatMark {
  const markScript = loadScript(link, 'format-mark')

  async function read(): Promise<RedisFormat> {
    const [written, readableFrom] = await link.run(client =>
      client.hmget(keys.format, 'written', 'readableFrom'),
    )
    return { written: Number(written), readableFrom: Number(readableFrom) }
  }

  async function check(): Promise<void> {
    const { readableFrom } = await read()
    if (readableFrom <= own.written) return
    const why = unreadableFormat(readableFrom, own.written)
    const at = addressOf(link.client)
    throw unavailable(new RedisFault(`Redis at ${at} can't be used: ${why}`), at)
  }

  async function raise({ written, readableFrom }: RedisFormat): Promise<void> {
    await markScript([keys.format], [written, readableFrom])
  }

  return {
    known: own.written,
    read,
    check,
    raise,
    async keep() {
      await check()
      await raise(own)
    },
    async risks() {
      const { written } = await read()
      return newerFormat(written, own.written)
    },
  }
}
