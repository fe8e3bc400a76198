// What the core is told: values of the process's whole life, and functions that give those of now. The
// configuration has all of them; the tests' server gives its own.
import type { ClientSettings } from '../clients/registry.ts'
import { keyPolicy } from '../config/key-policy.ts'
import type { Config } from '../config/schema.ts'
import type { TokenPolicy } from '../grants/issue.ts'
import type { KeyPolicy } from '../keys/schedule/policy.ts'
import { rulesOf, type ClaimRules } from '../oauth/claims.ts'
import type { StatusServiceOptions } from '../status-lists/service.ts'
import type { ClaimsBudget } from '../users/attributes/claims-budget.ts'
import { declarationsOf, type Declarations } from '../users/attributes/declarations.ts'
import type { DirectorySettings } from '../users/directory/open.ts'
import type { RecheckPolicy } from '../users/directory/recheck.ts'
import type { TicketPolicy } from '../tickets/tickets.ts'
import type { AccessTokenType } from '../tokens/access-token.ts'
import type { FailedLoginsPolicy } from '../users/failed-logins/failed-logins.ts'
import type { HashingOptions } from '../users/hashing/hasher.ts'

/** The settings of the core; each function gives the value of now. */
export interface CoreSettings {
  readonly issuer: string
  /** base64 or base64url: the first seals, all open. */
  readonly secrets: readonly string[]
  readonly status: StatusServiceOptions['status']
  readonly hashing: HashingOptions
  /** Those of the start; a reload replaces them in the registry. */
  readonly clients: readonly ClientSettings[]
  /** In code points. */
  readonly minPasswordLength: () => number
  readonly keyPolicy: () => KeyPolicy
  readonly tokenPolicy: () => TokenPolicy
  /** The header type that an audience wants. */
  readonly typOf: (audience: string) => AccessTokenType
  /** The algorithm that an audience needs; undefined: it takes any. */
  readonly algorithmOf: (audience: string) => string | undefined
  /** The rules of the claims that tokens for an audience carry. */
  readonly claimsFor: (audience: string) => ClaimRules
  readonly logins: () => FailedLoginsPolicy
  /** Which attributes accounts may have. */
  readonly attributes: () => Declarations
  /** What the claims of a token may be. */
  readonly claimsBudget: () => ClaimsBudget
  /** By what users log in: `name`, and unique attributes. */
  readonly loginBy: () => readonly string[]
  /** What users may do for themselves; as configured at the start. */
  readonly selfService: Config['selfService']
  /** Directories elsewhere, in their order; those of the start. */
  readonly directories: readonly DirectorySettings[]
  readonly recheck: () => RecheckPolicy
  /** How long tickets live. */
  readonly ticketPolicy: () => TicketPolicy
  /** What is sent to people and apps. */
  readonly notify: () => Config['notify']
  /** Whether the audit log has names as they were typed. */
  readonly usernamesInLogs: () => boolean
}

/**
 * Takes the core's settings from the configuration.
 *
 * @param current gives the configuration of now; what can't change while a process runs is read once
 */
export function coreSettings(current: () => Config): CoreSettings {
  const { issuer, secrets, status, passwords, clients, directories, selfService } =
    current()
  return {
    issuer,
    secrets,
    status,
    hashing: passwords,
    clients: clients.map(toClientSettings),
    minPasswordLength: () => current().passwords.minLength,
    keyPolicy: () => keyPolicy(current()),
    tokenPolicy: () => current().tokens,
    typOf: audience => current().audiences[audience]?.typ ?? 'at+jwt',
    algorithmOf: audience => current().audiences[audience]?.algorithm,
    claimsFor: audience => rulesOf(audience, current()),
    logins: () => current().throttle.logins,
    attributes: createDeclarations(current),
    claimsBudget: () => claimsBudgetOf(current()),
    loginBy: () => current().login,
    selfService,
    directories: directories.map(toDirectorySettings),
    recheck: () => current().directory,
    ticketPolicy: () => ({ ttl: selfService.ticketTtl, codes: selfService.codes }),
    notify: () => current().notify,
    usernamesInLogs: () => current().log.usernames,
  }
}

/** What the configuration lets the claims of a token be. */
export function claimsBudgetOf({ claims, audiences, tokens }: Config): ClaimsBudget {
  return { claims, audiences, claimsMaxBytes: tokens.claimsMaxBytes }
}

/** A directory by its kind; what each needs is there, as the configuration's rules say. */
function toDirectorySettings(
  directory: Config['directories'][number],
): DirectorySettings {
  const { type, secrets = [], base = '', filter = '', query = '', ...others } = directory
  if (type === 'http') return { ...others, type, secrets }
  if (type === 'ldap') return { ...others, type, base, filter }
  return { ...others, type, query }
}

/** A client for the registry: the configuration's optional keys are absent, never undefined. */
export function toClientSettings(client: Config['clients'][number]): ClientSettings {
  return client
}

/** Reads the declarations once for each configuration: every login asks for them. */
function createDeclarations(current: () => Config): () => Declarations {
  let of: Config['attributes'] | undefined
  let declarations = declarationsOf({})
  return () => {
    const { attributes } = current()
    if (attributes !== of) declarations = declarationsOf(attributes)
    of = attributes
    return declarations
  }
}
