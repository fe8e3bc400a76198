// The core's people: accounts, their passwords, and who may log in.
import type { Emit } from '../base/events/events.ts'
import type { ClientRegistry } from '../clients/registry.ts'
import { createAccounts, type Accounts } from '../users/accounts.ts'
import { createCheckClaims, type CheckClaims } from '../users/attributes/claims-budget.ts'
import { createAuthenticate, type Authenticate } from '../users/authenticate.ts'
import { createValueClaims, type ValueClaims } from '../users/claims/claim-values.ts'
import { createBuiltInDirectory } from '../users/directory/built-in.ts'
import type { Directory } from '../users/directory/directory.ts'
import { createNameLogins, type NameLogins } from '../users/attributes/login-texts.ts'
import type { Elsewhere } from '../users/directory/open.ts'
import {
  createFailedLogins,
  type FailedLogins,
} from '../users/failed-logins/failed-logins.ts'
import { createPasswordHasher, type PasswordHasher } from '../users/hashing/hasher.ts'
import { createNameInLogs, type NameInLogs } from '../users/names/name-in-logs.ts'
import { createFindSubject, type FindSubject } from '../users/subject-identifiers.ts'
import { createUnlock, type Unlock } from '../users/refusals/unlock.ts'
import {
  createLoginRefusals,
  type LoginRefusals,
} from '../users/refusals/login-refusals.ts'
import {
  createCheckNewPassword,
  type CheckNewPassword,
  type IsBreached,
} from '../users/new-password.ts'
import { composeElsewhere } from './elsewhere.ts'
import type { ComposeOptions } from './options.ts'

/** What the core can do with people. */
export interface People {
  readonly hasher: PasswordHasher
  readonly checkNewPassword: CheckNewPassword
  readonly accounts: Accounts
  /** The same accounts, for a caller whose changes are emitted in a way of its own. */
  readonly accountsWith: (emit: Emit) => Accounts
  readonly authenticate: Authenticate
  readonly failedLogins: FailedLogins
  readonly nameInLogs: NameInLogs
  /** Why logins were refused. */
  readonly refusals: LoginRefusals
  /** The account that a subject identifier (RFC 9493) means. */
  readonly findSubject: FindSubject
  /** Forgets the failed logins of an account. */
  readonly unlock: Unlock
  /** The same, emitted in a way of its own. */
  readonly unlockWith: (emit: Emit) => Unlock
  readonly directory: Directory
  /** Directories elsewhere; undefined: there are none. */
  readonly elsewhere: Elsewhere | undefined
  readonly checkClaims: CheckClaims
  /** Names the texts by which a write would let somebody log in. */
  readonly nameLogins: NameLogins
  /** Claims values that accounts have had since before they were unique. */
  readonly valueClaims: ValueClaims
}

const onNoList: IsBreached = async () => false

/** Composes the people's side. */
export function composePeople({
  settings,
  store,
  emit,
  instruments,
  clock,
  monotonic,
  random,
  clients,
  isBreached = onNoList,
}: ComposeOptions & { readonly clients: Pick<ClientRegistry, 'find'> }): People {
  const { issuer, secrets } = settings
  const { hasher, checkNewPassword } = composePasswords({
    settings,
    instruments,
    monotonic,
    random,
    isBreached,
  })
  const failedLogins = createFailedLogins({
    attempts: store.loginAttempts,
    secrets,
    policy: settings.logins,
  })
  const logins = { declarations: settings.attributes, login: settings.loginBy }
  const nameLogins = createNameLogins(logins)
  const directory = createBuiltInDirectory({ ...store, ...logins })
  const checkClaims = createCheckClaims(settings.claimsBudget)
  const accountsWith = (emitFor: Emit) =>
    createAccounts({
      directory,
      hasher,
      emit: emitFor,
      checkNewPassword,
      declarations: settings.attributes,
      checkClaims,
      random,
    })
  const accounts = accountsWith(emit)
  const refusals = composeRefusals({ settings, store, clock })
  const unlockWith = (emitFor: Emit) =>
    createUnlock({ refusals, failedLogins, emit: emitFor })
  const passwords = { directory, hasher, failedLogins, emit, monotonic }
  const local = createAuthenticate(passwords)
  const elsewhere = composeElsewhere({
    ...passwords,
    settings,
    instruments,
    checkClaims,
    checkNewPassword,
    local,
    clock,
    random,
    isClient: id => clients.find(id) !== undefined,
  })
  return {
    hasher,
    checkNewPassword,
    accounts,
    accountsWith,
    directory,
    checkClaims,
    nameLogins,
    valueClaims: createValueClaims({
      nameLogins,
      directory,
      change: accounts.change,
      declarations: settings.attributes,
    }),
    authenticate: elsewhere?.authenticate ?? local,
    elsewhere,
    failedLogins,
    nameInLogs: createNameInLogs({ secrets, plain: settings.usernamesInLogs }),
    refusals,
    findSubject: createFindSubject({
      issuer,
      directory: store.directory,
      declarations: settings.attributes,
    }),
    unlock: unlockWith(emit),
    unlockWith,
  }
}

/** Why logins were refused. */
function composeRefusals({
  settings,
  store,
  clock,
}: Pick<ComposeOptions, 'settings' | 'store' | 'clock'>) {
  return createLoginRefusals({
    store: store.loginRefusals,
    secrets: settings.secrets,
    login: settings.loginBy,
    clock,
  })
}

/** Hashing, and the one rule for new passwords. */
function composePasswords({
  settings,
  instruments,
  monotonic,
  random,
  isBreached,
}: Pick<ComposeOptions, 'settings' | 'instruments' | 'monotonic' | 'random'> & {
  readonly isBreached: IsBreached
}): Pick<People, 'hasher' | 'checkNewPassword'> {
  const hasher = createPasswordHasher({
    ...settings.hashing,
    onWaited: instruments.hashWaited,
    monotonic,
    random,
  })
  return {
    hasher: instruments.aroundHasher(hasher),
    checkNewPassword: createCheckNewPassword({
      minLength: settings.minPasswordLength,
      issuer: settings.issuer,
      isBreached,
    }),
  }
}
