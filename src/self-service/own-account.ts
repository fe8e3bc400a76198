// This folder is what users do for themselves, through apps: it sees and changes their own account, and no
// other. It draws no form and knows no HTTP. The routes of src/http/public/account/ call it.
import type { Emit } from '../base/events/events.ts'
import { changedMeanwhile, noSuchSession } from '../oauth/account-errors.ts'
import type { Account } from '../stores/ports/directory.ts'
import type { Families, Session } from '../stores/ports/families.ts'
import type { Subjects } from '../stores/ports/subjects.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Accounts } from '../users/accounts.ts'
import type { Directory } from '../users/directory/directory.ts'
import { networkOf } from '../users/failed-logins/network.ts'
import type { PasswordHasher } from '../users/hashing/hasher.ts'
import type { CheckNewPassword } from '../users/new-password.ts'
import {
  createChangeOwnAttributes,
  type OwnAttributes,
  type OwnAttributesOptions,
} from './own-attributes.ts'
import { actorOf, ownedElsewhere, requireStill, type Owner } from './owner.ts'
import type { Deletions } from './removal/deletions.ts'
import { createHashChecked, provenPlace } from './recovery.ts'

/** A new password, and the proof that it may be set. */
export interface OwnPassword {
  readonly password: string
  readonly currentPassword: string | undefined
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
export interface OwnAccountOptions extends OwnAttributesOptions {
  readonly directory: Pick<Directory, 'changePassword' | 'byTag' | 'changePending'>
  readonly subjects: Pick<Subjects, 'endOtherSessions'>
  readonly families: Pick<Families, 'list'>
  readonly hasher: Pick<PasswordHasher, 'hash'>
  readonly checkNewPassword: CheckNewPassword
  readonly minPasswordLength: () => number
  /** Undefined: what is deleted is erased at once. */
  readonly deletions: Pick<Deletions, 'begin'> | undefined
  /** The services, on behalf of the owner. */
  readonly as: (owner: Owner) => {
    readonly accounts: Pick<Accounts, 'change' | 'removeBySub'>
    readonly sessions: Pick<Sessions, 'end'>
  }
  readonly emit: Emit
}

/** Makes the service. */
export function createOwnAccount(options: OwnAccountOptions): OwnAccount {
  const { subjects, families, requireFresh, as, emit, deletions } = options

  async function beginDeletion(
    owner: Owner,
    account: Account,
    { begin }: Pick<Deletions, 'begin'>,
  ) {
    const outcome = await begin(account)
    if (outcome === 'superseded') throw changedMeanwhile()
    requireStill(outcome === 'changed', owner)
    emit(changed(owner.account.sub, 'deletion_begun', owner), owner.origin)
  }

  return {
    change: createChangeOwnAttributes(options),
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
      const account = await requireFresh(owner, currentPassword)
      if (deletions !== undefined) return beginDeletion(owner, account, deletions)
      const { kind } = await as(owner).accounts.removeBySub(owner.account.sub)
      requireStill(kind === 'done', owner)
    },
  }
}

function createSetPassword(options: OwnAccountOptions): OwnAccount['setPassword'] {
  const { directory, requireFresh, emit } = options
  const hashChecked = createHashChecked(options)
  return async function setOwnPassword(owner, { password, currentPassword }) {
    const { tag, sub, name, external } = owner.account
    if (external !== undefined) throw ownedElsewhere('password')
    const { version } = await requireFresh(owner, currentPassword)
    const place = { ...provenPlace(networkOf(owner.address)), signal: owner.signal }
    const passwordHash = await hashChecked(password, name, place)
    const change = { tag, passwordHash, version, keeps: owner.sid }
    const outcome = await directory.changePassword(change)
    if (outcome === 'superseded') throw changedMeanwhile()
    requireStill(outcome === 'changed', owner)
    emit(changed(sub, 'password', owner), owner.origin)
  }
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
