// What the calls about a family have in common: the keys, the words of a refusal, and what is kept in memory
// of a family that was ended.
import type { FamilyRef, Login, Presented, Refusal } from '../../ports/families.ts'
import type { RedisAdapter } from '../adapter.ts'
import { loadScript } from '../scripts.ts'
import { tokenText } from './status-bits.ts'

/** The words that every script about a family may refuse with. */
export const REFUSALS: readonly Refusal[] = [
  'family_unknown',
  'family_ended',
  'family_idle',
  'family_expired',
  'client_mismatch',
  'key_mismatch',
  'user_unknown',
  'user_disabled',
  'sessions_ended',
]

interface Refused<Reason> {
  readonly kind: 'refused'
  readonly reason: Reason
}

export interface FamilyParts {
  /** The keys of a script: user, family, living tokens. */
  keysOf(ref: FamilyRef): string[]
  /** Ends the family again where Redis comes back with data of another time. */
  rememberEnd(ref: FamilyRef): void
  /** The two arguments about the token that is about to be issued. */
  tokenArgs(of: Pick<Login | Presented, 'sid' | 'status'>): [string, number]
  /** The refusal; rejects with StoreUnavailable where what isn't there may have been lost. */
  refuse<Reason extends string>(reason: Reason): Promise<Refused<Reason>>
}

/** Makes the parts. */
export function createFamilyParts({
  bare,
  keys,
  time,
  doubt,
  revocations,
  names,
}: RedisAdapter): FamilyParts {
  const endAgainScript = loadScript(bare, 'sessions/end')
  const keysOf = (ref: FamilyRef) => [
    keys.user(ref.userTag),
    keys.family(ref),
    keys.live(ref.userTag),
  ]
  return {
    keysOf,
    rememberEnd(ref) {
      const endAgain = () => endAgainScript(keysOf(ref), [time(), '', ref.sid])
      revocations.remember(keys.family(ref), endAgain)
    },
    // An upgraded store has no server of an earlier release, which knows the longer form alone.
    tokenArgs: ({ sid, status }) =>
      status === undefined
        ? ['', 0]
        : [tokenText(sid, status) + (names.areSharded() ? '*' : ''), status.forMs],
    async refuse(reason) {
      if (reason === 'family_unknown' || reason === 'user_unknown') await doubt()
      return { kind: 'refused', reason }
    },
  }
}
