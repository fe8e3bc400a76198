// Which attributes users may set themselves: those that the configuration marks `self`. An e-mail address is
// one of them, with a proof before it and a message to the new one after it.
import { attributeRefused, changedMeanwhile } from '../oauth/account-errors.ts'
import { slowDown } from '../oauth/errors.ts'
import type { Account } from '../stores/ports/directory.ts'
import { nextAttributes } from '../users/account-attributes.ts'
import type { Accounts } from '../users/accounts.ts'
import { isFault, isSameEmail, type AttributeChanges } from '../users/attributes/check.ts'
import type { CheckClaims } from '../users/attributes/claims-budget.ts'
import type { Declarations } from '../users/attributes/declarations.ts'
import type { Directory } from '../users/directory/directory.ts'
import { networkOf } from '../users/failed-logins/network.ts'
import { settlePending } from '../users/settle-pending.ts'
import type { RequireFresh } from './fresh-proof.ts'
import { outboxFull, send, type Outgoing } from './outgoing.ts'
import { gone, ownedElsewhere, requireStill, type Owner } from './owner.ts'

/** New values of attributes, and the proof where one is needed. */
export interface OwnAttributes {
  readonly changes: AttributeChanges
  readonly currentPassword: string | undefined
  /** Whether enough was sent to that address already. */
  readonly isSpent: (target: string) => Promise<boolean>
}

/** What a change is made of. */
export interface OwnAttributesOptions {
  readonly directory: Pick<Directory, 'byTag' | 'changePending'>
  readonly outgoing: Outgoing
  /** Whether another address counts only once it is verified. */
  readonly verifies: boolean
  readonly checkClaims: CheckClaims
  readonly declarations: () => Declarations
  readonly requireFresh: RequireFresh
  /** The service of accounts, on behalf of the owner. */
  readonly as: (owner: Owner) => { readonly accounts: Pick<Accounts, 'change'> }
}

/** When to try again where too much was sent to an address; seconds. */
const SPENT_SECONDS = 600

/**
 * Makes what changes attributes that are marked `self`. Another address needs a fresh proof, and where it
 * counts only once it is verified it is proposed alone. Throws OAuthError for what is refused.
 */
export function createChangeOwnAttributes(options: OwnAttributesOptions) {
  const { declarations, requireFresh, verifies } = options
  const set = createSet(options)
  const proposedBy = createProposed(options)
  const propose = createPropose(options)
  return async function changeOwnAttributes(
    owner: Owner,
    { changes, currentPassword, isSpent }: OwnAttributes,
  ): Promise<void> {
    requireSelf(changes, declarations())
    const { email, ...others } = changes
    const isOther =
      'email' in changes && !isSameAddress(owner.account.attributes['email'], email)
    if (isOther) await requireFresh(owner, currentPassword)
    if (!isOther || !verifies || email === null) return set(owner, changes)
    const proposed = proposedBy(owner, changes)
    // The owner may know: it is their own doing.
    if (await isSpent(proposed)) throw slowDown(SPENT_SECONDS, 'address_limit')
    // Before anything is set: what can't be sent is refused whole.
    if (!(await options.outgoing.hasRoom('verification'))) throw outboxFull()
    // Before the ticket goes out: what is refused sends none.
    if (Object.keys(others).length > 0) await set(owner, others)
    await propose(owner, proposed)
  }
}

/** Makes what sets attributes at once, at the account that was seen, whatever its name is now. */
function createSet({ as }: OwnAttributesOptions) {
  return async (owner: Owner, attributes: AttributeChanges): Promise<void> => {
    const { sub, attributes: seen } = owner.account
    const outcome = await as(owner).accounts.change(sub, ({ attributes: found }) => {
      // Whether a proof was needed was judged by the address that was seen.
      const isStill = isSameEmail(seen['email'], found['email'])
      if ('email' in attributes && !isStill) throw changedMeanwhile()
      return { attributes }
    })
    if (outcome.kind === 'done') return
    if ('expected' in outcome) {
      throw attributeRefused(outcome.path, outcome.expected, outcome.reason)
    }
    if (outcome.reason === 'attribute_taken') {
      throw attributeRefused(outcome.path, 'another account has it', outcome.reason)
    }
    if (outcome.reason === 'changed_meanwhile') throw changedMeanwhile()
    if (outcome.reason === 'directory_owns') throw ownedElsewhere('attributes')
    throw gone(owner)
  }
}

/** Makes what reads another address, and checks whatever is changed beside it. */
function createProposed({ declarations, checkClaims }: OwnAttributesOptions) {
  return ({ account }: Owner, attributes: AttributeChanges): string => {
    if (account.external !== undefined) throw ownedElsewhere('email')
    const rules = { declarations: declarations(), checkClaims }
    const next = nextAttributes(account, { attributes }, rules)
    if (isFault(next)) throw attributeRefused(next.path, next.expected, next.reason)
    return String(next.attributes['email'])
  }
}

/** Makes what notes another address, which counts once somebody has proved to read it. */
function createPropose({ directory, outgoing }: OwnAttributesOptions) {
  return async (owner: Owner, email: string): Promise<void> => {
    const { account, address: sender } = owner
    const { tag, sub } = account
    const propose = ({ pending }: Account) => ({ ...pending, email })
    const outcome = await settlePending(directory, tag, propose)
    requireStill(outcome !== 'user_unknown', owner)
    if (outcome !== 'changed') throw changedMeanwhile()
    const network = networkOf(sender)
    const wanted = {
      purpose: 'verification',
      whom: { sub },
      address: email,
    } as const
    await send(outgoing, { ...wanted, network })
  }
}

function isSameAddress(email: Parameters<typeof isSameEmail>[0], next: unknown): boolean {
  return typeof next === 'string' ? isSameEmail(email, next) : email === undefined
}

/** @throws OAuthError attribute_not_self for the first attribute that users may not set */
export function requireSelf(changes: AttributeChanges, declarations: Declarations): void {
  for (const name of Object.keys(changes)) {
    // What users may not change is as little their business as what isn't there.
    if (declarations.get(name)?.self === true) continue
    const mine = [...declarations].flatMap(([one, { self }]) => (self ? one : []))
    const expected = `one of ${mine.join(', ') || 'none'} is expected`
    throw attributeRefused(name, expected, 'attribute_not_self')
  }
}
