// Authorization headers that have authenticated a client by its secret. A client that asks often sends the
// same one each time. Only right ones are remembered, by a keyed hash, until the configuration is reloaded.
import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { systemRandom, type Random } from '../base/random.ts'
import type { Authenticated } from './credentials.ts'
import type { ClientRegistry } from './registry.ts'

const REMEMBERED = 1000

/** The memory of one registry. */
export interface ProvenHeaders {
  /** Whom this header has authenticated since the clients were last replaced. */
  recall(header: string): Authenticated | undefined
  remember(header: string, authenticated: Authenticated): void
}

/** Makes the memory. */
export function createProvenHeaders(
  clients: Pick<ClientRegistry, 'generation'>,
  random: Random = systemRandom,
): ProvenHeaders {
  // No id leaves this process: a key before the text is enough, at a tenth of what an HMAC costs.
  const key = random.bytes(32).toString('hex')
  const idOf = (header: string) => hash('sha256', key + header, 'base64')
  const proven = new LRUCache<string, Authenticated>({ max: REMEMBERED })
  let generation = clients.generation()
  return {
    recall(header) {
      if (generation !== clients.generation()) {
        proven.clear()
        generation = clients.generation()
      }
      return proven.get(idOf(header))
    },
    remember(header, authenticated) {
      proven.set(idOf(header), authenticated)
    },
  }
}
