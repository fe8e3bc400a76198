// Sessions: one per login. Somebody ends them on purpose here, one or all, and only here are the events of it
// emitted. A session also ends as a part of something else, in the same step of the store: with a reused
// refresh token (grants/refresh-token.ts), and with a change of its account (users/accounts.ts).
import type { Actor, Emit, Origin } from '../base/events/events.ts'
import type {
  EndOutcome,
  Families,
  FamilyRef,
  Session,
} from '../stores/ports/families.ts'
import type { Account } from '../stores/ports/directory.ts'
import type { Subjects } from '../stores/ports/subjects.ts'

/** Which session is to end. */
export interface WhichSession {
  readonly sid: string
  /** Whose it is; undefined: it is searched for, which walks over all sessions of the store. */
  readonly userTag: string | undefined
}

/** What comes of ending a session. */
export type SessionOutcome = 'ended' | 'already_ended' | 'session_unknown'

/** A session whose refresh token a client gives back (RFC 7009). */
export interface GivenBack extends FamilyRef {
  readonly clientId: string
  /** The /24 or /64 that the request came from. */
  readonly network: string
}

/** The sessions. Promises reject with StoreUnavailable. */
export interface Sessions {
  /** The living sessions of a user, the newest first. */
  list(userTag: string): Promise<readonly Session[]>
  /** Ends one session and with it its access tokens, for an operator. */
  end(which: WhichSession, actor: Actor): Promise<SessionOutcome>
  /** Ends every session of the user of that name; gives the `sub`, undefined when nobody has that name. */
  endAll(name: string, actor: Actor): Promise<string | undefined>
  /** Ends a session for the client that it was opened for; another client's call changes nothing. */
  giveBack(session: GivenBack, origin: Origin): Promise<EndOutcome>
}

/** What sessions are made of. */
export interface SessionsOptions {
  readonly families: Pick<Families, 'list' | 'end' | 'ownerOf'>
  readonly subjects: Pick<Subjects, 'byTag' | 'endSessions'>
  /** The account of a name, however it is written. */
  readonly find: (name: string) => Promise<Account | undefined>
  readonly emit: Emit
}

/** Makes the service. */
export function createSessions({
  families,
  subjects,
  find,
  emit,
}: SessionsOptions): Sessions {
  return {
    list: userTag => families.list(userTag),

    async end({ sid, userTag }, actor) {
      const tag = userTag ?? (await families.ownerOf(sid))
      const subject = tag === undefined ? undefined : await subjects.byTag(tag)
      if (subject === undefined) return 'session_unknown'
      const outcome = await families.end({
        userTag: subject.tag,
        sid,
        clientId: null,
      })
      if (outcome === 'ended') {
        emit({
          type: 'session.ended',
          sub: subject.sub,
          sid,
          actor,
        })
      }
      return outcome === 'ended' || outcome === 'already_ended'
        ? outcome
        : 'session_unknown'
    },

    async endAll(name, actor) {
      const account = await find(name)
      // The account may also go away between the question and the act.
      if (account === undefined || !(await subjects.endSessions(account.tag))) {
        return undefined
      }
      const { sub } = account
      emit({
        type: 'user.changed',
        sub,
        change: 'sessions_ended',
        actor,
      })
      return sub
    },

    async giveBack({ userTag, sid, clientId, network }, origin) {
      const outcome = await families.end({ userTag, sid, clientId })
      if (outcome === 'ended') {
        emit(
          {
            type: 'token.revoked',
            clientId,
            network,
            kind: 'refresh_token',
            sid,
          },
          origin,
          { userTag },
        )
      }
      return outcome
    },
  }
}
