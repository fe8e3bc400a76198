// How a grant describes itself. Everything else reads that description: the token endpoint, the metadata, the
// OpenAPI document, the metrics.
import { Type, type Static, type TObject, type TProperties } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Clock } from '../base/clock.ts'
import type { Emit, Origin } from '../base/events/events.ts'
import type { Random } from '../base/random.ts'
import type { Client } from '../clients/registry.ts'
import { invalidRequest } from '../oauth/errors.ts'
import type { Form } from '../oauth/form.ts'
import type { TakeStatusEntry } from '../status-lists/indices.ts'
import type { Account } from '../stores/ports/directory.ts'
import type { Families } from '../stores/ports/families.ts'
import type { Subjects } from '../stores/ports/subjects.ts'
import type { ReadsRefreshToken } from '../tokens/read-refresh-token.ts'
import type { Authenticate } from '../users/authenticate.ts'
import type { NameInLogs } from '../users/names/name-in-logs.ts'
import type { Grant } from './grant.ts'
import type { IssueTokens, MintAccessToken, TokenPolicy } from './issue.ts'

/** What grants may be built of; each takes what it needs. */
export interface GrantServices {
  readonly issuer: string
  readonly authenticate: Authenticate
  readonly nameInLogs: NameInLogs
  readonly families: Pick<Families, 'open' | 'rotate'>
  readonly subjects: Pick<Subjects, 'byTag'>
  readonly readRefreshToken: ReadsRefreshToken
  /** Whether the user's directory has been away for too long (users/directory/recheck.ts). */
  readonly isOverdue?: ((userTag: string) => boolean) | undefined
  readonly mint: MintAccessToken
  readonly issue: IssueTokens
  readonly policy: () => TokenPolicy
  /** Undefined: tokens have no status. */
  readonly takeStatus: TakeStatusEntry | undefined
  /** Called before a session of a login begins: an account that its user has deleted comes back. */
  readonly keepAccount: (account: Account, origin: Origin) => Promise<void>
  readonly clock: Clock
  readonly emit: Emit
  /** Default: the system's. */
  readonly random?: Random
}

/** What a grant says of itself. */
export interface GrantDescription<Properties extends TProperties = TProperties> {
  /** The value of `grant_type`; the metadata lists it, and clients name it in `grants`. */
  readonly type: string
  /** What metrics call it: one word, whatever the type looks like. */
  readonly label: string
  /** What a client gets by it, in one sentence. */
  readonly summary: string
  /** Its parameters. One that is an array may repeat; all others stand once (RFC 6749 §3.2). */
  readonly parameters: Properties
  /** The parameters of a request, as an example. */
  readonly example: Readonly<Record<string, string | readonly string[]>>
  /** Whether the client may use it. */
  readonly allows: (client: Client) => boolean
}

/** A grant: what it says of itself, and how it is made. */
export interface GrantDescriptor<Services = GrantServices> extends GrantDescription {
  /**
   * Makes the function that the token endpoint calls.
   *
   * It throws OAuthError invalid_request when a required parameter is missing.
   */
  readonly create: (services: Services) => Grant
}

/**
 * Describes a grant, whose function gets its parameters checked against its own schema.
 *
 * @example
 * export const passwordGrant = defineGrant({ type: 'password', parameters, …, create: createPasswordGrant })
 */
export function defineGrant<Properties extends TProperties, Services>({
  create,
  ...description
}: GrantDescription<Properties> & {
  readonly create: (services: Services) => Grant<Static<TObject<Properties>>>
}): GrantDescriptor<Services> {
  const schema = Type.Object(description.parameters)
  const validator = Compile(schema)
  return {
    ...description,
    create(services) {
      const run = create(services)
      return async function checkParameters(request) {
        const { params } = request
        if (!validator.Check(params)) throw refusalOf(schema, params)
        return run({ ...request, params })
      }
    },
  }
}

// A form holds texts, so what is wrong is that a parameter isn't there, or stands there more than once.
function refusalOf({ properties }: TObject, params: Form): Error {
  const missing = Object.keys(properties).find(
    name => !Type.IsOptional(properties[name]) && params[name] === undefined,
  )
  return invalidRequest(
    missing === undefined
      ? 'a parameter is repeated'
      : `the parameter ${missing} is missing`,
  )
}
