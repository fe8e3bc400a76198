// Keeps what the store of the sessions knows of an account as PostgreSQL has it. There each account is one
// that has neither a name to log in with nor a password: only what sessions are judged by, and their tokens
// say. Both agree when their counts of "end all sessions" are equal and nothing is left to be told.
import { isDeepStrictEqual } from 'node:util'
import pLimit from 'p-limit'
import type { Account, NewAccount } from '../../ports/directory.ts'
import type { Store } from '../../ports/store.ts'
import type { Subject } from '../../ports/subjects.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import type { Connections, Run } from '../database/connections.ts'
import { readRow, updateOf, type StoredAccount } from './account-rows.ts'
import { locksOf } from './texts.ts'

/** The store of the sessions. */
export type SessionStore = Pick<Store, 'directory' | 'subjects' | 'tickets' | 'now'>

/** What both stores have of accounts. */
export interface Settlement {
  /** The account of a row, once both stores agree on it; undefined: it has gone meanwhile. */
  current(stored: StoredAccount): Promise<Account | undefined>
  /** Tells the store of the sessions what is in the row now; undefined: there is none. */
  settle(tag: string): Promise<Account | undefined>
  /**
   * The same after a change was committed: a fault keeps nobody from hearing that it was made. The row says
   * that it is unsettled; the next look at the account settles it, or a server does.
   */
  settleOnce(tag: string): Promise<void>
  /** The same as a part of a transaction that has named the account, whose row is given. */
  settleIn(run: Run, account: Account): Promise<Account>
  /** Settles whatever a server that died, or a move, has left; `settled` hears of each. */
  settleAll(settled?: () => void): Promise<void>
}

/** No name that somebody could have: names hold no blank. */
const NAMELESS = '@postgres '
/** Of no form that a hash has. */
export const NO_HASH = '!'
/** Another process may write what it knows at the same time. */
const TRIES = 5
/** So many are read at once, and so many of them settled. */
const LEFT = 100
const AT_ONCE = 4

/** The row of an account, which nobody else changes until the transaction ends. */
export async function rowOf(run: Run, tag: string): Promise<StoredAccount | undefined> {
  const [row] = await run({
    text: 'SELECT * FROM latchkey.accounts WHERE tag = $1 FOR UPDATE',
    values: [tag],
  })
  return row && readRow(row)
}

/** Whether it is the subject of an account in PostgreSQL, and no account of the store's own. */
export function isSubjectAlone({ foldedName }: Pick<Account, 'foldedName'>): boolean {
  return foldedName.startsWith(NAMELESS)
}

/** Makes the settlement between PostgreSQL and the store of the sessions. */
export function createSettlement(
  connections: Connections,
  sessions: SessionStore,
): Settlement {
  async function settleIn(run: Run, account: Account): Promise<Account> {
    const { tag } = account
    const sessionsEpoch = await copySubject(sessions, account)
    await run(updateOf(tag, { sessionsEpoch, isUnsettled: false }))
    return { ...account, sessionsEpoch }
  }

  const settle = (tag: string) =>
    connections.within(locksOf({ tag }), async run => {
      const stored = await rowOf(run, tag)
      return stored && settleIn(run, stored.account)
    })

  return {
    settle,
    async settleOnce(tag) {
      await Promise.allSettled([settle(tag)])
    },
    settleIn,
    async current({ account, isUnsettled }) {
      const subject = await sessions.subjects.byTag(account.tag)
      const agree = !isUnsettled && subject?.sessionsEpoch === account.sessionsEpoch
      // Whoever changes it now has it first, and then it is read anew.
      return agree ? account : settle(account.tag)
    },
    async settleAll(settled = () => {}) {
      const inTurn = pLimit(AT_ONCE)
      for (;;) {
        const left = await connections.ask({
          text: `SELECT tag FROM latchkey.accounts WHERE unsettled LIMIT ${LEFT}`,
        })
        await Promise.all(
          left.map(({ tag }) => inTurn(() => settle(String(tag)).then(settled))),
        )
        if (left.length < LEFT) return
      }
    },
  }
}

/** Makes the subject as the account says; gives its count of "end all sessions". */
async function copySubject(
  { directory, subjects }: SessionStore,
  account: Account,
): Promise<number> {
  const { tag } = account
  let mayHaveSessions = true
  for (let tries = 0; tries < TRIES; tries++) {
    const own = await directory.byTag(tag)
    if (own === undefined) {
      // It has lost it, and every session of it.
      mayHaveSessions = false
      await directory.add(withoutSecrets(account))
      continue
    }
    // It was put back to what it was before sessions were ended.
    if (mayHaveSessions && own.sessionsEpoch < account.sessionsEpoch) {
      mayHaveSessions = false
      await subjects.endSessions(tag)
      continue
    }
    const subject = withoutSecrets(account)
    const isSame = Object.entries(subject).every(
      ([member, value]) =>
        member === 'uniqueValues' || isDeepStrictEqual(Object(own)[member], value),
    )
    if (isSame) return own.sessionsEpoch
    const change = { ...subject, pending: null, version: own.version }
    await directory.change({ ...change, endsSessions: false })
  }
  const reason = 'the store of the sessions and PostgreSQL could not agree on an account'
  throw new StoreUnavailable(new Error(reason), reason)
}

/** What the store of the sessions has of an account. */
function withoutSecrets(account: Account) {
  const { sessionsEpoch: _, ...subject } = subjectOf(account)
  return {
    ...subject,
    foldedName: `${NAMELESS}${subject.tag}`,
    passwordHash: NO_HASH,
    uniqueValues: [],
  } satisfies NewAccount
}

/** What is asked of an account in every request, and nothing that lets anybody in. */
export function subjectOf({
  tag,
  sub,
  name,
  scopes,
  roles,
  attributes,
  emailVerified,
  disabled,
  sessionsEpoch,
}: Subject): Subject {
  return {
    tag,
    sub,
    name,
    scopes,
    roles,
    attributes,
    emailVerified,
    disabled,
    sessionsEpoch,
  }
}
