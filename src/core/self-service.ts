// The core's self-service: what users do to their own account, and how they come to one, through apps.
import { namingTickets } from '../users/attributes/login-texts.ts'
import { emitAs } from '../base/events/actor.ts'
import type { Emit } from '../base/events/events.ts'
import { waysOf } from '../outbox/ways.ts'
import { createEvenTime } from '../self-service/even-time.ts'
import { createRequireFresh } from '../self-service/fresh-proof.ts'
import { createDeletions, type Deletions } from '../self-service/removal/deletions.ts'
import { createOwnAccount, type OwnAccount } from '../self-service/own-account.ts'
import { actorOf } from '../self-service/owner.ts'
import {
  createHashChecked,
  createRecovery,
  type Recovery,
} from '../self-service/recovery.ts'
import { createInvitations, type Invitations } from '../self-service/operators/invite.ts'
import {
  createIssueTicket,
  type IssuedPurpose,
  type IssueTicket,
} from '../self-service/operators/issue-ticket.ts'
import { createRedeem } from '../self-service/redeem.ts'
import { createRegistration, type Registration } from '../self-service/registration.ts'
import { createStaleSignUps, type StaleSignUps } from '../self-service/stale-sign-ups.ts'
import {
  createVerifyAddress,
  verifiesAddresses,
  type VerifyAddress,
} from '../self-service/verification.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Messages } from './messages.ts'
import type { ComposeOptions } from './options.ts'
import type { People } from './people.ts'

/** What the core can do for users themselves. */
export interface SelfService {
  readonly ownAccount: OwnAccount
  readonly recovery: Recovery
  readonly registration: Registration
  readonly invitations: Invitations
  /** Issues tickets for whoever is in the events. */
  issueTicketWith(emit: Emit): IssueTicket
  readonly verifyAddress: VerifyAddress
  readonly staleSignUps: StaleSignUps
  readonly deletions: Deletions
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
    | 'failedLogins'
    | 'accountsWith'
    | 'nameLogins'
  > &
  Pick<Messages, 'tickets' | 'outbox' | 'makeTicket'> & {
    readonly sessionsWith: (emit: Emit) => Sessions
  }

/** Composes self-service. */
export function composeSelfService(given: SelfServiceParts): SelfService {
  const { settings, store, clock, emit, accountsWith, sessionsWith } = given
  const { selfService } = settings
  const parts = {
    ...given,
    store: namingTickets(store.tickets, given.nameLogins),
    outgoing: given.outgoing ?? given.outbox,
    verifies: selfService.verify === 'email',
    minPasswordLength: settings.minPasswordLength,
    declarations: settings.attributes,
    evenTime: createEvenTime(),
  }
  const redeem = createRedeem(parts)
  const hashChecked = createHashChecked(parts)
  const staleSignUps = createStaleSignUps(given)
  const { grace } = selfService.deletion
  const isClosed = selfService.registration === 'closed'
  const served = {
    invitation: !isClosed,
    recovery: selfService.recovery,
    verification: verifiesAddresses(selfService),
  }
  const wayOut = (purpose: IssuedPurpose) => {
    const notify = settings.notify()
    // A mail without a page to lead to is never made.
    return waysOf(notify, `ticket.${purpose}`).find(
      way => way === 'webhook' || notify.mail?.links[purpose] !== undefined,
    )
  }
  const deletions = createDeletions({ ...given, graceMs: grace ?? 0 })
  return {
    deletions,
    staleSignUps,
    recovery: createRecovery({ ...parts, redeem }),
    registration: createRegistration({
      ...parts,
      redeem,
      hashChecked,
      staleSignUps,
    }),
    invitations: createInvitations({
      ...parts,
      isClosed,
      wayOut: () => wayOut('invitation'),
    }),
    issueTicketWith: emitFor =>
      createIssueTicket({
        ...parts,
        isServed: purpose => served[purpose],
        wayOut,
        emit: emitFor,
      }),
    verifyAddress: createVerifyAddress({ ...parts, redeem }),
    ownAccount: createOwnAccount({
      ...parts,
      deletions: grace === undefined ? undefined : deletions,
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
