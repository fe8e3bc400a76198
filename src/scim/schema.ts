// What a resource has, in the form of RFC 7643 §7: served at /Schemas, and what every request is read by.

/** An attribute, or a part of one. */
export interface ScimAttribute {
  readonly name: string
  readonly type: 'string' | 'boolean' | 'integer' | 'dateTime' | 'reference' | 'complex'
  readonly multiValued: boolean
  readonly description: string
  readonly required: boolean
  readonly caseExact: boolean
  readonly mutability: 'readOnly' | 'readWrite' | 'writeOnly' | 'immutable'
  readonly returned: 'always' | 'default' | 'never'
  readonly uniqueness: 'none' | 'server'
  readonly referenceTypes?: readonly string[]
  readonly canonicalValues?: readonly string[]
  readonly subAttributes?: readonly ScimAttribute[]
}

/** The schema of a kind of resource, or of what extends one. */
export interface ScimSchema {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly attributes: readonly ScimAttribute[]
}

/** A kind of resource: its own schema, and those that extend it. */
export interface ResourceSchemas {
  readonly core: ScimSchema
  readonly extensions: readonly ScimSchema[]
}

/** A resource as JSON. */
export type Resource = Readonly<Record<string, unknown>>

/** An attribute; what isn't said is what most of them are. */
export function attribute(
  name: string,
  description: string,
  more: Partial<ScimAttribute> = {},
): ScimAttribute {
  return {
    name,
    type: 'string',
    multiValued: false,
    description,
    required: false,
    caseExact: false,
    mutability: 'readWrite',
    returned: 'default',
    uniqueness: 'none',
    ...more,
  }
}

/** What every resource has (RFC 7643 §3.1). */
export const COMMON: readonly ScimAttribute[] = [
  attribute('id', 'The stable id.', {
    mutability: 'readOnly',
    returned: 'always',
    caseExact: true,
    uniqueness: 'server',
  }),
  attribute('externalId', 'What the caller calls it; each caller has its own.', {
    caseExact: true,
  }),
  attribute('meta', 'About the resource.', {
    type: 'complex',
    mutability: 'readOnly',
    subAttributes: [
      attribute('resourceType', 'Its kind.', { mutability: 'readOnly', caseExact: true }),
      attribute('created', 'Since when it is there.', {
        type: 'dateTime',
        mutability: 'readOnly',
      }),
      attribute('lastModified', 'When it was changed last.', {
        type: 'dateTime',
        mutability: 'readOnly',
      }),
      attribute('location', 'Where it is.', {
        type: 'reference',
        referenceTypes: ['uri'],
        mutability: 'readOnly',
      }),
      attribute('version', 'Its ETag.', { mutability: 'readOnly', caseExact: true }),
    ],
  }),
  attribute('schemas', 'The schemas that it has.', {
    type: 'reference',
    referenceTypes: ['uri'],
    multiValued: true,
    mutability: 'readOnly',
    returned: 'always',
    caseExact: true,
  }),
]

/** The attribute of that name, in any case. */
export function findAttribute(
  attributes: readonly ScimAttribute[],
  name: string,
): ScimAttribute | undefined {
  return attributes.find(each => each.name.toLowerCase() === name.toLowerCase())
}

/** A value of an object by its name in any case; undefined where it is null, too. */
export function member(object: unknown, name: string): unknown {
  if (typeof object !== 'object' || object === null) return undefined
  const found = Object.entries(object).find(
    ([key]) => key.toLowerCase() === name.toLowerCase(),
  )
  return found?.[1] ?? undefined
}

/** Whether it is an object of JSON, and no list. */
export function isObject(value: unknown): value is Resource {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
