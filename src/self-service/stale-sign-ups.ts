// Sign-ups that nobody has verified within a day are taken away again: what blocks a name or an address must
// not be somebody who can't read it.
import type { Clock } from '../base/clock.ts'
import type { Emit } from '../base/events/events.ts'
import type { Account } from '../stores/ports/directory.ts'
import { LONGEST_TTL_MS } from '../tickets/tickets.ts'
import type { Directory } from '../users/directory/directory.ts'

/** What takes them away. Promises reject with StoreUnavailable. */
export interface StaleSignUps {
  /** Takes the account away if it is one of them. */
  free(account: Account | undefined): Promise<void>
  /** Takes a sign-up back that nobody has verified, however young it is. */
  takeBack(tag: string): Promise<void>
  /**
   * Looks at the next accounts of more than a day, at most SWEEP of them, each once. It begins with those of
   * LOOK_BACK_MS before it was made; older ones are freed when somebody wants their name or address.
   */
  sweep(): Promise<void>
}

/** What it is made of. */
export interface StaleSignUpsOptions {
  readonly directory: Pick<Directory, 'byTag' | 'page' | 'setAttributes' | 'remove'>
  readonly clock: Clock
  readonly emit: Emit
}

const SWEEP = 100
const LOOK_BACK_MS = 30 * LONGEST_TTL_MS

/** Makes it. */
export function createStaleSignUps(options: StaleSignUpsOptions): StaleSignUps {
  const { directory, clock, emit } = options
  const isOld = ({ createdAt }: Account) => clock() - createdAt > LONGEST_TTL_MS
  let after: Pick<Account, 'createdAt' | 'sub'> = {
    createdAt: Math.max(0, clock() - LOOK_BACK_MS),
    sub: '',
  }

  async function takeAway(account: Account | undefined): Promise<void> {
    if (account?.pending?.signUp !== true) return
    const { tag, version, sub } = account
    // By its version: whoever verifies it in this moment is first, or finds that their ticket is void.
    const nothing = {
      attributes: {},
      uniqueValues: [],
      emailVerified: false,
    }
    const { kind } = await directory.setAttributes({ tag, version, ...nothing })
    if (kind !== 'changed' || !(await directory.remove(tag))) return
    emit(
      {
        type: 'user.changed',
        sub,
        change: 'removed',
      },
      undefined,
      { before: account },
    )
  }

  async function free(account: Account | undefined): Promise<void> {
    if (account !== undefined && isOld(account)) await takeAway(account)
  }

  return {
    free,
    takeBack: async tag => takeAway(await directory.byTag(tag)),
    async sweep() {
      const accounts = await directory.page({ after, limit: SWEEP })
      for (const account of accounts.filter(isOld)) {
        await free(account)
        after = account
      }
    },
  }
}
