// Opens the store of a server: measured, traced, and refused where it is too unsafe to run on.
import type { Clock } from './base/clock.ts'
import type { Config } from './config/schema.ts'
import type { Observers } from './observe/observers.ts'
import { timedStore, tracedStore, type Opened } from './observe/tracing/traced-store.ts'
import { openStore } from './stores/open.ts'
import { refuseRisks, risksOf } from './stores/watch.ts'

/** What it is opened with. */
export interface SafeStoreOptions {
  readonly config: Config
  readonly clock: Clock
  readonly observers: Observers
  readonly parts: AsyncDisposableStack
}

/**
 * The store, measured.
 *
 * @throws before anything is written there, when it is too unsafe to run on; StoreUnavailable
 */
export async function openSafeStore({
  config,
  clock,
  observers: { metrics, tracing, accountsWatch },
  parts,
}: SafeStoreOptions): Promise<Opened> {
  const opened = await openStore({
    ...config.store,
    lossPeriodMs: config.store.lossPeriod,
    recallsChecks: config.introspection.cache,
    clock,
    accountsWatch,
    judge: async store => refuseRisks(await risksOf(store, clock), config.store),
  })
  parts.defer(() => opened.store.close())
  const system = config.store.url.startsWith('sqlite:') ? 'sqlite' : 'redis'
  return tracedStore(timedStore(opened, metrics), tracing, system)
}
