// How much old clients still need: each use of a switch is counted, and named in the log once an hour, so
// that an operator sees when the last one is gone.
import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../../base/clock.ts'

/** The switches of `compat`, as metrics and the log name them. */
export type CompatSwitch = 'default_client' | 'grant_type' | 'json' | 'path' | 'keycloak'

/** Notes one use. */
export type NoteUse = (name: CompatSwitch) => void

export interface UsesOptions {
  readonly clock: Clock
  readonly count: NoteUse
  readonly log: Pick<FastifyBaseLogger, 'warn'>
}

const HOUR_MS = 3_600_000

/** Makes the note of uses: a line at the first one, then at most one an hour for each switch. */
export function createUses({ clock, count, log }: UsesOptions): NoteUse {
  const noted = new Map<CompatSwitch, { loggedAt: number; requests: number }>()
  return name => {
    count(name)
    const now = clock()
    const use = noted.get(name) ?? { loggedAt: -Infinity, requests: 0 }
    noted.set(name, use)
    use.requests += 1
    if (now - use.loggedAt < HOUR_MS) return
    log.warn(
      { switch: name, requests: use.requests },
      'old clients still need this switch of compat; requests: how many since the last such line',
    )
    use.loggedAt = now
    use.requests = 0
  }
}
