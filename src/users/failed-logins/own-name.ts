// Counts a login by the name that a directory elsewhere has for its user, too. A database may take many
// spellings for one name (`ánn` for `ann`), each of which would be free failures of its own.
import type { LoginResult } from '../../stores/ports/login-attempts.ts'
import { foldName } from '../names/user-name.ts'
import type { Credentials, FailedLogins } from './failed-logins.ts'

/** A login that was admitted by the name that was typed. */
export interface NamedLogin<Outcome> {
  readonly failedLogins: FailedLogins
  readonly login: Credentials
  /** By which name it was counted, if not by the one that was typed. */
  readonly counted: string | undefined
  /** As the directory has it. */
  readonly ownName: string
  readonly check: () => Promise<Outcome>
}

/** Why the password isn't looked at. */
type Stopped = Exclude<
  Awaited<ReturnType<FailedLogins['begin']>>['verdict'],
  { readonly kind: 'admitted' }
>

/** Looks at the password, unless too many failed by the directory's own name. Rejects as `check` does. */
export async function checkByOwnName<Outcome extends { readonly kind: string }>({
  failedLogins,
  login,
  counted = foldName(login.name),
  ownName,
  check,
}: NamedLogin<Outcome>): Promise<Outcome | Stopped> {
  if (foldName(ownName) === counted) return check()
  const named = { ...login, name: ownName, spelling: ownName }
  const { verdict, settle } = await failedLogins.begin(named, undefined)
  if (verdict.kind !== 'admitted') return verdict
  try {
    const outcome = await check()
    await settle(resultOf(outcome))
    return outcome
  } catch (error) {
    await settle('withdrawn')
    throw error
  }
}

/** How a login ended, as its count is told: one that another count stopped was not looked at. */
export function resultOf({ kind }: { readonly kind: string }): LoginResult {
  if (kind === 'throttled') return 'withdrawn'
  return kind === 'ok' ? 'succeeded' : 'failed'
}
