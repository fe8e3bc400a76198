// Somebody proves to read an address, by a ticket that went there: that of an account they signed up, or the
// one that is to take its place.
import type { Emit } from '../base/events/events.ts'
import { attributeRefused } from '../oauth/account-errors.ts'
import type { Account, AttributesChange, Pending } from '../stores/ports/directory.ts'
import type { Tickets as TicketStore } from '../stores/ports/people/tickets.ts'
import { nextAttributes } from '../users/account-attributes.ts'
import { isFault } from '../users/attributes/check.ts'
import type { CheckClaims } from '../users/attributes/claims-budget.ts'
import type { Declarations } from '../users/attributes/declarations.ts'
import type { Caller, Proof, Redeem } from './redeem.ts'

/** Verifies an address. Rejects with OAuthError, and with StoreUnavailable. */
export type VerifyAddress = (proof: Proof, caller: Caller) => Promise<void>

/** Whether addresses are verified at all, so that somebody could use a ticket for it, as configured. */
export function verifiesAddresses(settings: {
  readonly registration: string
  readonly verify: string
  readonly account: boolean
}): boolean {
  const { registration, verify, account } = settings
  return verify === 'email' && (registration !== 'closed' || account)
}

/** What it is made of. */
export interface VerificationOptions {
  readonly redeem: Redeem
  readonly store: Pick<TicketStore, 'setAttributes'>
  readonly declarations: () => Declarations
  readonly checkClaims: CheckClaims
  readonly emit: Emit
}

/** Makes the verification. */
export function createVerifyAddress(options: VerificationOptions): VerifyAddress {
  const { redeem, store, emit } = options
  const verified = createVerified(options)
  return async function verifyAddress(proof, caller) {
    const { account, outcome } = await redeem({
      purpose: 'verification',
      proof,
      caller,
      prepare: async () => {},
      take: (account, ticket) => store.setAttributes({ ...verified(account), ticket }),
    })
    if (outcome.kind === 'value_taken') {
      const { attribute } = outcome
      throw attributeRefused(attribute, 'another account has it', 'attribute_taken')
    }
    const { sub, pending } = account
    const attributes = [...(pending?.email ? ['email'] : []), 'email_verified']
    const actor = `user:${sub}` as const
    emit(
      {
        type: 'user.changed',
        sub,
        change: 'attributes',
        attributes,
        actor,
      },
      caller.origin,
      { before: account },
    )
  }
}

/** Makes what an account is once its address is verified. */
function createVerified({ declarations, checkClaims }: VerificationOptions) {
  return (account: Account): AttributesChange => {
    const { tag, version, pending } = account
    const { email, signUp: _, ...others }: Pending = pending ?? {}
    const request = {
      ...(email !== undefined && { attributes: { email } }),
      emailVerified: true,
    }
    const rules = { declarations: declarations(), checkClaims }
    const next = nextAttributes(account, request, rules)
    // The declaration may be another one since.
    if (isFault(next)) throw attributeRefused(next.path, next.expected, next.reason)
    // Who reads the address may be somebody else than who deletes the account.
    const left = Object.keys(others).length === 0 ? null : others
    return { ...next, tag, version, pending: left }
  }
}
