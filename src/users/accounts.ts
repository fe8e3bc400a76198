// Accounts: who is who, and what an operator does to them. The only place that emits user.changed.
import { randomUUID } from 'node:crypto'
import type { Emit, UserChange } from '../events.ts'
import { userTag } from '../ids.ts'
import { OAuthError } from '../oauth/errors.ts'
import type { Account, User, Users } from '../stores/ports.ts'
import { foldName } from './names.ts'
import { checkNewPassword, type PasswordFault, type PasswordHasher } from './passwords.ts'

/** What comes of a name and a password. */
export type Authentication =
  | { readonly kind: 'ok', readonly account: Account }
  | { readonly kind: 'refused', readonly reason: 'user_unknown' | 'password_wrong' | 'user_disabled', readonly sub?: string }

/** Why an account isn't added. */
export type AddFault = PasswordFault | 'name_invalid' | 'name_taken' | 'sub_invalid' | 'sub_taken' | 'hash_unsupported' | 'hash_too_costly'

/** What comes of adding an account. */
export type AddOutcome =
  | { readonly kind: 'added', readonly account: Pick<User, 'sub' | 'name'> }
  | { readonly kind: 'refused', readonly reason: AddFault }

/** What comes of changing an account. */
export type ChangeOutcome =
  | { readonly kind: 'done', readonly sub: string }
  | { readonly kind: 'refused', readonly reason: 'user_unknown' | PasswordFault }

/** What a user may hold. */
export type Access = Pick<User, 'scopes' | 'roles'>

/** A new account with its first password. */
export interface NewUser extends Access {
  readonly name: string
  readonly password: string
}

/** An account that comes from elsewhere, with its hash. */
export interface ForeignUser extends Access {
  readonly name: string
  /** An argon2id PHC string. */
  readonly passwordHash: string
  /** The id under which others know the user: 1 to 255 printable ASCII characters (OpenID Connect Core §2). New when left out. */
  readonly sub?: string | undefined
  readonly disabled: boolean
}

/** The accounts. Promises reject with StoreUnavailable, and those that hash with OAuthError temporarily_unavailable. */
export interface Accounts {
  /** Checks a name and a password. Every refusal takes the time of a wrong password. A hash of an old cost is made anew on the way. */
  authenticate (name: string, password: string): Promise<Authentication>
  /** Adds an account under a new `sub`. */
  add (user: NewUser): Promise<AddOutcome>
  /** Adds an account whose password is known as a hash only. */
  importHash (user: ForeignUser): Promise<AddOutcome>
  /** Sets the password and ends every session. */
  setPassword (name: string, password: string): Promise<ChangeOutcome>
  /** Lets the user in no more and ends every session. */
  disable (name: string): Promise<ChangeOutcome>
  /** Lets the user in again; ended sessions stay ended. */
  enable (name: string): Promise<ChangeOutcome>
  /** Ends every session. */
  endSessions (name: string): Promise<ChangeOutcome>
  /** What the user may hold from the next token on. */
  setAccess (name: string, access: Access): Promise<ChangeOutcome>
  /** Removes the account and every session. */
  remove (name: string): Promise<ChangeOutcome>
  /** The account of that name, however it is written. */
  find (name: string): Promise<Account | undefined>
  /** Every account, in no order. */
  all (): AsyncIterable<Account>
}

/** What accounts are made of. */
export interface AccountsOptions {
  readonly users: Users
  readonly hasher: PasswordHasher
  readonly emit: Emit
  /** The least length of a new password, in code points. */
  readonly minLength: () => number
}

const SUB = /^[\x21-\x7E]{1,255}$/

