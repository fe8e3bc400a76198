// What commands leave for the audit log of the servers: a command runs beside them, and often elsewhere. It
// leaves each of its lines in the store, as it is written there; one of the servers takes it and logs it.
import type { Random } from '../base/random.ts'
import type { NewItem, OutboxItems, TakenItem } from '../stores/ports/outbox.ts'
import type { Envelope } from './envelope.ts'

/** Audit lines on their way. Promises reject with StoreUnavailable. */
export interface AuditLines {
  /**
   * Leaves lines, in their order. Durable when it resolves.
   *
   * @returns how many were left: fewer than all when too many wait
   */
  leave(lines: readonly string[]): Promise<number>
  /**
   * Writes the lines that wait, each by one server. Should it end between writing a line and taking it away,
   * another writes the line again after a lease.
   *
   * @param write writes one at once; never throws
   * @throws UnreadableLines when some can't be opened here; they wait for a server that can
   */
  takeOver(write: (line: string) => void): Promise<void>
}

/** What the lines are kept with. */
export interface AuditLinesOptions {
  readonly items: Omit<OutboxItems, 'postpone'>
  readonly envelope: Envelope<string>
  readonly random: Pick<Random, 'uuid'>
}

/** Lines that were sealed under a secret that is missing here. */
export class UnreadableLines extends Error {
  override readonly name = 'UnreadableLines'

  constructor() {
    super('they were sealed under a secret that this server lacks: see secrets')
  }
}

/** So many lines may wait for a server. */
export const MOST_LINES = 10_000
/** A server that is slow must not find that another has written its lines. */
const LEASE_MS = 600_000
const AT_ONCE = 100
/** What nobody can read isn't kept for ever. */
const GIVE_UP_MS = 7 * 86_400_000

/** Makes it. */
export function createAuditLines({
  items,
  envelope,
  random,
}: AuditLinesOptions): AuditLines {
  /** Written here; but for an instant only those that the store didn't take away. */
  const written = new Map<string, TakenItem>()

  /** Rejects where it can't be taken away: that is tried again, before the lease ends and others get it. */
  async function takeAway(item: TakenItem): Promise<void> {
    await items.remove(item)
    written.delete(item.id)
  }

  /** Writes a line and takes it away; false: it can't be read here. */
  async function logOne(
    item: TakenItem,
    write: (line: string) => void,
  ): Promise<boolean> {
    const { id, content, ageMs } = item
    const line = lineIn(id, content)
    if (line === undefined) {
      if (ageMs > GIVE_UP_MS) await items.remove(item)
      return false
    }
    write(line)
    written.set(id, item)
    await takeAway(item)
    return true
  }

  /**
   * All that are leased here are written here, even where one can't be taken away: the others would wait for
   * the end of their lease.
   *
   * @returns how many can't be read here
   */
  async function logAll(
    leased: readonly TakenItem[],
    write: (line: string) => void,
  ): Promise<number> {
    const areRead = await Promise.all(leased.map(item => logOne(item, write)))
    return areRead.filter(isRead => !isRead).length
  }

  function itemOf(line: string, place: number): NewItem {
    // Those that are left within a millisecond are taken in the order of their ids.
    const id = `line_${String(place).padStart(6, '0')}_${random.uuid()}`
    return { id, way: 'audit', content: envelope.seal(id, line) }
  }

  function lineIn(id: string, content: string): string | undefined {
    try {
      return envelope.open(id, content)
    } catch {
      return undefined
    }
  }

  return {
    async leave(lines) {
      const all = lines.map(itemOf)
      for (let left = 0; left < all.length; left += AT_ONCE) {
        const batch = all.slice(left, left + AT_ONCE)
        if (!(await items.append(batch, MOST_LINES))) return left
      }
      return lines.length
    },
    async takeOver(write) {
      await Promise.all([...written.values()].map(takeAway))
      // Nothing waits, as good as always: that is only read.
      const { length } = await items.backlog('audit')
      let unread = 0
      for (let left = length; left > 0; left -= AT_ONCE) {
        unread += await logAll(await items.take('audit', AT_ONCE, LEASE_MS), write)
      }
      if (unread > 0) throw new UnreadableLines()
    },
  }
}
