// The whole configuration. A key is written once, here or in schema/: type, default and description
// (docs/config.schema.json is made from them).
import { Type, type Static, type StaticDecode } from 'typebox'
import { DirectoriesSchema, DirectorySchema } from './schema/people/directories.ts'
import { AttributesSchema, LoginSchema } from './schema/attributes.ts'
import { ClientSchema } from './schema/client.ts'
import { KeysSchema } from './schema/keys.ts'
import { HttpSchema, ManagementSchema } from './schema/listeners.ts'
import { AuditSchema, LogSchema } from './schema/log.ts'
import { strict } from './schema/parts.ts'
import { CompatSchema } from './schema/people/compat.ts'
import { NotifySchema } from './schema/people/notify.ts'
import { PasswordsSchema } from './schema/passwords.ts'
import { AdminSchema } from './schema/people/admin.ts'
import { ScimSchema } from './schema/people/scim.ts'
import { SelfServiceSchema } from './schema/people/self-service.ts'
import { StoreSchema } from './schema/store.ts'
import { ThrottleSchema } from './schema/throttle.ts'
import {
  AudiencesSchema,
  ClaimsSchema,
  DpopSchema,
  IntrospectionSchema,
  StatusSchema,
  TokensSchema,
} from './schema/tokens.ts'

/** The whole file. */
export const ConfigSchema = Type.Object(
  {
    issuer: Type.String({
      pattern: '^https?://[^\\s?#]+$',
      expected:
        'an https URL without query and fragment (http only on loopback, or with allowHttp)',
      description: 'The `iss` of every token and the base of every published URL.',
    }),
    allowHttp: Type.Boolean({
      default: false,
      description:
        'Allows an http issuer that is not on loopback, to try Latchkey out in a network of ' +
        'containers: passwords and tokens then cross that network unencrypted.',
    }),
    processes: Type.Union(
      [Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 64 })],
      {
        default: 1,
        expected: 'auto or a whole number from 1 to 64',
        description:
          'How many server processes share the ports, on Redis; auto: as many ' +
          'as there are cores (or the cgroup allows). They divide the limits of ' +
          'connections, requests in flight and hashes among themselves.',
      },
    ),
    http: HttpSchema,
    management: ManagementSchema,
    store: StoreSchema,
    secrets: Type.Array(
      Type.String({
        pattern: '^[A-Za-z0-9+/_-]{43,}={0,2}$',
        expected:
          '32 or more random bytes in base64 or base64url (openssl rand -base64 32 makes them)',
      }),
      {
        minItems: 1,
        description:
          'Protect refresh tokens and private keys; the first one is used to write, all of them ' +
          'to read.',
      },
    ),
    tokens: TokensSchema,
    dpop: DpopSchema,
    status: StatusSchema,
    introspection: IntrospectionSchema,
    claims: ClaimsSchema,
    audiences: AudiencesSchema,
    keys: KeysSchema,
    passwords: PasswordsSchema,
    attributes: AttributesSchema,
    login: LoginSchema,
    selfService: SelfServiceSchema,
    directories: DirectoriesSchema,
    directory: DirectorySchema,
    throttle: ThrottleSchema,
    compat: CompatSchema,
    notify: NotifySchema,
    log: LogSchema,
    audit: AuditSchema,
    scim: ScimSchema,
    admin: AdminSchema,
    clients: Type.Array(ClientSchema, {
      default: [],
      description: 'The applications that may ask for tokens.',
    }),
  },
  { ...strict, title: 'Latchkey configuration' },
)

/** The configuration as it stands in a file, defaults filled in. */
export type ConfigFile = Static<typeof ConfigSchema>

/** The configuration as the server uses it: every duration in milliseconds. */
export type Config = StaticDecode<typeof ConfigSchema>

/** One client of the configuration. */
export type ClientConfig = Config['clients'][number]
