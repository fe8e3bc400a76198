// What was refused and is still to be written: bounded, and folded where it is the same again. Under attack
// each server writes one small batch a second, however many logins it refuses.
import type { Clock } from '../../base/clock.ts'
import type { Reason } from '../../base/events/reasons.ts'
import { userTag } from '../../base/ids.ts'
import {
  mergeRefusals,
  type LoginRefusal,
  type LoginRefusals as RefusalStore,
  type RefusedName,
} from '../../stores/ports/logins/refusals.ts'

/** A login that was refused. */
export interface RefusedLogin {
  /** As it was typed. */
  readonly name: string
  /** Whose it is; undefined: nobody has it, or nobody has looked. */
  readonly sub?: string | undefined
  readonly reason: Reason
  /** The client as the request named it: printable, and not too long. */
  readonly clientId?: string | undefined
  /** The /24 or /64 that it came from. */
  readonly network: string
  /** In how many milliseconds the next try is let in; undefined: nothing delays it. */
  readonly retryAfterMs?: number | undefined
}

/** Takes refusals, and writes them. */
export interface Notes {
  /** Notes a refusal; never waits, and asks no store. */
  note(refused: RefusedLogin): void
  /** Writes what was noted. Rejects with StoreUnavailable; the next call writes it then. */
  flush(): Promise<void>
}

export interface NotesOptions {
  readonly store: Pick<RefusalStore, 'add'>
  /** The keyed hash of a name. */
  readonly hash: (name: string) => string
  readonly clock: Clock
}

/** How much the store keeps, and how long: over a weekend. */
export const KEPT = { names: 5_000, refusals: 10, keepMs: 72 * 3_600_000 }
/** How many names are written at once, and how many of them from one network. */
const MOST_NOTED = { names: 64, ofNetwork: 8 }

/** Reasons that prove that the name has an account. */
const OF_ACCOUNTS: ReadonlySet<string> = new Set<Reason>([
  'password_wrong',
  'user_disabled',
  'scope_not_allowed_to_user',
])

/** Makes the notes. */
export function createNotes({ store, hash, clock }: NotesOptions): Notes {
  let noted = new Map<string, RefusedName>()
  let namesFrom = new Map<string, number>()

  /** Adds to what is to be written; the name that was refused longest ago makes room. */
  function put(key: string, { refusals, ...one }: RefusedName): void {
    const before = noted.get(key)?.refusals ?? []
    noted.delete(key)
    const merged = mergeRefusals(refusals, before, KEPT.refusals)
    noted.set(key, { ...one, refusals: merged })
    // Maps keep the order in which things came in.
    for (const oldest of noted.keys()) {
      if (noted.size <= MOST_NOTED.names) break
      noted.delete(oldest)
    }
  }

  return {
    note(refused) {
      const { network, reason } = refused
      const group = OF_ACCOUNTS.has(reason) ? 'accounts' : 'names'
      const name = hash(refused.name)
      const key = `${group} ${name}`
      const names = namesFrom.get(network) ?? 0
      if (!noted.has(key)) {
        // One network must not push out what comes from others.
        if (names >= MOST_NOTED.ofNetwork) return
        namesFrom.set(network, names + 1)
      }
      put(key, { group, name, refusals: [refusalOf(refused, clock())] })
    },

    async flush() {
      if (noted.size === 0) return
      const taken = noted
      noted = new Map()
      namesFrom = new Map()
      try {
        const names = [...taken.values()]
        await store.add([...names, ...subjectsOf(names)], KEPT)
      } catch (error) {
        const newer = noted
        noted = taken
        for (const [key, one] of newer) put(key, one)
        throw error
      }
    },
  }
}

/** The same by account: whatever it is called later, these were its own. */
function subjectsOf(names: readonly RefusedName[]): readonly RefusedName[] {
  const byTag = new Map<string, readonly LoginRefusal[]>()
  for (const refusal of names.flatMap(({ refusals }) => refusals)) {
    const { tag } = refusal
    if (tag === undefined) continue
    const merged = mergeRefusals([refusal], byTag.get(tag) ?? [], KEPT.refusals)
    byTag.set(tag, merged)
  }
  return [...byTag].map(([name, refusals]) => ({ group: 'subjects', name, refusals }))
}

function refusalOf(
  { sub, reason, clientId, network, retryAfterMs }: RefusedLogin,
  now: number,
): LoginRefusal {
  return {
    reason,
    ...(sub !== undefined && { tag: userTag(sub) }),
    ...(clientId !== undefined && { clientId }),
    network,
    count: 1,
    firstAt: now,
    lastAt: now,
    ...(retryAfterMs !== undefined && { until: now + retryAfterMs }),
  }
}
