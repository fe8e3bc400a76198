// Hears what happens to accounts and sessions, and notes for the outbox what their owners and the apps are to
// know. Whoever makes it happen doesn't wait for it; who answers a request, or ends a process, waits until
// all of it is noted.
import type { Clock } from '../base/clock.ts'
import type { Aside, Event, Known, Origin } from '../base/events/events.ts'
import { NOTICES, type MessageType } from '../base/events/message-types.ts'
import type { Entry, Person } from './messages.ts'
import type { Appended } from './outbox.ts'

/** What hears of it. */
export interface Announcer {
  /** Notes what follows from an event. Never throws and never waits. */
  hear(event: Event, origin?: Origin, aside?: Aside): void
  /** Whether something of that very request is not noted yet: its id is the caller's, who may repeat it. */
  isBusyFor(request: Origin): boolean
  /**
   * Resolves when all that was heard is noted, or can't be. Never rejects.
   *
   * @param request only what happened in that one
   */
  settled(request?: Origin): Promise<void>
}

/** What it is made of. */
export interface AnnouncerOptions {
  readonly appendAll: (entries: readonly Entry[]) => Promise<Appended>
  /** Whether a message goes out by any way, as configured now. */
  readonly isSent: (type: MessageType) => boolean
  /** Counts a notice to an account, and resolves to whether it had enough of that type already. */
  readonly isTooMany: (type: MessageType, sub: string) => Promise<boolean>
  /** Told of a notice that is not sent, as it was too many. */
  readonly onWithheld: (type: MessageType, sub: string) => void
  readonly personOf: (account: Known) => Person
  readonly clock: Clock
  /** Told what could not be noted, and why: nobody will ever send it. `full`: the outbox is. */
  readonly onLost: (types: readonly MessageType[], why: unknown) => void
}

/** Something to be told. */
type News = Omit<Entry, 'at'>

/** Makes it. */
export function createAnnouncer(options: AnnouncerOptions): Announcer {
  const { appendAll, isSent, personOf, clock, onLost } = options
  const withoutTooMany = createWithoutTooMany(options)
  /** With the request that it comes from. */
  const pending = new Map<Promise<void>, Origin | undefined>()

  async function note(news: readonly Entry[]): Promise<void> {
    const entries = await withoutTooMany(news)
    if (entries.length === 0) return
    const types = entries.map(({ type }) => type)
    await appendAll(entries).then(
      outcome => {
        if (outcome === 'full') onLost(types, outcome)
      },
      (error: unknown) => onLost(types, error),
    )
  }

  return {
    hear(event, origin, aside = {}) {
      const news = newsOf(event, { ...aside, personOf }).filter(({ type }) =>
        isSent(type),
      )
      if (news.length === 0) return
      const at = clock()
      const noting = note(news.map(each => ({ at, ...each }))).finally(() => {
        pending.delete(noting)
      })
      pending.set(noting, origin)
    },
    isBusyFor: request => pending.size > 0 && [...pending.values()].includes(request),
    async settled(request) {
      const isMeant = (origin: Origin | undefined) =>
        request === undefined || origin === request
      await Promise.all([...pending].map(([noting, origin]) => isMeant(origin) && noting))
    },
  }
}

/** Makes what leaves out notices that an account had enough of: what comes again and again floods nobody. */
function createWithoutTooMany({
  isTooMany,
  onWithheld,
}: Pick<AnnouncerOptions, 'isTooMany' | 'onWithheld'>) {
  return async (entries: readonly Entry[]): Promise<readonly Entry[]> => {
    const withheld = new Set<MessageType>()
    // Two that follow from one event are one notice, to two addresses.
    const notices = new Map(
      entries.filter(isNotice).map(({ type, whom }) => [type, whom.sub]),
    )
    for (const [type, sub] of notices) {
      // What can't be counted now is tried all the same: a store that is away takes no note, either.
      if (!(await isTooMany(type, sub).catch(() => false))) continue
      withheld.add(type)
      onWithheld(type, sub)
    }
    return entries.filter(({ type }) => !withheld.has(type))
  }
}

/** Notices are about an account that is known. */
function isNotice(
  entry: Entry,
): entry is Entry & { readonly whom: { readonly sub: string } } {
  return NOTICES.some(type => type === entry.type) && 'sub' in entry.whom
}

type Context = Aside & Pick<AnnouncerOptions, 'personOf'>

/** What follows from an event. */
function newsOf(event: Event, context: Context): readonly News[] {
  switch (event.type) {
    case 'user.changed':
      return newsOfAccount(event, context)
    case 'login.succeeded': {
      const { sub, sid, network, networkKnown } = event
      const about = { whom: { sub }, sid, network }
      return [
        { type: 'session.started', ...about },
        ...(networkKnown ? [] : [{ type: 'notice.new_network' as const, ...about }]),
      ]
    }
    case 'session.ended':
      return [
        {
          type: 'session.ended',
          whom: { sub: event.sub },
          sid: event.sid,
        },
      ]
    case 'token.revoked': {
      const { userTag } = context
      const { sid, network } = event
      if (userTag === undefined || sid === undefined) return []
      return [
        {
          type: 'session.ended',
          whom: { tag: userTag },
          sid,
          network,
        },
      ]
    }
    case 'refresh.reused': {
      const { sub, sid, network } = event
      return [
        {
          type: 'session.revoked',
          whom: { sub },
          sid,
          network,
        },
      ]
    }
    default:
      return []
  }
}

type AccountEvent = Extract<Event, { readonly type: 'user.changed' }>

function newsOfAccount(
  event: AccountEvent,
  { before, personOf }: Context,
): readonly News[] {
  const { sub, change } = event
  const whom = { sub }
  switch (change) {
    case 'added':
      return [{ type: 'account.created', whom }]
    case 'removed': {
      const person = before && personOf(before)
      if (person === undefined) return []
      return [
        { type: 'account.deleted', whom, person },
        { type: 'notice.account_deleted', whom, person },
      ]
    }
    case 'password':
      return [
        { type: 'notice.password_changed', whom },
        { type: 'session.revoked', whom },
      ]
    case 'disabled':
      return [
        { type: 'account.disabled', whom },
        { type: 'session.revoked', whom },
      ]
    case 'sessions_ended':
      return [{ type: 'session.revoked', whom }]
    case 'deletion_begun':
      return [
        { type: 'account.updated', whom },
        { type: 'notice.deletion_begun', whom },
        { type: 'session.revoked', whom },
      ]
    case 'unlocked':
    case 'invited':
    case 'recovery_ticket':
    case 'verification_ticket':
      return []
    case 'attributes':
      return [
        { type: 'account.updated', whom },
        ...(event.attributes?.includes('email') === true && before !== undefined
          ? newsOfAddress(whom, personOf(before))
          : []),
      ]
    default:
      return [{ type: 'account.updated', whom }]
  }
}

/** To the address before, and to the one that is there when it is sent; a first address is no news. */
function newsOfAddress(whom: { readonly sub: string }, person: Person): readonly News[] {
  if (person.email === undefined) return []
  const type = 'notice.address_changed'
  return [
    { type, whom, person },
    { type, whom },
  ]
}
