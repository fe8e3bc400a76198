// This folder is what users do for themselves, through apps: it sees and changes their own account, and no
// other. It draws no form and knows no HTTP. The routes of src/http/public/account/ call it.
import type { Emit } from '../base/events/events.ts'
import {
  attributeRefused,
  changedMeanwhile,
  noSuchSession,
} from '../oauth/account-errors.ts'
import { invalidToken, slowDown } from '../oauth/errors.ts'
import type { Account } from '../stores/ports/directory.ts'
import type { Families, Session } from '../stores/ports/families.ts'
import type { Subjects } from '../stores/ports/subjects.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Accounts } from '../users/accounts.ts'
import { nextAttributes } from '../users/account-attributes.ts'
import { isFault, isSameEmail, type AttributeChanges } from '../users/attributes/check.ts'
import type { CheckClaims } from '../users/attributes/claims-budget.ts'
import type { Declarations } from '../users/attributes/declarations.ts'
import type { Directory } from '../users/directory/directory.ts'
import { networkOf } from '../users/failed-logins/network.ts'
import type { PasswordHasher } from '../users/hashing/hasher.ts'
import { settlePending } from '../users/settle-pending.ts'
import type { CheckNewPassword } from '../users/new-password.ts'
import type { RequireFresh } from './fresh-proof.ts'
import { outboxFull, send, type Outgoing } from './outgoing.ts'
import { requireSelf } from './own-attributes.ts'
import { actorOf, type Owner } from './owner.ts'
import type { Deletions } from './removal/deletions.ts'
import { createHashChecked } from './recovery.ts'

/** A new password, and the proof that it may be set. */
export interface OwnPassword {
  readonly password: string
  readonly currentPassword: string | undefined
}

/** New values of attributes, and the proof where one is needed. */
export interface OwnAttributes {
  readonly changes: AttributeChanges
  readonly currentPassword: string | undefined
  /** Whether enough was sent to that address already. */
  readonly isSpent: (target: string) => Promise<boolean>
}

/**
 * What users do to their own account. Everything throws OAuthError for what is refused, and StoreUnavailable.
 */
export interface OwnAccount {
  /** Changes attributes that are marked `self`; another address needs a fresh proof. */
  change(owner: Owner, request: OwnAttributes): Promise<void>
  /** Sets another password; all sessions end but the caller's own. Needs a fresh proof. */
  setPassword(owner: Owner, request: OwnPassword): Promise<void>
  /** The living sessions, the newest first. */
  sessions(owner: Owner): Promise<readonly Session[]>
  /** Ends one session of the user. */
  endSession(owner: Owner, sid: string): Promise<void>
  /** Ends all sessions but the caller's own. */
  endOthers(owner: Owner): Promise<void>
  /**
   * Ends every session, and erases the account: at once, or after the time to think it over. Needs a fresh
   * proof.
   */
  remove(owner: Owner, currentPassword: string | undefined): Promise<void>
}

/** What it is made of. */
export interface OwnAccountOptions {
  readonly directory: Pick<Directory, 'changePassword' | 'byTag' | 'changePending'>
  readonly outgoing: Outgoing
  /** Whether another address counts only once it is verified. */
  readonly verifies: boolean
  readonly checkClaims: CheckClaims
  readonly subjects: Pick<Subjects, 'endOtherSessions'>
  readonly families: Pick<Families, 'list'>
  readonly hasher: Pick<PasswordHasher, 'hash'>
  readonly checkNewPassword: CheckNewPassword
  readonly minPasswordLength: () => number
  readonly declarations: () => Declarations
  readonly requireFresh: RequireFresh
  /** Undefined: what is deleted is erased at once. */
  readonly deletions: Pick<Deletions, 'begin'> | undefined
  /** The services, on behalf of the owner. */
  readonly as: (owner: Owner) => {
    readonly accounts: Pick<Accounts, 'change' | 'removeBySub'>
    readonly sessions: Pick<Sessions, 'end'>
  }
  readonly emit: Emit
}

/** When to try again where too much was sent to an address; seconds. */
const SPENT_SECONDS = 600

