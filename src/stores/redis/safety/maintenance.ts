// What is done about a store from outside of what it is for: whether it takes writes, what it has lost, and
// which form its data has. A store that is refused answers here, too.
import type { Store } from '../../ports/store.ts'
import type { RedisAdapter } from '../adapter.ts'

/** A mark that a dead probe left behind goes by itself. */
const PROBE_MS = 1000

type Maintenance = Pick<Store, 'probe' | 'lossEndsInMs' | 'acceptLoss' | 'upgrade'>

/** Makes these parts of the store. */
export function createMaintenance({
  bare: { run },
  keys,
  names,
}: Pick<RedisAdapter, 'bare' | 'keys' | 'names'>): Maintenance {
  return {
    async probe() {
      await run(client => client.set(keys.probe, 1, 'PX', PROBE_MS))
      await run(client => client.del(keys.probe))
    },
    async lossEndsInMs() {
      const ms = await run(client => client.pttl(keys.lost))
      return ms >= 0 ? ms : undefined
    },
    async acceptLoss() {
      return (await run(client => client.del(keys.lost))) === 1
    },
    upgrade: names.upgrade,
  }
}
