// Somebody signs up. Whoever does learns nothing of others: the answer is the same, and takes as long,
// whether the name or the address was free or not.
import type { Emit } from '../base/events/events.ts'
import { userTag } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { attributeRefused, nameRefused } from '../oauth/account-errors.ts'
import type { Account, NewAccount, Pending } from '../stores/ports/directory.ts'
import type { Tickets as TicketStore } from '../stores/ports/people/tickets.ts'
import {
  NOTHING_KNOWN,
  nextAttributes,
  type NextAttributes,
} from '../users/account-attributes.ts'
import { isFault, type AttributeChanges } from '../users/attributes/check.ts'
import type { CheckClaims } from '../users/attributes/claims-budget.ts'
import type { Declarations } from '../users/attributes/declarations.ts'
import type { Directory } from '../users/directory/directory.ts'
import { readName, type Name } from '../users/names/user-name.ts'
import type { EvenTime } from './even-time.ts'
import { requireSelf } from './own-attributes.ts'
import { outboxFull, send, type Outgoing, type TicketWanted } from './outgoing.ts'
import {
  emitPassword,
  provenPlace,
  strangersPlace,
  type createHashChecked,
} from './recovery.ts'
import type { Caller, Redeem } from './redeem.ts'
import type { StaleSignUps } from './stale-sign-ups.ts'

/** A new account that somebody asks for. */
export interface SignUp {
  readonly name: string
  readonly password: string
  /** Those marked `self`. */
  readonly attributes: AttributeChanges
  readonly locale?: string | undefined
  readonly caller: Caller
  /** Whether enough was sent to that address already. */
  readonly isSpent: (target: string) => Promise<boolean>
}

/** An account that somebody was invited to. */
export interface AcceptedInvitation {
  readonly ticket: string
  readonly password: string
  readonly caller: Caller
}

/** Registration. Rejects with OAuthError, and with StoreUnavailable. */
export interface Registration {
  /** Adds the account where name and address are free; resolves alike where they aren't. */
  signUp(request: SignUp): Promise<void>
  /** Sets the first password of an account that an operator has added. */
  acceptInvitation(invitation: AcceptedInvitation): Promise<void>
}

/** What it is made of. */
export interface RegistrationOptions {
  readonly directory: Pick<Directory, 'find' | 'findLogin' | 'byValue' | 'add'>
  readonly staleSignUps: Pick<StaleSignUps, 'free' | 'takeBack'>
  readonly outgoing: Outgoing
  readonly redeem: Redeem
  readonly store: Pick<TicketStore, 'setPassword'>
  readonly hashChecked: ReturnType<typeof createHashChecked>
  readonly declarations: () => Declarations
  readonly checkClaims: CheckClaims
  /** Whether the account waits until its address is verified. */
  readonly verifies: boolean
  readonly evenTime: EvenTime
  readonly random: Pick<Random, 'uuid'>
  readonly emit: Emit
}

/** Makes registration. */
export function createRegistration(options: RegistrationOptions): Registration {
  const { redeem, store, hashChecked, emit } = options
  return {
    signUp: createSignUp(options),

    async acceptInvitation({ ticket: shown, password, caller }) {
      const { account } = await redeem({
        purpose: 'invitation',
        proof: { ticket: shown },
        caller,
        prepare: ({ name }) => hashChecked(password, name, provenPlace(caller.network)),
        take: ({ version }, ticket, passwordHash) =>
          store.setPassword({ ticket, passwordHash, provesAddress: false, version }),
      })
      emitPassword(emit, account.sub, caller)
    },
  }
}

function createSignUp(options: RegistrationOptions): Registration['signUp'] {
  const { outgoing, hashChecked, verifies, evenTime, random } = options
  const attributesOf = createAttributesOf(options)
  const addIfFree = createAddIfFree(options)
  const ownerOf = createOwnerOf(options)
  const sendFor = createSendFor(options)

  return async function signUp({ name, password, attributes, locale, caller, isSpent }) {
    const read = readName(name)
    if (read === undefined) throw nameRefused()
    const sub = random.uuid()
    const next = attributesOf(sub, attributes)
    const place = strangersPlace(caller.network)
    const passwordHash = await hashChecked(password, read.written, place)
    const { email = '' } = next.attributes
    const pending = verifies ? { signUp: true as const } : undefined
    const account = accountOf({ sub, read, next, passwordHash, pending })
    // What is sent goes to whoever has the name: both are counted. What is too much takes as long.
    const isTooMuch = async () =>
      verifies && ((await isSpent(read.folded)) || (await isSpent(String(email))))
    const about = { locale, network: caller.network }
    // In one span: the more it hides, the less any of it shows.
    await evenTime(async () => {
      // Before anything is added: what can't be sent is refused whole.
      if (verifies && !(await outgoing.hasRoom('verification'))) throw outboxFull()
      if (await isTooMuch()) return
      const isAdded = await addIfFree(account, caller)
      const outcome = isAdded ? 'added' : await ownerOf(account)
      if (verifies) await sendFor(account, outcome, about)
    })
  }
}

