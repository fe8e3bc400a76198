// The ring in memory. It is looked at anew only when an instant has passed, and serialised only when its keys
// have changed.
import type { StoredRing } from '../stores/ports/documents/keys.ts'
import { instantsOf } from './schedule/instants.ts'
import { cacheLife, changeAfter, jwksDocument, type JwksDocument } from './jwks.ts'
import { look, type OpenedKey, type View } from './snapshot.ts'

/** A ring that was read. */
export interface Taken {
  readonly ring: StoredRing
  readonly keys: readonly OpenedKey[]
  /** The store's clock minus the monotonic one. */
  readonly offsetMs: number
}

/** What verifiers are sent. */
export interface Jwks extends JwksDocument {
  /** How long a copy may be kept, in seconds. */
  readonly maxAge: number
}

/** The ring of this process, and what it means now. Throws Error before a ring was taken. */
export interface Held {
  /** Puts another ring in the place of this one. */
  take(taken: Taken): void
  taken(): Taken
  view(): View
  jwks(): Jwks
}

/** How long a look is good for, in milliseconds; until the next instant if that is nearer. */
const LOOK_MS = 1_000

/** A ring as it is now. */
interface Present {
  readonly view: View
  readonly document: JwksDocument
  /** When the document is to be another one. */
  readonly changesAt: number
  /** When this has to be found out anew. */
  readonly until: number
}

/** Makes the place that a ring is held in. */
export function createHeld(monotonic: () => number): Held {
  let taken: Taken | undefined
  let present: Present | undefined

  const current = (): Taken => {
    if (taken === undefined) throw new Error('the key ring is not loaded')
    return taken
  }
  const presentAt = (now: number): Present => {
    const { keys, offsetMs } = current()
    if (present !== undefined && now >= present.view.now && now < present.until) {
      return present
    }
    const view = look(keys, now, now - offsetMs)
    const document = documentOf(view, present)
    present = {
      view,
      document,
      changesAt: changeAfter(view.living, now),
      until: Math.min(
        now + LOOK_MS,
        ...view.living.flatMap(instantsOf).filter(at => at > now),
      ),
    }
    return present
  }
  const now = () => monotonic() + current().offsetMs

  return {
    take(next) {
      taken = next
      // Its document may serve the next ring, too.
      if (present !== undefined) present = { ...present, until: 0 }
    },
    taken: current,
    view: () => presentAt(now()).view,
    jwks() {
      const at = now()
      const { document, changesAt } = presentAt(at)
      return { ...document, maxAge: Math.floor(cacheLife(changesAt, at) / 1000) }
    },
  }
}

function documentOf({ living }: View, before: Present | undefined): JwksDocument {
  const isSame =
    before !== undefined &&
    before.view.living.length === living.length &&
    living.every(({ kid }, index) => before.view.living[index]?.kid === kid)
  return isSame ? before.document : jwksDocument(living.map(({ jwk }) => jwk))
}
