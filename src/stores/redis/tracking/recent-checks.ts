// Answers repeated questions about the same access token from memory, while Redis would report a change of
// what the answer was made of. Only that a token lives is remembered. Whatever changes about a user, all
// answers about their tokens are forgotten.
import { LRUCache } from 'lru-cache'
import { monotonicClock, type Monotonic } from '../../../base/clock.ts'
import type {
  AccessTokenRef,
  AccessTokens,
  CheckOutcome,
} from '../../ports/access-tokens.ts'
import type { TimedCheck } from '../sessions/access-tokens.ts'
import type { Changes } from './tracker.ts'

/**
 * How much is remembered, in bytes: 10,000 answers, or fewer where much is known of the users. What an answer
 * takes beside the user, and how many are remembered about one user's tokens.
 */
const MOST_BYTES = 13_000_000
const ANSWER_BYTES = 1000
const OF_ONE_USER = 16

/** Within one user. A client's own token comes from no session. */
const idOf = ({ sid = '', jti }: AccessTokenRef) => `${sid} ${jti}`

interface Answer {
  readonly outcome: CheckOutcome
  /** When the session ends by itself. */
  readonly until: number
  readonly bytes: number
}

/** Questions about a user that are on their way. */
interface Asking {
  waiting: number
  /** Whether something has changed since they were asked: what is answered may be older. */
  isChanged: boolean
}

export interface RecentChecksOptions {
  /** Asks on the connection whose reads are tracked. */
  readonly tracked: TimedCheck
  /** Asks without memory. */
  readonly check: AccessTokens['check']
  /** Whether changes are heard of. */
  readonly isFresh: () => boolean
  /** Default: the system's. */
  readonly monotonic?: Monotonic
}

/** The question, with a memory, and what makes it forget. */
export interface RecentChecks extends Changes {
  readonly check: AccessTokens['check']
}

/** Makes the memory. */
export function createRecentChecks({
  tracked,
  check,
  isFresh,
  monotonic = monotonicClock,
}: RecentChecksOptions): RecentChecks {
  const answers = new LRUCache<string, ReadonlyMap<string, Answer>>({
    maxSize: MOST_BYTES,
    sizeCalculation: ofUser =>
      [...ofUser.values()].reduce((sum, { bytes }) => sum + bytes, 0),
  })
  const asking = new Map<string, Asking>()

  function recall(token: AccessTokenRef): CheckOutcome | undefined {
    const answer = answers.get(token.userTag)?.get(idOf(token))
    return answer !== undefined && monotonic() < answer.until ? answer.outcome : undefined
  }

  function remember(token: AccessTokenRef, answer: Answer): void {
    const known = [...(answers.get(token.userTag) ?? [])].slice(1 - OF_ONE_USER)
    answers.set(token.userTag, new Map([...known, [idOf(token), answer]]))
  }

  async function ask(token: AccessTokenRef): Promise<CheckOutcome> {
    const together = asking.get(token.userTag) ?? { waiting: 0, isChanged: false }
    asking.set(token.userTag, together)
    together.waiting += 1
    const askedAt = monotonic()
    try {
      const { outcome, forMs, length } = await tracked(token)
      if (outcome.kind === 'active' && !together.isChanged) {
        // A character takes two bytes at most.
        const bytes = ANSWER_BYTES + 2 * length
        remember(token, { outcome, until: askedAt + forMs, bytes })
      }
      return outcome
    } finally {
      together.waiting -= 1
      if (together.waiting === 0) drop(token.userTag, together)
    }
  }

  function drop(tag: string, together: Asking | undefined): void {
    if (asking.get(tag) === together) asking.delete(tag)
  }

  return {
    async check(token, freshness) {
      if (freshness !== 'recent' || !isFresh()) return check(token)
      // What can't be asked on that connection may be on the other one.
      return recall(token) ?? ask(token).catch(() => check(token))
    },
    changed(tag) {
      answers.delete(tag)
      const together = asking.get(tag)
      if (together !== undefined) together.isChanged = true
      asking.delete(tag)
    },
    forget() {
      answers.clear()
      for (const together of asking.values()) together.isChanged = true
      asking.clear()
    },
  }
}
