// Puts the memory of checks together: two more connections, what is heard on them, and what operators are
// told when nothing is.
import { systemRandom } from '../../../base/random.ts'
import type { AccessTokens } from '../../ports/access-tokens.ts'
import type { StoreRisk } from '../../ports/health.ts'
import type { RedisAdapter } from '../adapter.ts'
import type { RedisSettings } from '../connection/connect.ts'
import { openPair } from '../links.ts'
import { createTimedCheck } from '../sessions/access-tokens.ts'
import { createRecentChecks } from './recent-checks.ts'
import { startTracker } from './tracker.ts'

export interface TrackedChecksOptions {
  readonly adapter: Pick<RedisAdapter, 'link' | 'keys' | 'time' | 'doubt'>
  readonly accessTokens: AccessTokens
  readonly settings: RedisSettings & { readonly recallsChecks?: boolean | undefined }
}

/** The same port, with a memory of checks. */
export interface TrackedChecks {
  readonly accessTokens: AccessTokens
  /** Nothing, or that it has no effect. */
  risks(): StoreRisk[]
  close(): void
}

/**
 * Starts it, where the settings say so; where Redis doesn't report changes, every question goes there.
 *
 * @throws StoreUnavailable when it can't be connected to
 */
export async function startTrackedChecks({
  adapter,
  accessTokens,
  settings,
}: TrackedChecksOptions): Promise<TrackedChecks> {
  if (settings.recallsChecks !== true) {
    return { accessTokens, risks: () => [], close() {} }
  }
  const [tracked, listening] = await openPair(settings, {
    ...settings,
    hearsChanges: true,
  })
  const recent = createRecentChecks({
    tracked: createTimedCheck({ ...adapter, link: tracked }),
    check: accessTokens.check,
    // A store that is down or refused answers nothing.
    isFresh: () => adapter.link.isOpen() && tracker.isFresh(),
  })
  const tracker = await startTracker({
    main: adapter.link,
    tracked,
    listening,
    probeKey: `${adapter.keys.probe}:${systemRandom.uuid()}`,
    changes: recent,
  })
  return {
    accessTokens: { ...accessTokens, check: recent.check },
    risks() {
      const fault = tracker.fault()
      if (fault === undefined) return []
      const advice =
        `introspection.cache has no effect, as Redis does not report changes (${fault}): it takes ` +
        'Redis 6 or newer, and an ACL user needs +subscribe and +client|tracking'
      return [{ check: 'tracking', advice }]
    },
    close: tracker.close,
  }
}
