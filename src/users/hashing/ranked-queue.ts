// Two fair queues in one: known people go before strangers, lest an attack from many networks keeps those out
// who logged in from theirs before. Of four turns one is a stranger's all the same: nobody starves.
import { createFairQueue, type LanePath } from './fair-queue.ts'

/** Where something waits. */
export interface Place {
  readonly lane: LanePath
  /** Whether it goes before strangers. */
  readonly known?: boolean
}

export interface RankedQueue<Item> {
  readonly size: number
  /** How many are given out before a newcomer, at most, should nothing else arrive. */
  position(place: Place): number
  push(place: Place, item: Item): void
  /** Takes the next one that `isReady`; what isn't keeps its place. */
  take(isReady: (item: Item) => boolean): Item | undefined
  /** Takes the one that can be missed most: a stranger, from where most of them wait. */
  takeLeast(): Item | undefined
  /** Takes this one out; nothing happens when it has left. */
  remove(place: Place, item: Item): void
}

/** So many turns of known people in a row, where strangers wait. */
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
