// This folder keeps why logins were refused, so that an operator can say why somebody can't log in. A refusal
// is noted in memory, and what was noted is written once a second: no login waits for it. The token endpoint
// notes refusals; the command line and the management listener read them.
import type { Clock } from '../../base/clock.ts'
import type { Account } from '../../stores/ports/directory.ts'
import {
  isAlike,
  type LoginRefusal,
  type LoginRefusals as RefusalStore,
} from '../../stores/ports/logins/refusals.ts'
import { createNameInLogs } from '../names/name-in-logs.ts'
import { createNotes, KEPT, type Notes } from './notes.ts'

/** Why logins were refused. Promises reject with StoreUnavailable. */
export interface LoginRefusals extends Notes {
  /**
   * What is on record of a name as somebody typed it, or of the hash that the audit log has of it; the newest
   * first.
   */
  ofName(name: string): Promise<readonly LoginRefusal[]>
  /**
   * The same, of all that the account logs in with, and of what it was called before.
   *
   * @param asked by what it was found, where nobody logs in by that: its user may have tried to
   */
  ofAccount(account: Account, asked?: string): Promise<readonly LoginRefusal[]>
  /** Notes that failures of the account's own names delay nothing any more. */
  lift(account: Account): Promise<void>
}

export interface LoginRefusalsOptions {
  readonly store: RefusalStore
  /** The first one makes the hashes, all read them. */
  readonly secrets: readonly string[]
  /** `name`, and the unique attributes by which somebody may log in, as configured now. */
  readonly login: () => readonly string[]
  readonly clock: Clock
}

/** As the audit log calls a name. */
const HASH = /^h:[\w-]{22}$/

/** Makes the record. */
export function createLoginRefusals(options: LoginRefusalsOptions): LoginRefusals {
  const { store, secrets, login, clock } = options
  const hash = createNameInLogs({ secrets, plain: () => false })
  // As the secrets are rotated, what is on record has hashes under those of before.
  const hashes = secrets.map(secret =>
    createNameInLogs({ secrets: [secret], plain: () => false }),
  )

  async function kept(keys: readonly string[]): Promise<LoginRefusal[]> {
    const refusals = await store.of([...new Set(keys)])
    return refusals
      .filter(({ lastAt }) => lastAt > clock() - KEPT.keepMs)
      .sort((one, other) => other.lastAt - one.lastAt)
  }

  const of = (names: readonly string[]) =>
    kept(
      names.flatMap(name =>
        HASH.test(name) ? name : hashes.map(hashUnder => hashUnder(name)),
      ),
    )

  const namesOf = ({ name, attributes }: Account) => [
    name,
    ...login().flatMap(attribute => {
      const value = attributes[attribute]
      return typeof value === 'string' ? value : []
    }),
  ]

  return {
    ...createNotes({ store, hash, clock }),
    ofName: name => of([name]),
    async ofAccount(account, asked) {
      const { tag } = account
      const names = [...namesOf(account), ...(asked === undefined ? [] : [asked])]
      const [own, named] = await Promise.all([kept([tag]), of(names)])
      // Of its names, what is nobody's, and what wasn't kept of the account itself.
      const others = named.filter(
        one =>
          one.tag === undefined ||
          (one.tag === tag && !own.some(other => isAlike(one, other))),
      )
      return [...own.map(one => delayedBy(named, one)), ...others].sort(
        (one, other) => other.lastAt - one.lastAt,
      )
    },
    async lift(account) {
      const lifted = namesOf(account).map(async typed => {
        const name = hash(typed)
        const delayed = (await of([name])).filter(isDelayOfName)
        return {
          group: 'names' as const,
          name,
          refusals: delayed.map(withoutDelay),
        }
      })
      await store.add(await Promise.all(lifted), KEPT)
    },
  }
}

/** Failures count by name: those of a former one delay nothing under another. */
function delayedBy(named: readonly LoginRefusal[], own: LoginRefusal): LoginRefusal {
  if (!isDelayOfName(own)) return own
  const { until: _until, ...refusal } = own
  const untils = named.flatMap(one => (isAlike(one, own) ? (one.until ?? []) : []))
  return untils.length === 0 ? refusal : { ...refusal, until: Math.max(...untils) }
}

function isDelayOfName({ reason, until }: LoginRefusal): boolean {
  return reason === 'throttled_by_pair' && until !== undefined
}

// Added to what is there, it changes nothing else.
function withoutDelay({ until: _until, ...refusal }: LoginRefusal): LoginRefusal {
  return { ...refusal, count: 0 }
}
