// Users who have lost their password set another one, with a ticket that goes to their address. Whoever asks
// learns nothing: the answer is the same, and takes as long, whether the name is anybody's or not.
import type { Emit } from '../base/events/events.ts'
import { passwordRefused } from '../oauth/account-errors.ts'
import type { Tickets as TicketStore } from '../stores/ports/people/tickets.ts'
import type { Directory } from '../users/directory/directory.ts'
import type { PasswordHasher } from '../users/hashing/hasher.ts'
import type { QueueRequest } from '../users/hashing/queue.ts'
import type { FailedLogins } from '../users/failed-logins/failed-logins.ts'
import type { NameInLogs } from '../users/names/name-in-logs.ts'
import type { CheckNewPassword } from '../users/new-password.ts'
import type { EvenTime } from './even-time.ts'
import { send, type Outgoing } from './outgoing.ts'
import type { Caller, Proof, Redeem } from './redeem.ts'

/** What is asked for by anybody. */
export interface RecoveryRequest {
  /** As it was typed. */
  readonly name: string
  readonly locale?: string | undefined
  readonly caller: Caller
  /** Whether enough was sent to that name already; `isKnown`: its owner logged in from that network. */
  readonly isSpent: (target: string, isKnown: boolean) => Promise<boolean>
}

/** The new password, and what allows it. */
export interface RecoveryCompletion {
  readonly proof: Proof
  readonly password: string
  readonly caller: Caller
}

/** Recovery. Rejects with OAuthError, and with StoreUnavailable. */
export interface Recovery {
  /** Has a ticket sent to whom the name is; resolves alike where it is nobody's. */
  request(request: RecoveryRequest): Promise<void>
  /**
   * Sets the password; ends every session and every other ticket in the same step, and forgets the failed
   * logins of the name from the caller's network. Signs nobody in.
   */
  complete(completion: RecoveryCompletion): Promise<void>
}

/** What it is made of. */
export interface RecoveryOptions {
  readonly directory: Pick<Directory, 'countedName'>
  readonly failedLogins: Pick<FailedLogins, 'isKnown' | 'forget'>
  readonly outgoing: Outgoing
  readonly redeem: Redeem
  readonly store: Pick<TicketStore, 'setPassword'>
  readonly hasher: Pick<PasswordHasher, 'hash'>
  readonly checkNewPassword: CheckNewPassword
  readonly minPasswordLength: () => number
  readonly nameInLogs: NameInLogs
  readonly evenTime: EvenTime
  readonly emit: Emit
}

/** Makes recovery. */
export function createRecovery(options: RecoveryOptions): Recovery {
  const { redeem, store, failedLogins, nameInLogs, evenTime, emit } = options
  const sendIfFew = createSendIfFew(options)
  const prepare = createHashChecked(options)
  return {
    async request(request) {
      const { name, caller } = request
      const { network, origin } = caller
      const username = nameInLogs(name)
      emit({ type: 'recovery.requested', username, network }, origin)
      // Also where too much was sent: an address and a name that count as one would be one person's.
      await evenTime(() => sendIfFew(request))
    },

    async complete({ proof, password, caller }) {
      const { account } = await redeem({
        purpose: 'recovery',
        proof,
        caller,
        prepare: async ({ name, foldedName }) => {
          const passwordHash = await prepare(password, name, provenPlace(caller.network))
          // As a right password does. Before the ticket is taken: a store that is away leaves it good.
          await failedLogins.forget(foldedName, [caller.network])
          return passwordHash
        },
        take: ({ version, pending }, ticket, passwordHash) => {
          // What was signed up and never verified: the ticket went to the same address.
          const provesAddress = pending?.signUp === true
          return store.setPassword({ ticket, passwordHash, provesAddress, version })
        },
      })
      emitPassword(emit, account.sub, caller)
    },
  }
}

/** Makes what notes a request, unless too much was sent to that name already. */
function createSendIfFew({ directory, failedLogins, outgoing }: RecoveryOptions) {
  return async (request: RecoveryRequest): Promise<void> => {
    const { name, locale, caller, isSpent } = request
    const { network } = caller
    const counted = await directory.countedName(name)
    // What strangers ask for must not keep the owner from it.
    const isKnown = await failedLogins.isKnown(counted, network)
    if (await isSpent(counted, isKnown)) return
    await send(outgoing, {
      purpose: 'recovery',
      whom: { name },
      locale,
      network,
    })
  }
}

// Logins have lanes by client; that of a new password stands beside them.
const LANE = 'self-service'

/** Where strangers wait for the hash of a password: each network gets its share. */
export const strangersPlace = (network: string): QueueRequest => ({
  lane: [LANE, network],
})

/** Where those wait who have shown a ticket or their password: before strangers. */
export const provenPlace = (network: string): QueueRequest => ({
  ...strangersPlace(network),
  known: true,
})

/** Makes the hash of a new password that was found good. Throws passwordRefused. */
export function createHashChecked({
  hasher,
  checkNewPassword,
  minPasswordLength,
}: Pick<RecoveryOptions, 'hasher' | 'checkNewPassword' | 'minPasswordLength'>) {
  return async (password: string, name: string, place: QueueRequest): Promise<string> => {
    const fault = await checkNewPassword(password, name)
    if (fault !== undefined) throw passwordRefused(fault, minPasswordLength())
    return hasher.hash(password, place)
  }
}

/** Reports a password that its user has set with a ticket. */
export function emitPassword(emit: Emit, sub: string, { origin }: Caller): void {
  const actor = `user:${sub}` as const
  emit(
    {
      type: 'user.changed',
      sub,
      change: 'password',
      actor,
    },
    origin,
  )
}
