// How the marks of the store's identity, and the mark of a loss, are read and written in Redis.
import type { Caller } from '../connection/caller.ts'
import type { RedisKeys } from '../redis-keys.ts'
import { loadScript } from '../scripts.ts'
import { answersOf, markOf, marksOf, type Mark, type Marks } from './identity-marks.ts'
import { factsOf, primariesOf } from './inspect.ts'

export interface IdentityRecordsOptions {
  /** Calls through it are not refused while data is missing. */
  readonly link: Caller
  readonly keys: Pick<RedisKeys, 'identity' | 'lost'>
  /** How long the mark of a loss stays, in milliseconds. */
  readonly lossPeriodMs: number
}

/** Each call rejects with StoreUnavailable where Redis doesn't answer. */
export interface IdentityRecords {
  /** The indexes of all marks. */
  readonly indexes: readonly number[]
  /** Rejects only when no mark can be read. */
  read(): Promise<Marks>
  /** Writes the first mark, unless it no longer is the one that was seen. Gives the one that is there now. */
  replaceFirst(mark: Mark, seen: string): Promise<Mark>
  /** Writes the other marks of these indexes. */
  writeOthers(indexes: readonly number[], text: string): Promise<void>
  isLost(): Promise<boolean>
  /** Marks a loss; the time of an earlier one goes on. */
  markLost(): Promise<void>
  endLoss(): Promise<void>
  /** The ids of the processes that are primaries now. */
  processIds(): Promise<ReadonlySet<string>>
}

/** Makes the access to the marks. */
export function createIdentityRecords({
  link,
  keys,
  lossPeriodMs,
}: IdentityRecordsOptions): IdentityRecords {
  const names = marksOf(link.client, keys)
  const setScript = loadScript(link, 'identity-set')

  return {
    indexes: [...names.keys()],
    read: () => answersOf(names.map(name => link.run(client => client.get(name)))),
    async replaceFirst(mark, seen) {
      const [text] = await setScript([keys.identity(0)], [seen, mark.text])
      return markOf(String(text))
    },
    async writeOthers(indexes, text) {
      const others = indexes.filter(index => index > 0).map(keys.identity)
      await Promise.all(others.map(name => link.run(client => client.set(name, text))))
    },
    isLost: async () => (await link.run(client => client.exists(keys.lost))) === 1,
    async markLost() {
      await link.run(client => client.set(keys.lost, 1, 'PX', lossPeriodMs, 'NX'))
    },
    async endLoss() {
      await link.run(client => client.del(keys.lost))
    },
    async processIds() {
      const infos = await answersOf(
        primariesOf(link.client).map(node => link.run(() => node.info('server'))),
      )
      const answered = infos.filter(info => info !== undefined)
      return new Set(answered.map(info => String(factsOf(info)['run_id'])))
    },
  }
}
