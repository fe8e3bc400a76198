// Looks, beside refreshes, whether those who refresh are still there in their directory. A refresh never
// waits for it: it notes who refreshed, and a few questions at a time are asked later.
import type { Event } from '../../base/events/events.ts'
import type { Monotonic } from '../../base/clock.ts'
import { userTag } from '../../base/ids.ts'
import type { Account } from '../../stores/ports/directory.ts'
import type { Directory } from './directory.ts'
import type { Lookup } from './external.ts'
import type { GuardedDirectory } from './guarded.ts'
import type { Shadows } from './shadows.ts'

/** As configured; milliseconds. */
export interface RecheckPolicy {
  /** How long refreshes go on while a directory is away. */
  readonly grace: number
  /** How often an account is looked up at most. */
  readonly recheck: number
}

export interface RecheckOptions {
  readonly directory: Pick<Directory, 'byTag'>
  readonly shadows: Pick<Shadows, 'drop' | 'refresh'>
  readonly lookup: (account: Account) => Promise<Lookup>
  readonly find: (directory: string) => GuardedDirectory | undefined
  readonly policy: () => RecheckPolicy
  readonly monotonic: Monotonic
}

/** The looks. */
export interface Recheck {
  /** Notes who has refreshed. Never throws and never waits. */
  hear(event: Event): void
  /** Whether the user's directory has been away for longer than `directory.grace`. Asks nobody. */
  isOverdue(userTag: string): boolean
  /** Resolves when all looks that were begun have ended; for tests and the end. */
  settled(): Promise<void>
}

/** What is known of a user of late. */
interface Seen {
  /** When the next look is due. */
  dueAt: number
  /** Whose shadow it is; undefined: nobody's. */
  directory: string | undefined
}

/** So many looks at once, and so many that wait; who finds no place is looked up at a later refresh. */
const AT_ONCE = 4
const MOST_WAITING = 1_000
/** Of so many users it is known when they were looked up. */
const MOST_SEEN = 200_000
/** After a look that brought nothing. */
const RETRY_MS = 30_000

/** Makes the looks. */
export function createRecheck(options: RecheckOptions): Recheck {
  const { find, policy, monotonic } = options
  const look = createLook(options)
  const seen = new Map<string, Seen>()
  const waiting: string[] = []
  const running = new Set<Promise<void>>()

  function note(tag: string, is: Seen): void {
    // The one that was noted longest ago goes first.
    seen.delete(tag)
    seen.set(tag, is)
    const [oldest] = seen.keys()
    if (seen.size > MOST_SEEN && oldest !== undefined) seen.delete(oldest)
  }

  async function run(tag: string): Promise<void> {
    const { recheck } = policy()
    try {
      const { directory, answered } = await look(tag)
      const ms = answered ? recheck : Math.min(recheck, RETRY_MS)
      note(tag, { dueAt: monotonic() + ms, directory })
    } catch {
      // The store didn't answer. What asks it reports that; the next refresh brings the next look.
      seen.delete(tag)
    }
  }

  function next(): void {
    if (running.size >= AT_ONCE) return
    const tag = waiting.shift()
    if (tag === undefined) return
    const job = run(tag).finally(() => {
      running.delete(job)
      next()
    })
    running.add(job)
  }

  function want(tag: string): void {
    const now = monotonic()
    const known = seen.get(tag)
    if (known !== undefined && known.dueAt > now) return
    if (waiting.length >= MOST_WAITING) return
    // Not again while it waits.
    note(tag, { dueAt: now + policy().recheck, directory: known?.directory })
    waiting.push(tag)
    next()
  }

  return {
    hear(event) {
      if (event.type === 'refresh.rotated') want(userTag(event.sub))
    },
    isOverdue(tag) {
      const name = seen.get(tag)?.directory
      if (name === undefined) return false
      if ((find(name)?.downForMs() ?? 0) <= policy().grace) return false
      // A refused refresh is no event; this look finds out when the directory is back.
      want(tag)
      return true
    },
    async settled() {
      while (running.size > 0) await Promise.all(running)
    },
  }
}

/** Makes one look. Rejects with StoreUnavailable. */
function createLook({ directory, shadows, lookup }: RecheckOptions) {
  return async (
    tag: string,
  ): Promise<{ readonly directory: string | undefined; readonly answered: boolean }> => {
    const account = await directory.byTag(tag)
    const name = account?.external?.directory
    if (account === undefined || name === undefined) {
      return { directory: undefined, answered: true }
    }
    const found = await lookup(account)
    if (found.kind === 'unavailable') return { directory: name, answered: false }
    if (found.kind === 'gone') await shadows.drop(account)
    if (found.kind === 'found') {
      await (found.identity.disabled
        ? shadows.drop(account)
        : shadows.refresh(account, found.identity))
    }
    return { directory: name, answered: true }
  }
}