/** Makes the service. */
export function createOwnAccount(options: OwnAccountOptions): OwnAccount {
  const { subjects, families, requireFresh, as, emit, deletions } = options

  async function beginDeletion(owner: Owner, { begin }: Pick<Deletions, 'begin'>) {
    const outcome = await begin(owner.account)
    if (outcome === 'superseded') throw changedMeanwhile()
    requireStill(outcome === 'changed', owner)
    emit(changed(owner.account.sub, 'deletion_begun', owner), owner.origin)
  }

  return {
    change: createChange(options),
    setPassword: createSetPassword(options),
    sessions: ({ account }) => families.list(account.tag),

    async endSession(owner, sid) {
      const { tag: userTag } = owner.account
      const actor = actorOf(owner)
      const outcome = await as(owner).sessions.end({ sid, userTag }, actor)
      if (outcome === 'session_unknown') throw noSuchSession()
    },

    async endOthers(owner) {
      const { tag, sub } = owner.account
      requireStill(await subjects.endOtherSessions(tag, owner.sid), owner)
      emit(changed(sub, 'sessions_ended', owner), owner.origin)
    },

    async remove(owner, currentPassword) {
      await requireFresh(owner, currentPassword)
      if (deletions !== undefined) return beginDeletion(owner, deletions)
      const { kind } = await as(owner).accounts.removeBySub(owner.account.sub)
      requireStill(kind === 'done', owner)
    },
  }
}

function createChange(options: OwnAccountOptions): OwnAccount['change'] {
  const { declarations, requireFresh, verifies } = options
  const set = createSet(options)
  const proposedBy = createProposed(options)
  const propose = createPropose(options)
  return async function changeAttributes(owner, { changes, currentPassword, isSpent }) {
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
function createSet({ as }: OwnAccountOptions) {
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
function createProposed({ declarations, checkClaims }: OwnAccountOptions) {
  return ({ account }: Owner, attributes: AttributeChanges): string => {
    if (account.external !== undefined) throw ownedElsewhere('email')
    const rules = { declarations: declarations(), checkClaims }
    const next = nextAttributes(account, { attributes }, rules)
    if (isFault(next)) throw attributeRefused(next.path, next.expected, next.reason)
    return String(next.attributes['email'])
  }
}

/** Makes what notes another address, which counts once somebody has proved to read it. */
function createPropose({ directory, outgoing }: OwnAccountOptions) {
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

function createSetPassword(options: OwnAccountOptions): OwnAccount['setPassword'] {
  const { directory, requireFresh, emit } = options
  const hashChecked = createHashChecked(options)
  return async function setOwnPassword(owner, { password, currentPassword }) {
    const { tag, sub, name, version, external } = owner.account
    if (external !== undefined) throw ownedElsewhere('password')
    await requireFresh(owner, currentPassword)
    const passwordHash = await hashChecked(password, name)
    const change = { tag, passwordHash, version, keeps: owner.sid }
    const outcome = await directory.changePassword(change)
    if (outcome === 'superseded') throw changedMeanwhile()
    requireStill(outcome === 'changed', owner)
    emit(changed(sub, 'password', owner), owner.origin)
  }
}

function ownedElsewhere(what: string) {
  const expected = 'a directory elsewhere has this account, and alone changes it'
  return attributeRefused(what, expected, 'directory_owns')
}

function changed(
  sub: string,
  change: 'password' | 'sessions_ended' | 'deletion_begun',
  owner: Owner,
) {
  return {
    type: 'user.changed',
    sub,
    change,
    actor: actorOf(owner),
  } as const
}

function isSameAddress(email: Parameters<typeof isSameEmail>[0], next: unknown): boolean {
  return typeof next === 'string' ? isSameEmail(email, next) : email === undefined
}

/** @throws OAuthError where the account has gone since its token was looked at */
function requireStill(isThere: boolean, owner: Owner): void {
  if (!isThere) throw gone(owner)
}

function gone({ scheme }: Owner) {
  return invalidToken('user_unknown', scheme)
}