/** What comes of adding: the account, or whoever has its address already. */
type Added = 'added' | Account | undefined

/** Makes what sends the ticket, or tells whoever has the address already. */
function createSendFor({ outgoing, staleSignUps, random }: RegistrationOptions) {
  return async (
    { sub, tag }: NewAccount,
    outcome: Added,
    about: Pick<TicketWanted, 'locale' | 'network'>,
  ): Promise<void> => {
    const purpose = 'verification'
    if (outcome !== 'added') {
      // Where nothing was added its owner is told, or nobody, and it takes as long. What finds no room is
      // refused as the ticket would be: an answer of its own would say that somebody has the address.
      const whom = { sub: outcome?.sub ?? random.uuid() }
      await send(outgoing, { purpose, whom, isTaken: true, ...about })
      return
    }
    // For this very account: a ticket by its name would activate the password of whoever was first.
    await send(outgoing, { purpose, whom: { sub }, ...about }).catch(async error => {
      // Nothing is half done: the name would be taken, and no ticket on its way. A store that is away by now
      // keeps it for a day, and that is a 503, too.
      await staleSignUps.takeBack(tag)
      throw error
    })
  }
}

/** Makes what adds an account where nothing is in its way; resolves to whether it was added. */
function createAddIfFree(options: RegistrationOptions) {
  const { directory, emit } = options
  const makeRoom = createMakeRoom(options)
  return async (account: NewAccount, { origin }: Caller): Promise<boolean> => {
    await makeRoom(account)
    // Also where it is another account's address, by which that one logs in.
    if ((await directory.findLogin(account.name)) !== undefined) return false
    if ((await directory.add(account)) !== 'added') return false
    const { sub } = account
    const actor = `user:${sub}` as const
    emit(
      {
        type: 'user.changed',
        sub,
        change: 'added',
        actor,
      },
      origin,
    )
    return true
  }
}

/** Makes what finds who has the address of an account already, and has proved to read it. */
function createOwnerOf({ directory }: RegistrationOptions) {
  return async ({ uniqueValues }: NewAccount): Promise<Account | undefined> => {
    const email = uniqueValues.find(({ attribute }) => attribute === 'email')
    const owner = email && (await directory.byValue(email))
    return owner?.emailVerified === true ? owner : undefined
  }
}

/** Makes the check of what somebody says of themselves. */
function createAttributesOf({
  declarations,
  checkClaims,
  verifies,
}: RegistrationOptions) {
  return (sub: string, attributes: AttributeChanges): NextAttributes => {
    const rules = { declarations: declarations(), checkClaims }
    requireSelf(attributes, rules.declarations)
    const before = { ...NOTHING_KNOWN, sub, roles: [] }
    const next = nextAttributes(before, { attributes }, rules)
    if (isFault(next)) throw attributeRefused(next.path, next.expected, next.reason)
    if (verifies && next.attributes['email'] === undefined) {
      throw attributeRefused('email', 'an e-mail address', 'attribute_invalid')
    }
    return next
  }
}

/** Makes what frees the name and the unique values of an account from sign-ups that nobody verified. */
function createMakeRoom({ directory, staleSignUps }: RegistrationOptions) {
  return async ({ name, uniqueValues }: NewAccount): Promise<void> => {
    const inTheWay = await Promise.all([
      directory.find(name),
      directory.findLogin(name),
      ...uniqueValues.map(directory.byValue),
    ])
    for (const account of inTheWay) await staleSignUps.free(account)
  }
}

function accountOf({
  sub,
  read,
  next,
  passwordHash,
  pending,
}: {
  readonly sub: string
  readonly read: Name
  readonly next: NextAttributes
  readonly passwordHash: string
  readonly pending: Pending | undefined
}): NewAccount {
  return {
    ...next,
    sub,
    tag: userTag(sub),
    name: read.written,
    foldedName: read.folded,
    scopes: null,
    roles: [],
    disabled: false,
    passwordHash,
    ...(pending !== undefined && { pending }),
  }
}
