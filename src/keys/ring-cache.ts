// The ring in memory. Its view is computed again only when an instant has passed, and JWKS is serialised only
// when the keys have changed.
import type { StoredRing } from '../stores/ports/documents/keys.ts'
import { instantsOf } from './schedule/instants.ts'
import type { AlgorithmName } from '../oauth/algorithms.ts'
import {
  cacheLife,
  changeAfter,
  createJwksDocuments,
  type JwksDocument,
  type JwksDocuments,
} from './jwks-document.ts'
import { viewAt, type OpenedKey, type View } from './snapshot.ts'

/** A ring that was read. */
export interface LoadedRing {
  readonly ring: StoredRing
  readonly keys: readonly OpenedKey[]
  /** The store's clock minus the monotonic one. */
  readonly offsetMs: number
}

/** The document that verifiers fetch. */
export interface Jwks extends JwksDocument {
  /** How long a copy may be kept, in seconds. */
  readonly maxAge: number
}

/** The ring of this process and its present view. Throws Error before the first ring was put in. */
export interface RingCache {
  /** Puts another ring in the place of this one. */
  replace(ring: LoadedRing): void
  loaded(): LoadedRing
  view(): View
  /** All keys, or those of one algorithm. */
  jwks(algorithm?: AlgorithmName): Jwks
}

/** How long a view is valid, in milliseconds; only until the next instant if that is nearer. */
const VIEW_MS = 1_000

/** A ring as it is now. */
interface Present {
  readonly view: View
  readonly documents: JwksDocuments
  /** When the documents are to be other ones. */
  readonly changesAt: number
  /** When the view has to be computed again. */
  readonly until: number
}

/** Makes the cache, which is empty. */
export function createRingCache(monotonic: () => number): RingCache {
  let loaded: LoadedRing | undefined
  let present: Present | undefined

  const current = (): LoadedRing => {
    if (loaded === undefined) throw new Error('the key ring is not loaded')
    return loaded
  }
  const presentAt = (now: number): Present => {
    const { keys, offsetMs } = current()
    if (present !== undefined && now >= present.view.now && now < present.until) {
      return present
    }
    const view = viewAt(keys, now, now - offsetMs)
    const documents = documentsOf(view, present)
    present = {
      view,
      documents,
      changesAt: changeAfter(view.living, now),
      until: Math.min(
        now + VIEW_MS,
        ...view.living.flatMap(instantsOf).filter(at => at > now),
      ),
    }
    return present
  }
  const now = () => monotonic() + current().offsetMs

  return {
    replace(next) {
      loaded = next
      // Its documents may serve the next ring, too.
      if (present !== undefined) present = { ...present, until: 0 }
    },
    loaded: current,
    view: () => presentAt(now()).view,
    jwks(algorithm) {
      const at = now()
      const { documents, changesAt } = presentAt(at)
      return {
        ...documents(algorithm),
        maxAge: Math.floor(cacheLife(changesAt, at) / 1000),
      }
    },
  }
}

function documentsOf({ living }: View, before: Present | undefined): JwksDocuments {
  const isSame =
    before !== undefined &&
    before.view.living.length === living.length &&
    living.every(({ kid }, index) => before.view.living[index]?.kid === kid)
  return isSame ? before.documents : createJwksDocuments(living)
}
