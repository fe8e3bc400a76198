// The status lists in Redis: leasing indices, and reading what was revoked. Each call is one script.
import { systemRandom, type Random } from '../../../base/random.ts'
import {
  BLOCK_SIZE,
  BLOCKS,
  listGoneAt,
  newListName,
  type StatusLists,
  type StatusNews,
} from '../../ports/status-lists.ts'
import type { RedisAdapter } from '../adapter.ts'
import { listOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'

const DIGITS = 5

export function createRedisStatusLists(
  { bare, keys, time, durably, statusBits }: RedisAdapter,
  random: Random = systemRandom,
): StatusLists {
  const leaseScript = durably('status-lists/lease')
  // Reading and repairing go on while a store that lost its data is refused: what is known goes back into it.
  const readScript = loadScript(bare, 'status-lists/read')

  return {
    async lease(hour) {
      const name = newListName(hour, random)
      const [list, block] = await leaseScript(
        [keys.status.hour(hour), keys.status.lists],
        [time(), listGoneAt(name), name, random.int(BLOCKS), BLOCKS],
      )
      return { list: String(list), first: Number(block) * BLOCK_SIZE }
    },
    revoke: statusBits.set,
    async read(known) {
      const lists = await readScript(
        [keys.status.lists],
        [time(), keys.status.log(''), ...[...known].flat()],
      )
      return lists.map(listOf).map(newsOf)
    },
  }
}

function newsOf([list, count, revoked]: readonly unknown[]): StatusNews {
  const text = String(revoked)
  const indices = Array.from({ length: text.length / DIGITS }, (_, index) =>
    Number.parseInt(text.slice(index * DIGITS, (index + 1) * DIGITS), 16),
  )
  return { list: String(list), count: Number(count), revoked: indices }
}
