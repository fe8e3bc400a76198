// The core's directories elsewhere: what they are made with, and by whom they may be reached.
import { createGuardedPost } from '../clients/guarded-post.ts'
import type { CheckClaims } from '../users/attributes/claims-budget.ts'
import {
  openElsewhere,
  type Elsewhere,
  type ElsewhereOptions,
} from '../users/directory/open.ts'
import type { ComposeOptions } from './options.ts'

type Given = Pick<
  ElsewhereOptions,
  'directory' | 'local' | 'failedLogins' | 'hasher' | 'emit'
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
    settings: settings.directories,
    policy: settings.recheck,
    postTo: allowPrivate => createGuardedPost({ allowPrivate }),
    watch: instruments.directories,
    rules: () => ({ declarations: settings.attributes(), checkClaims }),
  })
}
