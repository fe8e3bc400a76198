// The core's self-service: what users do to their own account, and how they come to one, through apps.
import { emitAs } from '../base/actor.ts'
import type { Emit } from '../base/events.ts'
import { createEvenTime } from '../self-service/even-time.ts'
import { createRequireFresh } from '../self-service/fresh-proof.ts'
import { NO_WAY_OUT } from '../self-service/outgoing.ts'
import { createOwnAccount, type OwnAccount } from '../self-service/own-account.ts'
import { actorOf } from '../self-service/owner.ts'
import { mayGet } from '../self-service/pending.ts'
import {
  createHashChecked,
  createRecovery,
  type Recovery,
} from '../self-service/recovery.ts'
import { createRedeem } from '../self-service/redeem.ts'
import { createRegistration, type Registration } from '../self-service/registration.ts'
import { createVerifyAddress, type VerifyAddress } from '../self-service/verification.ts'
import type { Sessions } from '../sessions/sessions.ts'
import {
  createTickets,
  type MadeTicket,
  type TicketRequest,
  type Tickets,
} from '../tickets/tickets.ts'
import type { ComposeOptions } from './options.ts'
import type { People } from './people.ts'

/** What the core can do for users themselves. */
export interface SelfService {
  readonly ownAccount: OwnAccount
  readonly recovery: Recovery
  readonly registration: Registration
  readonly verifyAddress: VerifyAddress
  /** Makes a ticket when it is sent; undefined: the account gets none for this purpose. */
  readonly makeTicket: (request: TicketRequest) => Promise<MadeTicket | undefined>
}

/** What it is composed from. */
type SelfServiceParts = ComposeOptions &
  Pick<
    People,
    | 'accounts'
    | 'directory'
    | 'hasher'
    | 'checkNewPassword'
    | 'checkClaims'
    | 'authenticate'
    | 'nameInLogs'
    | 'accountsWith'
  > & { readonly sessionsWith: (emit: Emit) => Sessions }

/** Composes self-service. */
export function composeSelfService(given: SelfServiceParts): SelfService {
  const { settings, store, clock, emit, accountsWith, sessionsWith, monotonic } = given
  const { secrets, selfService } = settings
  const policy = () => ({ ttl: selfService.ticketTtl, codes: selfService.codes })
  const tickets = createTickets({ ...given, tickets: store.tickets, secrets, policy })
  const parts = {
    ...given,
    store: store.tickets,
    tickets,
    outgoing: given.outgoing ?? NO_WAY_OUT,
    verifies: selfService.verify === 'email',
    minPasswordLength: settings.minPasswordLength,
    declarations: settings.attributes,
    evenTime: createEvenTime(monotonic),
  }
  const redeem = createRedeem(parts)
  const hashChecked = createHashChecked(parts)
  return {
    makeTicket: createMakeTicket(tickets, given),
    recovery: createRecovery({ ...parts, redeem }),
    registration: createRegistration({ ...parts, redeem, hashChecked }),
    verifyAddress: createVerifyAddress({ ...parts, redeem }),
    ownAccount: createOwnAccount({
      ...parts,
      subjects: store.subjects,
      families: store.families,
      requireFresh: createRequireFresh({ ...given, clock }),
      as(owner) {
        const emitFor = emitAs(actorOf(owner), emit, owner.origin)
        return { accounts: accountsWith(emitFor), sessions: sessionsWith(emitFor) }
      },
    }),
  }
}

function createMakeTicket(
  { make }: Tickets,
  { accounts }: Pick<SelfServiceParts, 'accounts'>,
): SelfService['makeTicket'] {
  return async function makeTicket(request) {
    const account = await accounts.bySub(request.sub)
    return account !== undefined && mayGet(account, request.purpose)
      ? make(request)
      : undefined
  }
}
