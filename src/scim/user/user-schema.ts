// The schema of users: what an account has by itself, what the configuration declares, and nothing else. An
// attribute of OpenID Connect stands where RFC 7643 §4.1 has one for it, every other in an extension of ours.
import {
  attribute,
  type ResourceSchemas,
  type ScimAttribute,
  type ScimSchema,
} from '../schema.ts'

export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const USER_EXTENSION = 'urn:latchkey:params:scim:schemas:extension:2.0:User'

/** What is known of a declared attribute. */
export interface Declared {
  readonly type: 'string' | 'email' | 'integer' | 'boolean' | 'date-time'
  readonly list: boolean
}

/** Name → what it may be. */
export type DeclaredAttributes = ReadonlyMap<string, Declared>

/** Where a declared attribute stands, by its name. */
export const PLACES: ReadonlyMap<string, readonly [name: string, sub?: string]> = new Map(
  [
    ['name', ['displayName']],
    ['nickname', ['nickName']],
    ['profile', ['profileUrl']],
    ['locale', ['locale']],
    ['zoneinfo', ['timezone']],
    ['given_name', ['name', 'givenName']],
    ['family_name', ['name', 'familyName']],
    ['middle_name', ['name', 'middleName']],
  ],
)

/** Attributes of which SCIM has several values, and we keep one. */
export const SINGLES: ReadonlyMap<string, string> = new Map([
  ['email', 'emails'],
  ['phone_number', 'phoneNumbers'],
])

/** The `type` of a value that came without one, and what is kept of several where none is primary. */
export const TYPE_UNSAID = 'work'

/** Whether an attribute stands in the extension. */
export function isExtension(name: string): boolean {
  return !PLACES.has(name) && !SINGLES.has(name)
}

const SCIM_TYPE = {
  string: 'string',
  email: 'string',
  integer: 'integer',
  boolean: 'boolean',
  'date-time': 'dateTime',
} as const

/** What the schemas are for. */
export interface SchemaOptions {
  /** Whether passwords may be set. */
  readonly passwords: boolean
  /** Whether they are what requests are read by, with what is heard and not kept; default: what is shown. */
  readonly isRead?: boolean
}

/** The schemas of users as the configuration declares them. */
export function userSchemas(
  declared: DeclaredAttributes,
  { passwords, isRead = false }: SchemaOptions,
): ResourceSchemas {
  return {
    core: coreSchema(declared, { passwords, isRead }),
    extensions: [extensionSchema(declared)],
  }
}

function coreSchema(
  declared: DeclaredAttributes,
  { passwords, isRead = false }: SchemaOptions,
): ScimSchema {
  const simple = [...PLACES].filter(
    ([name, [, sub]]) => declared.has(name) && sub === undefined,
  )
  return {
    id: USER,
    name: 'User',
    description: 'An account',
    attributes: [
      attribute('userName', 'The name of the account.', {
        required: true,
        uniqueness: 'server',
      }),
      ...nameAttribute(declared),
      ...simple.map(([, [name]]) => attribute(name, 'A declared attribute.')),
      attribute('active', 'Whether the account may log in.', { type: 'boolean' }),
      ...(passwords
        ? [
            attribute('password', 'The password; never returned.', {
              mutability: 'writeOnly',
              returned: 'never',
              caseExact: true,
            }),
          ]
        : []),
      GROUPS,
      ...[...SINGLES]
        .filter(([name]) => declared.has(name))
        .map(([, name]) => singleAttribute(name, isRead)),
    ],
  }
}

/** Read-only here: members are those of a group. */
const GROUPS = attribute('groups', 'The groups that the user belongs to.', {
  type: 'complex',
  multiValued: true,
  mutability: 'readOnly',
  subAttributes: [
    attribute('value', 'The id of the group.', {
      mutability: 'readOnly',
      caseExact: true,
    }),
    attribute('$ref', 'Where the group is.', {
      type: 'reference',
      referenceTypes: ['Group'],
      mutability: 'readOnly',
    }),
    attribute('display', 'What the group is called.', { mutability: 'readOnly' }),
    attribute('type', 'Always direct.', {
      canonicalValues: ['direct'],
      mutability: 'readOnly',
    }),
  ],
})

function nameAttribute(declared: DeclaredAttributes): ScimAttribute[] {
  const subAttributes = [...PLACES].flatMap(([name, [, sub]]) =>
    declared.has(name) && sub !== undefined
      ? [attribute(sub, 'A declared attribute.')]
      : [],
  )
  return subAttributes.length === 0
    ? []
    : [attribute('name', 'The parts of the name.', { type: 'complex', subAttributes })]
}

function singleAttribute(name: string, isRead: boolean): ScimAttribute {
  return attribute(name, 'One value is kept: the primary one, or the first of work.', {
    type: 'complex',
    multiValued: true,
    subAttributes: [
      attribute('value', 'The value.'),
      attribute('type', 'Of which kind it is; work where none was sent.', {
        canonicalValues: [TYPE_UNSAID],
      }),
      ...(isRead
        ? [attribute('primary', 'Which one is kept.', { type: 'boolean' })]
        : []),
    ],
  })
}

const DELETES_AT = attribute(
  'deletesAt',
  'The user has deleted the account: it is erased then, unless they log in before.',
  { type: 'dateTime', mutability: 'readOnly' },
)

const PASSWORD_CHANGE_REQUIRED = attribute(
  'passwordChangeRequired',
  'The password was copied from a directory, and breaks the rules for new ones; absent: no.',
  { type: 'boolean', mutability: 'readOnly' },
)

function extensionSchema(declared: DeclaredAttributes): ScimSchema {
  return {
    id: USER_EXTENSION,
    name: 'LatchkeyUser',
    description: 'What accounts have beside',
    attributes: [
      attribute('scopes', 'The scopes that the user may hold; without it no limit.', {
        multiValued: true,
        caseExact: true,
      }),
      ...(declared.has('email')
        ? [
            attribute(
              'emailVerified',
              'Whether the user has proved to read the address.',
              {
                type: 'boolean',
              },
            ),
          ]
        : []),
      DELETES_AT,
      PASSWORD_CHANGE_REQUIRED,
      ...[...declared]
        .filter(([name]) => isExtension(name))
        .map(([name, { type, list }]) =>
          attribute(name, 'A declared attribute.', {
            type: SCIM_TYPE[type],
            multiValued: list,
            caseExact: type !== 'email',
          }),
        ),
    ],
  }
}
