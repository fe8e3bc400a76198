// Users who delete their account may think it over for as long as the configuration says: every session ends
// at once, a login brings the account back, and after that time the servers erase it.
import type { Clock } from '../../base/clock.ts'
import type { Emit, Origin } from '../../base/events/events.ts'
import { temporarilyUnavailable } from '../../oauth/errors.ts'
import type { Account, Pending } from '../../stores/ports/directory.ts'
import type { Directory } from '../../users/directory/directory.ts'
import { ERASING, settlePending, withoutDeletion } from '../../users/settle-pending.ts'

/** Deletions that wait. Promises reject with StoreUnavailable. */
export interface Deletions {
  /**
   * Ends every session, and notes that the account is to be erased after the time to think it over.
   *
   * @returns whether it was done: somebody else may change the account in the same moment, or remove it
   */
  begin(account: Account): Promise<'changed' | 'superseded' | 'user_unknown'>
  /**
   * Takes the note away, where there is one: its user has logged in. An account whose sessions have ended
   * since it was read stays as it is: that login begins none.
   *
   * @throws OAuthError 503 where others change the account all the while
   */
  cancel(account: Account, origin: Origin): Promise<void>
  /**
   * Looks at the next accounts, at most SWEEP of them, and erases those whose time is over. When it has seen
   * all of them it begins anew, no sooner than REST_MS after it began.
   */
  sweep(): Promise<void>
}

/** What they are made of. */
export interface DeletionsOptions {
  readonly directory: Pick<Directory, 'byTag' | 'page' | 'changePending' | 'remove'>
  /** How long users may think it over; milliseconds. */
  readonly graceMs: number
  readonly clock: Clock
  readonly emit: Emit
}

const SWEEP = 200
const REST_MS = 60_000

/** Makes the deletions. */
export function createDeletions(options: DeletionsOptions): Deletions {
  const { directory, graceMs, clock, emit } = options
  return {
    begin({ tag, version, pending }) {
      const deleteAt = clock() + graceMs
      const next = { ...pending, deleteAt }
      return directory.changePending({
        tag,
        version,
        pending: next,
        endsSessions: true,
      })
    },

    async cancel({ tag, sub, pending, sessionsEpoch }, origin) {
      if (pending?.deleteAt === undefined) return
      // Of the login and an erasure in this moment one is first: an erasure ends every session.
      const outcome = await settlePending(directory, tag, account =>
        account.sessionsEpoch === sessionsEpoch ? withoutDeletion(account) : undefined,
      )
      // A session must not begin in an account that will be erased.
      if (outcome === 'changed_meanwhile') throw temporarilyUnavailable(outcome)
      if (outcome !== 'changed') return
      const actor = `user:${sub}` as const
      emit(
        {
          type: 'user.changed',
          sub,
          change: 'deletion_cancelled',
          actor,
        },
        origin,
      )
    },

    sweep: createSweep(options),
  }
}

/** Makes the walk through all accounts, a page each time. */
function createSweep({ directory, clock, emit }: DeletionsOptions): () => Promise<void> {
  let after: Pick<Account, 'createdAt' | 'sub'> | undefined
  let beganAt = -Infinity

  async function erase(before: Account, pending: Pending): Promise<void> {
    const { tag, sub, version } = before
    // First nobody can log in any more: a login in this moment brings it back, or comes too late.
    const dead = { tag, version, pending, disabled: true as const }
    const locked = await directory.changePending({ ...dead, endsSessions: true })
    if (locked !== 'changed' || !(await directory.remove(tag))) return
    emit(
      {
        type: 'user.changed',
        sub,
        change: 'removed',
      },
      undefined,
      { before },
    )
  }

  return async function sweep() {
    const now = clock()
    if (after === undefined && Math.abs(now - beganAt) < REST_MS) return
    if (after === undefined) beganAt = now
    const accounts = await directory.page({ after, limit: SWEEP })
    for (const account of accounts) {
      const { deleteAt = Infinity, ...rest } = account.pending ?? {}
      if (deleteAt <= now) await erase(account, { ...rest, deleteAt: ERASING })
    }
    after = accounts.length < SWEEP ? undefined : accounts.at(-1)
  }
}
