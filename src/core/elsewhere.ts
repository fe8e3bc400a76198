// The core's directories elsewhere: what they are made with, and by whom they may be reached.
import { monotonicClock, systemClock } from '../base/clock.ts'
import { systemRandom } from '../base/random.ts'
import { createGuardedPost } from '../clients/guarded-post.ts'
import type { Config } from '../config/schema.ts'
import { createCheckClaims, type CheckClaims } from '../users/attributes/claims-budget.ts'
import {
  createDirectory,
  openElsewhere,
  type DirectoryTools,
  type Elsewhere,
  type ElsewhereOptions,
} from '../users/directory/open.ts'
import { probeDirectory } from '../users/directory/probe.ts'
import { createPasswordHasher } from '../users/hashing/hasher.ts'
import type { ComposeOptions } from './options.ts'
import { coreSettings, type CoreSettings } from './settings.ts'

type Given = Pick<
  ElsewhereOptions,
  | 'directory'
  | 'local'
  | 'failedLogins'
  | 'hasher'
  | 'emit'
  | 'checkNewPassword'
  | 'isClient'
> &
  Pick<ComposeOptions, 'settings' | 'instruments' | 'clock' | 'monotonic' | 'random'> & {
    readonly checkClaims: CheckClaims
  }

/** Composes them; undefined where the configuration has none. */
export function composeElsewhere({
  settings,
  instruments,
  checkClaims,
  ...given
}: Given): Elsewhere | undefined {
  return openElsewhere({
    ...given,
    ...boundsOf(settings, checkClaims),
    settings: settings.directories,
    policy: settings.recheck,
    watch: instruments.directories,
  })
}

/** What the configuration lets a directory do, and say. */
function boundsOf(
  settings: CoreSettings,
  checkClaims: CheckClaims,
): Pick<DirectoryTools, 'postTo' | 'rules'> {
  return {
    postTo: allowPrivate => createGuardedPost({ allowPrivate }),
    rules: () => ({ declarations: settings.attributes(), checkClaims }),
  }
}

/** A directory that gives no verdict, and why. */
export interface SilentDirectory {
  /** Its place in `directories`. */
  readonly index: number
  readonly name: string
  readonly fault: string
}

/** Asks every directory of a configuration whether it answers. */
export async function probeElsewhere(config: Config): Promise<SilentDirectory[]> {
  const settings = coreSettings(() => config)
  const { directories, hashing, claimsBudget } = settings
  const tools: DirectoryTools = {
    ...boundsOf(settings, createCheckClaims(claimsBudget)),
    clock: systemClock,
    monotonic: monotonicClock,
    random: systemRandom,
    hasher: createPasswordHasher(hashing),
  }
  const asked = directories.map(async (each, index) => {
    const fault = await probeDirectory(createDirectory(each, tools), systemRandom)
    return fault === undefined ? [] : [{ index, name: each.name, fault }]
  })
  return (await Promise.all(asked)).flat()
}
