// What each port's adapter is made of.
import type { Caller } from './connection/caller.ts'
import type { Link } from './connection/link.ts'
import { createNames, type Names } from './people/claims/names.ts'
import type { RedisKeys } from './redis-keys.ts'
import { createRevocations, type Revocations } from './safety/revocations.ts'
import { createFormatMark } from './safety/format.ts'
import { loadScript, type Script } from './scripts.ts'
import { createStatusBits, type StatusBits } from './sessions/status-bits.ts'

export interface RedisAdapter {
  readonly link: Link
  readonly keys: RedisKeys
  /** The scripts' time argument: empty, so that they ask the server, or a test clock's instant. */
  readonly time: () => string
  /**
   * The scripts' argument that tells when they were asked for, by the store's clock in milliseconds; empty:
   * nobody knows.
   */
  readonly askedAt: () => number | string
  /** Makes a script ready to run whose effect is to last: on as many replicas as was asked for. */
  readonly durably: (name: string) => Script
  /** Whether replicas are waited for. */
  readonly hasReplicas: boolean
  /**
   * Asked when something isn't there that might be. Rejects with StoreUnavailable where the store has lost
   * its data.
   */
  readonly doubt: () => Promise<void>
  readonly revocations: Revocations
  readonly statusBits: StatusBits
  /** Where the claims of names stand. */
  readonly names: Names
  /** For what is done about a store that is refused. */
  readonly bare: Caller
}

export interface AdapterOptions
  extends
    Pick<RedisAdapter, 'link' | 'keys' | 'time'>,
    Partial<Pick<RedisAdapter, 'askedAt'>> {
  /** Undefined: no replica is waited for. */
  readonly durably?: RedisAdapter['durably'] | undefined
  readonly revocations?: Revocations
  /** Undefined: nobody watches whether data is lost. */
  readonly doubt?: RedisAdapter['doubt'] | undefined
}

/** Puts an adapter together. */
export function createAdapter({
  link,
  keys,
  time,
  askedAt = time,
  durably,
  doubt = async () => {},
  revocations = createRevocations(),
}: AdapterOptions): RedisAdapter {
  const adapter = {
    link,
    keys,
    time,
    askedAt,
    doubt,
    revocations,
    durably: durably ?? ((name: string) => loadScript(link, name)),
    hasReplicas: durably !== undefined,
    bare: link.bare,
  }
  const format = createFormatMark({ link: link.bare, keys })
  return {
    ...adapter,
    statusBits: createStatusBits(adapter),
    names: createNames({ ...adapter, format }),
  }
}
