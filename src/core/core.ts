// What Latchkey can do, composed once. The server, the command line, development mode and the tests' server
// are faces of this one object: none of them puts the domain together by itself. Nothing here opens a file or
// a connection, and nothing runs by itself: start.ts loads what has to be known first, upkeep.ts keeps it so.
import { emitAs } from '../base/events/actor.ts'
import { monotonicClock, type Clock } from '../base/clock.ts'
import type { Actor, Emit, Origin } from '../base/events/events.ts'
import { systemRandom } from '../base/random.ts'
import { createClientRegistry, type ClientRegistry } from '../clients/registry.ts'
import type { KeyChange } from '../keys/ring.ts'
import type { RotationOptions } from '../keys/schedule/plan-rotation.ts'
import type { IssueTicket } from '../self-service/operators/issue-ticket.ts'
import { createSessions, type Sessions } from '../sessions/sessions.ts'
import type { Store } from '../stores/ports/store.ts'
import type { Elsewhere } from '../users/directory/open.ts'
import { NO_INSTRUMENTS } from './instruments.ts'
import { announcing, composeMessages, composeNoted, type Messages } from './messages.ts'
import type { CoreOptions } from './options.ts'
import { composePeople, type People } from './people.ts'
import type { CoreSettings } from './settings.ts'
import { composeSelfService, type SelfService } from './self-service.ts'
import { composeSigning, type Signing } from './signing.ts'
import { createGroups, type Groups } from '../users/groups/groups.ts'
import { composeTokens, type Tokens } from './tokens.ts'

/** Everything that Latchkey can do. */
export interface Core extends People, Signing, Tokens, SelfService, Messages {
  readonly settings: CoreSettings
  readonly store: Store
  readonly clock: Clock
  readonly emit: Emit
  /** The registered clients. */
  readonly clients: ClientRegistry
  /** Lists sessions and ends them. */
  readonly sessions: Sessions
  /** What somebody may change; the events of it name them, and the request in which it happens. */
  as(actor: Actor, request: Origin): OnBehalf
}

/** The services, for somebody who changes something. */
export interface OnBehalf {
  readonly accounts: People['accounts']
  readonly groups: Groups
  readonly sessions: Sessions
  readonly unlock: People['unlock']
  readonly issueTicket: IssueTicket
  /** As the key ring's own. */
  readonly rotateKeys: (rotation: RotationOptions) => Promise<KeyChange>
  /** Emits what else they do. */
  readonly emit: Emit
}

/**
 * Composes the domain.
 *
 * @throws RangeError when the machine's memory doesn't suffice for the configured hashing
 */
export function createCore(options: CoreOptions): Core {
  const { settings, store, clock, instruments = NO_INSTRUMENTS } = options
  const { monotonic = monotonicClock, random = systemRandom } = options
  const quiet = {
    ...options,
    instruments,
    monotonic,
    random,
  }
  const clients = createClientRegistry(settings.clients)
  const signing = composeSigning({ ...quiet, clients })
  const noted = composeNoted({ ...quiet, ...signing })
  const emit = announcing(options.emit, noted.announcer)
  const given = { ...quiet, emit }
  const people = composePeople({ ...given, clients })
  const { elsewhere } = people
  const messages = composeMessages({ ...given, ...people, ...noted })
  const sessionsWith = (emitFor: Emit) =>
    createSessions({
      families: store.families,
      subjects: store.subjects,
      find: people.accounts.find,
      emit: emitFor,
    })
  const selfService = composeSelfService({
    ...given,
    ...people,
    ...messages,
    sessionsWith,
  })
  return {
    settings,
    store,
    clock,
    emit,
    clients,
    sessions: sessionsWith(emit),
    as(actor, request) {
      const emitFor = emitAs(actor, emit, request)
      const accounts = people.accountsWith(emitFor)
      return {
        accounts,
        groups: createGroups({
          groups: store.groups,
          accounts,
          emit: emitFor,
          random,
          now: store.now,
        }),
        sessions: sessionsWith(emitFor),
        unlock: people.unlockWith(emitFor),
        issueTicket: selfService.issueTicketWith(emitFor),
        rotateKeys: rotation => signing.keys.rotate(rotation, emitFor),
        emit: emitFor,
      }
    },
    ...people,
    ...signing,
    ...messages,
    ...selfService,
    ...composeTokens({
      ...given,
      ...selfService,
      ...people,
      ...signing,
      clients,
      emit: elsewhere === undefined ? emit : heardBy(elsewhere, emit),
    }),
  }
}

/** Directories elsewhere hear who refreshes, too. */
function heardBy({ hear }: Elsewhere, emit: Emit): Emit {
  return (event, origin, aside) => {
    emit(event, origin, aside)
    hear(event)
  }
}