/** Makes the accounts. */
export function createAccounts (options: AccountsOptions): Accounts {
  const { users, hasher, minLength } = options
  const find = async (name: string) => {
    const folded = foldName(name)
    return folded === undefined ? undefined : users.byName(folded)
  }
  const change = createChange(find, options)
  return {
    find,
    all: () => users.all(),
    authenticate: createAuthenticate(find, options),
    ...createAdding(options),
    async setPassword (name, password) {
      const fault = checkNewPassword(password, { minLength: minLength(), name })
      if (fault !== undefined) return refused(fault)
      return change(name, 'password', async tag => users.setPassword(tag, await hasher.hash(password)))
    },
    disable: name => change(name, 'disabled', tag => users.setDisabled(tag, true)),
    enable: name => change(name, 'enabled', tag => users.setDisabled(tag, false)),
    endSessions: name => change(name, 'sessions_ended', tag => users.endSessions(tag)),
    setAccess: (name, { scopes, roles }) => change(name, 'access', tag => users.setAccess(tag, { scopes, roles })),
    remove: name => change(name, 'removed', tag => users.remove(tag)),
  }
}

type Find = Accounts['find']

function refused<const Reason extends string> (reason: Reason): { readonly kind: 'refused', readonly reason: Reason } {
  return { kind: 'refused', reason }
}

function createChange (find: Find, { emit }: AccountsOptions) {
  return async (name: string, what: UserChange, act: (tag: string) => Promise<boolean>): Promise<ChangeOutcome> => {
    const account = await find(name)
    // The account may also go away between the question and the act.
    if (account === undefined || !await act(account.tag)) return refused('user_unknown')
    emit({ type: 'user.changed', sub: account.sub, change: what })
    return { kind: 'done', sub: account.sub }
  }
}

function createAuthenticate (find: Find, options: AccountsOptions): Accounts['authenticate'] {
  const { hasher } = options
  return async (name, password) => {
    const account = await find(name)
    if (account === undefined) {
      // Checked against nothing, so that time does not tell who exists.
      await hasher.verifyNothing(password)
      return refused('user_unknown')
    }
    const { sub, passwordHash, disabled } = account
    if (!await hasher.verify(passwordHash, password)) return { kind: 'refused', reason: 'password_wrong', sub }
    if (disabled) return { kind: 'refused', reason: 'user_disabled', sub }
    if (hasher.needsUpgrade(passwordHash)) await upgrade(account, password, options)
    return { kind: 'ok', account }
  }
}

async function upgrade ({ sub, tag, passwordHash }: Account, password: string, { users, hasher, emit }: AccountsOptions): Promise<void> {
  const better = await hasher.hash(password).catch(nothingWhenBusy)
  if (better === undefined) return
  // False when another login was faster: it has told.
  if (await users.upgradePassword(tag, passwordHash, better)) emit({ type: 'password.upgraded', sub })
}

// The password was right: a full queue only puts the upgrade off until the next login.
function nothingWhenBusy (error: unknown): undefined {
  if (!(error instanceof OAuthError)) throw error
}

interface Addition extends Access {
  readonly name: string
  readonly sub: string
  readonly disabled: boolean
  readonly makeHash: () => Promise<string>
}

function createAdding (options: AccountsOptions): Pick<Accounts, 'add' | 'importHash'> {
  const { hasher, minLength } = options
  const insert = createInsert(options)
  return {
    async add ({ name, password, scopes, roles }) {
      const fault = checkNewPassword(password, { minLength: minLength(), name })
      if (fault !== undefined) return refused(fault)
      return insert({ name, scopes, roles, sub: randomUUID(), disabled: false, makeHash: () => hasher.hash(password) })
    },
    async importHash ({ name, passwordHash, sub = randomUUID(), scopes, roles, disabled }) {
      const fault = hasher.checkForeign(passwordHash)
      if (fault !== undefined) return refused(fault)
      return insert({ name, scopes, roles, sub, disabled, makeHash: async () => passwordHash })
    },
  }
}

function createInsert ({ users, emit }: AccountsOptions) {
  return async ({ makeHash, ...user }: Addition): Promise<AddOutcome> => {
    const { name, sub } = user
    const [foldedName, tag] = [foldName(name), userTag(sub)]
    if (foldedName === undefined) return refused('name_invalid')
    if (!SUB.test(sub)) return refused('sub_invalid')
    if (await users.byTag(tag) !== undefined) return refused('sub_taken')
    const outcome = await users.add({ ...user, foldedName, tag, passwordHash: await makeHash() })
    if (outcome === 'name_taken') return refused('name_taken')
    emit({ type: 'user.changed', sub, change: 'added' })
    return { kind: 'added', account: { sub, name } }
  }
}
