// A fair queue of waiting logins. Clients take turns, then a client's networks from the largest to the
// smallest; within the smallest the order of arrival counts. However many wait from one place, a login from
// elsewhere is next but one.

/** The place of an item: client, then networks from the largest to the smallest. */
export type LanePath = readonly string[]

export interface FairQueue<Item> {
  readonly size: number
  /** How many leave before a newcomer to the lane, at most, if nothing else arrives. */
  position(path: LanePath): number
  push(path: LanePath, item: Item): void
  /** Takes the next item that `isReady`; the others keep their places. */
  take(isReady: (item: Item) => boolean): Item | undefined
  /** Takes the latest arrival of the longest lane; of several such lanes, the one whose turn comes last. */
  takeFromLongest(): Item | undefined
  /** Removes the item; nothing happens when it has left. */
  remove(path: LanePath, item: Item): void
}

/** A lane, or what lies above lanes. Maps and sets keep the order in which things came in. */
interface Branch<Item> {
  size: number
  readonly below: Map<string, Branch<Item>>
  readonly items: Set<Item>
}

export function createFairQueue<Item>(): FairQueue<Item> {
  const root = emptyBranch<Item>()
  return {
    get size() {
      return root.size
    },
    position: path => position(root, path),
    push: (path, item) => push(root, path, item),
    take: isReady => take(root, isReady),
    takeFromLongest: () => takeFromLongest(root),
    remove: (path, item) => {
      remove(root, path, item)
    },
  }
}

function emptyBranch<Item>(): Branch<Item> {
  return { size: 0, below: new Map(), items: new Set() }
}

// While a branch takes so many turns, each of its siblings takes at most one more.
function position<Item>(
  branch: Branch<Item> | undefined,
  [key, ...rest]: LanePath,
): number {
  if (branch === undefined) return 0
  if (key === undefined) return branch.items.size
  const own = position(branch.below.get(key), rest)
  const others = [...branch.below].map(([other, { size }]) =>
    other === key ? 0 : Math.min(size, own + 1),
  )
  return others.reduce((sum, turns) => sum + turns, own + branch.items.size)
}

function push<Item>(branch: Branch<Item>, [key, ...rest]: LanePath, item: Item): void {
  branch.size += 1
  if (key === undefined) {
    branch.items.add(item)
    return
  }
  const next = branch.below.get(key) ?? emptyBranch<Item>()
  branch.below.set(key, next)
  push(next, rest, item)
}

function take<Item>(
  branch: Branch<Item>,
  isReady: (item: Item) => boolean,
): Item | undefined {
  const own = [...branch.items].find(isReady)
  if (own !== undefined) return drop(branch, own)
  for (const [key, next] of branch.below) {
    const item = take(next, isReady)
    if (item === undefined) continue
    branch.size -= 1
    branch.below.delete(key)
    // Behind all others: the next turn is theirs.
    if (next.size > 0) branch.below.set(key, next)
    return item
  }
  return undefined
}

function takeFromLongest<Item>(branch: Branch<Item>): Item | undefined {
  const [longest] = [...branch.below].reverse().sort(([, a], [, b]) => b.size - a.size)
  if (longest === undefined) {
    const last = [...branch.items].at(-1)
    return last === undefined ? undefined : drop(branch, last)
  }
  const [key, next] = longest
  branch.size -= 1
  if (next.size === 1) branch.below.delete(key)
  return takeFromLongest(next)
}

function drop<Item>(branch: Branch<Item>, item: Item): Item {
  branch.items.delete(item)
  branch.size -= 1
  return item
}

function remove<Item>(
  branch: Branch<Item>,
  [key, ...rest]: LanePath,
  item: Item,
): boolean {
  const next = key === undefined ? undefined : branch.below.get(key)
  const removed =
    next === undefined ? branch.items.delete(item) : remove(next, rest, item)
  if (removed) branch.size -= 1
  if (key !== undefined && next?.size === 0) branch.below.delete(key)
  return removed
}
