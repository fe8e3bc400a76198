// Opens the directories of the configuration and composes what asks them. A new kind of directory is a line
// in `createDirectory`.
import type { Clock, Monotonic } from '../../base/clock.ts'
import type { Emit } from '../../base/events/events.ts'
import type { Random } from '../../base/random.ts'
import type { Account } from '../../stores/ports/directory.ts'
import type { AttributeRules } from '../account-attributes.ts'
import type { Authenticate } from '../authenticate.ts'
import type { CopiedPasswordWatch } from '../copied-password.ts'
import type { FailedLogins } from '../failed-logins/failed-logins.ts'
import type { PasswordHasher } from '../hashing/hasher.ts'
import type { CheckNewPassword } from '../new-password.ts'
import { createAuthenticateElsewhere } from './authenticate-elsewhere.ts'
import { createChain } from './chain.ts'
import type { Directory } from './directory.ts'
import type { Lookup, NamedDirectory } from './external.ts'
import { createReadGiven } from './given-attributes.ts'
import { guardDirectory, type DirectoryWatch } from './guarded.ts'
import { createHttpDirectory, type HttpDirectorySettings, type PostJson } from './http.ts'
import { createLdapDirectory, type LdapDirectorySettings } from './ldap/ldap-directory.ts'
import { createRecheck, type Recheck, type RecheckPolicy } from './recheck.ts'
import { createShadows } from './shadows.ts'
import { createMysqlSource } from './sql/mysql.ts'
import { createPostgresSource } from './sql/postgres.ts'
import { isPostgres } from '../../base/sql/server.ts'
import { createSqlDirectory, type SqlDirectorySettings } from './sql/sql-directory.ts'

/** What the configuration says of a directory. */
export type DirectorySettings =
  HttpDirectorySettings | LdapDirectorySettings | SqlDirectorySettings

/** What directories are made with. */
export interface DirectoryTools {
  /** Sends to addresses of the internet only, or where `mayBePrivate` to any. */
  readonly postTo: (mayBePrivate: boolean) => PostJson
  readonly clock: Clock
  readonly monotonic: Monotonic
  readonly random: Random
  readonly rules: () => AttributeRules
  readonly hasher: Pick<PasswordHasher, 'checkForeign'>
}

export interface ElsewhereOptions extends DirectoryTools {
  /** In their order. */
  readonly settings: readonly DirectorySettings[]
  readonly policy: () => RecheckPolicy
  readonly directory: Directory
  readonly local: Authenticate
  readonly failedLogins: FailedLogins
  readonly hasher: PasswordHasher
  readonly emit: Emit
  readonly checkNewPassword: CheckNewPassword
  readonly isClient: (id: string) => boolean
  readonly watch: DirectoryWatch & CopiedPasswordWatch
}

/** The directories elsewhere. */
export interface Elsewhere extends Recheck {
  /** Asks them for those who have no account of ours. */
  readonly authenticate: Authenticate
  /** Lets go of every connection. */
  close(): Promise<void>
}

/** Makes one directory of its settings. It asks nobody yet. */
export function createDirectory(
  settings: DirectorySettings,
  tools: DirectoryTools,
): NamedDirectory {
  if (settings.type === 'ldap') {
    const declarations = () => tools.rules().declarations
    return createLdapDirectory({ ...tools, settings, declarations })
  }
  if (settings.type === 'sql') {
    const source = isPostgres(settings)
      ? createPostgresSource(settings)
      : createMysqlSource(settings)
    const { checkForeign } = tools.hasher
    return createSqlDirectory({ settings, source, checkForeign })
  }
  const post = tools.postTo(settings.mayBePrivate)
  return createHttpDirectory({ ...tools, settings, post })
}

/** Composes the directories; undefined where there are none: nothing changes then. */
export function openElsewhere(options: ElsewhereOptions): Elsewhere | undefined {
  const { settings, directory, emit, watch, monotonic, policy, isClient } = options
  if (settings.length === 0) return undefined
  const chain = createChain(
    settings.map(each =>
      guardDirectory({ directory: createDirectory(each, options), watch, monotonic }),
    ),
  )
  const lookup = async ({ external }: Account): Promise<Lookup> => {
    const owner = chain.find(String(external?.directory))
    // Nobody waits for it: only the deadline ends it.
    const { signal } = new AbortController()
    if (owner === undefined || external === undefined) return { kind: 'unasked' }
    return owner.lookup(external.id, signal)
  }
  const readGiven = createReadGiven(options.rules)
  const shadows = createShadows({ directory, emit, readGiven, lookup, isClient })
  const { find } = chain
  const recheck = createRecheck({
    directory,
    shadows,
    lookup,
    find,
    policy,
    monotonic,
  })
  return {
    ...recheck,
    authenticate: createAuthenticateElsewhere({ ...options, chain, shadows }),
    async close() {
      await recheck.settled()
      await Promise.all(chain.directories.map(each => each.close()))
    },
  }
}
