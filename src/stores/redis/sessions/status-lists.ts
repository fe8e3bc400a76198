// The status lists in Redis: leasing indices, and reading what was revoked. Each call is one script.
import { systemRandom, type Random } from '../../../base/random.ts'
import {
  BLOCK_SIZE,
  BLOCKS,
  CREDENTIAL_LENGTH,
  listGoneAt,
  newListName,
  type BlockOwner,
  type OwnedBlock,
  type StatusLists,
  type StatusNews,
} from '../../ports/status-lists.ts'
import type { RedisAdapter } from '../adapter.ts'
import { listOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'

const DIGITS = 5
/** An owned block: its number in BLOCK_DIGITS hexadecimal digits, SINCE_DIGITS of `since`, the credential. */
const BLOCK_DIGITS = 3
const SINCE_DIGITS = 15
const OWNED_LENGTH = BLOCK_DIGITS + SINCE_DIGITS + CREDENTIAL_LENGTH

export function createRedisStatusLists(
  { bare, keys, time, durably, statusBits }: RedisAdapter,
  random: Random = systemRandom,
): StatusLists {
  const leaseScript = durably('status-lists/lease')
  // Reading and repairing go on while a store that lost its data is refused: what is known goes back into it.
  const readScript = loadScript(bare, 'status-lists/read')

  return {
    async lease(hour, owner) {
      const name = newListName(hour, random)
      const [list, block] = await leaseScript(
        [keys.status.hour(hour), keys.status.lists],
        [
          time(),
          listGoneAt(name),
          name,
          random.int(BLOCKS),
          BLOCKS,
          keys.status.owners(''),
          ownerText(owner),
        ],
      )
      return { list: String(list), first: Number(block) * BLOCK_SIZE }
    },
    revoke: statusBits.set,
    async read(known) {
      const lists = await readScript(
        [keys.status.lists],
        [
          time(),
          keys.status.log(''),
          keys.status.owners(''),
          OWNED_LENGTH,
          ...[...known].flatMap(([list, { revoked, owned }]) => [list, revoked, owned]),
        ],
      )
      return lists.map(listOf).map(newsOf)
    },
  }
}

function newsOf([
  list,
  count,
  revoked,
  ownedCount,
  owned,
]: readonly unknown[]): StatusNews {
  return {
    list: String(list),
    count: Number(count),
    revoked: partsOf(revoked, DIGITS).map(hexadecimal),
    ownedCount: Number(ownedCount),
    owned: partsOf(owned, OWNED_LENGTH).map(ownedOf),
  }
}

function partsOf(text: unknown, length: number): string[] {
  const all = String(text)
  return Array.from({ length: all.length / length }, (_, index) =>
    all.slice(index * length, (index + 1) * length),
  )
}

function hexadecimal(digits: string): number {
  return Number.parseInt(digits, 16)
}

/** What lease.lua writes behind the number of the block. */
function ownerText(owner: BlockOwner | undefined): string {
  if (owner === undefined) return ''
  return `${String(Math.floor(owner.since)).padStart(SINCE_DIGITS, '0')}${owner.credential}`
}

function ownedOf(text: string): OwnedBlock {
  const credentialAt = BLOCK_DIGITS + SINCE_DIGITS
  return {
    first: hexadecimal(text.slice(0, BLOCK_DIGITS)) * BLOCK_SIZE,
    since: Number(text.slice(BLOCK_DIGITS, credentialAt)),
    credential: text.slice(credentialAt),
  }
}
