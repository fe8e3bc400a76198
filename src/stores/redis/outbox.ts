// The outbox in Redis: a hash of all items, and for each way two sorted sets, by when an item is due and by
// when it was appended. All of it is in one slot, as one step touches several.
import type { Lease, NewItem, OutboxItems, Queue, TakenItem } from '../ports/outbox.ts'
import type { RedisAdapter } from './adapter.ts'
import { loadScript } from './scripts.ts'

/** How many values `take` answers for each item. */
const FIELDS = 4

/** Makes the outbox of this store. */
export function createRedisOutbox({
  link,
  keys: { outbox: keys },
  time,
  durably,
}: RedisAdapter): OutboxItems {
  const append = durably('outbox/append')
  const take = loadScript(link, 'outbox/take')
  const settle = loadScript(link, 'outbox/settle')
  const backlog = loadScript(link, 'outbox/backlog')
  const keysOf = (way: Queue) => [keys.items, keys.due(way), keys.since(way)]

  async function end({ id, way, tries }: Lease, delay: number | ''): Promise<boolean> {
    const [ended] = await settle(keysOf(way), [time(), id, tries, delay])
    return ended === 1
  }

  return {
    async append(items, most) {
      const [appended] = await append(
        [keys.items, ...items.flatMap(({ way }) => keysOf(way).slice(1))],
        [time(), most, ...items.flatMap(({ id, content }: NewItem) => [id, content])],
      )
      return appended === 1
    },
    async take(way, limit, leaseMs) {
      const reply = await take(keysOf(way), [time(), limit, leaseMs])
      return Array.from({ length: reply.length / FIELDS }, (_, place): TakenItem => {
        const [id, tries, ageMs, content] = reply.slice(FIELDS * place)
        return {
          id: String(id),
          way,
          content: String(content),
          tries: Number(tries),
          ageMs: Number(ageMs),
        }
      })
    },
    remove: lease => end(lease, ''),
    postpone: (lease, delayMs) => end(lease, delayMs),
    async backlog(way) {
      const [length, oldestMs] = await backlog([keys.since(way)], [time()])
      return { length: Number(length), oldestMs: Number(oldestMs) }
    },
  }
}
