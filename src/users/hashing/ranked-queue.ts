// Two fair queues in one: people who logged in from their network before go ahead of strangers, so that an
// attack from many networks doesn't lock them out. One turn of four is a stranger's: nobody starves.
import { createFairQueue, type LanePath } from './fair-queue.ts'

/** The place of an item. */
export interface Place {
  readonly lane: LanePath
  /** Whether it goes before strangers. */
  readonly known?: boolean
}

export interface RankedQueue<Item> {
  readonly size: number
  /** How many leave before a newcomer, at most, if nothing else arrives. */
  position(place: Place): number
  push(place: Place, item: Item): void
  /** Takes the next item that `isReady`; the others keep their places. */
  take(isReady: (item: Item) => boolean): Item | undefined
  /** Takes the most dispensable item: a stranger of the longest lane. */
  takeLeast(): Item | undefined
  /** Removes the item; nothing happens when it has left. */
  remove(place: Place, item: Item): void
}

/** How many turns in a row known people get while strangers wait. */
const KNOWN_IN_A_ROW = 3

/** Makes the queue. */
export function createRankedQueue<Item>(): RankedQueue<Item> {
  const known = createFairQueue<Item>()
  const strangers = createFairQueue<Item>()
  let inARow = 0

  const queueOf = (place: Place) => (place.known === true ? known : strangers)

  function positionOf(place: Place): number {
    const own = queueOf(place).position(place.lane)
    return place.known === true
      ? own + Math.min(strangers.size, Math.floor((inARow + own) / KNOWN_IN_A_ROW))
      : own + Math.min(known.size, (own + 1) * KNOWN_IN_A_ROW)
  }

  function take(isReady: (item: Item) => boolean): Item | undefined {
    const order = inARow < KNOWN_IN_A_ROW ? [known, strangers] : [strangers, known]
    for (const queue of order) {
      const item = queue.take(isReady)
      if (item === undefined) continue
      inARow = queue === known && strangers.size > 0 ? inARow + 1 : 0
      return item
    }
    return undefined
  }

  return {
    get size() {
      return known.size + strangers.size
    },
    position: positionOf,
    push: (place, item) => {
      queueOf(place).push(place.lane, item)
    },
    take,
    takeLeast: () => strangers.takeFromLongest() ?? known.takeFromLongest(),
    remove: (place, item) => {
      queueOf(place).remove(place.lane, item)
    },
  }
}
