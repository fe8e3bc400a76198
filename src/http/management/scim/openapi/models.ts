// The schemas of resources in the words of OpenAPI: made from those that SCIM itself serves at /Schemas.
import {
  COMMON,
  type ResourceSchemas,
  type ScimAttribute,
  type ScimSchema,
} from '../../../../scim/schema.ts'

/** A schema of an OpenAPI document. */
export type Model = Readonly<Record<string, unknown>>

const TYPES: Readonly<Record<Exclude<ScimAttribute['type'], 'complex'>, Model>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  integer: { type: 'integer' },
  dateTime: { type: 'string', format: 'date-time' },
  reference: { type: 'string' },
}

/** A kind of resource with what extends it, as configured now. */
export function resourceModel({ core, extensions }: ResourceSchemas): Model {
  const { properties, required } = objectOf([...COMMON, ...core.attributes])
  const extending = extensions.map(each => [each.id, extensionModel(each)] as const)
  return {
    type: 'object',
    description: core.description,
    required: ['schemas', ...required],
    properties: {
      schemas: { type: 'array', items: { type: 'string' }, minItems: 1 },
      ...properties,
      ...Object.fromEntries(extending),
    },
  }
}

function extensionModel({ description, attributes }: ScimSchema): Model {
  const { properties } = objectOf(attributes)
  return { type: 'object', description, properties }
}

function objectOf(attributes: readonly ScimAttribute[]) {
  return {
    properties: Object.fromEntries(attributes.map(each => [each.name, modelOf(each)])),
    required: attributes
      .filter(({ required, mutability }) => required && mutability !== 'readOnly')
      .map(({ name }) => name),
  }
}

function modelOf(attribute: ScimAttribute): Model {
  const { type, description, mutability, multiValued, subAttributes = [] } = attribute
  const one =
    type === 'complex'
      ? { type: 'object', properties: objectOf(subAttributes).properties }
      : TYPES[type]
  return {
    description,
    ...(mutability === 'readOnly' && { readOnly: true }),
    ...(mutability === 'writeOnly' && { writeOnly: true }),
    ...(multiValued ? { type: 'array', items: one } : one),
  }
}

/** A page of a list whose resources have that schema. */
export function listModel(resource: Model): Model {
  return {
    type: 'object',
    required: ['schemas', 'Resources', 'itemsPerPage'],
    properties: {
      schemas: { type: 'array', items: { type: 'string' } },
      totalResults: {
        type: 'integer',
        description: 'Left out where nobody has counted (RFC 9865 §2).',
      },
      startIndex: { type: 'integer', description: 'Of pages by index.' },
      itemsPerPage: { type: 'integer' },
      nextCursor: {
        type: 'string',
        description: 'Of pages by cursor: where the next one begins; absent at the end.',
      },
      Resources: { type: 'array', items: resource },
    },
  }
}

/** What SCIM has beside resources. */
export const MODELS: Readonly<Record<string, Model>> = {
  PatchRequest: {
    type: 'object',
    description: 'Operations that are made whole or not at all (RFC 7644 §3.5.2).',
    required: ['schemas', 'Operations'],
    properties: {
      schemas: {
        type: 'array',
        items: { const: 'urn:ietf:params:scim:api:messages:2.0:PatchOp' },
      },
      Operations: {
        type: 'array',
        items: {
          type: 'object',
          required: ['op'],
          properties: {
            op: { type: 'string', description: '`add`, `replace` or `remove`.' },
            path: {
              type: ['string', 'null'],
              description: 'Of what; absent: `value` has the attributes.',
            },
            value: {},
          },
        },
      },
    },
  },
  SearchRequest: {
    type: 'object',
    description: 'The query of a list as a body (RFC 7644 §3.4.3).',
    required: ['schemas'],
    properties: {
      schemas: {
        type: 'array',
        items: { const: 'urn:ietf:params:scim:api:messages:2.0:SearchRequest' },
      },
      filter: { type: 'string' },
      attributes: { type: 'array', items: { type: 'string' } },
      excludedAttributes: { type: 'array', items: { type: 'string' } },
      startIndex: { type: 'integer' },
      count: { type: 'integer' },
      cursor: { type: 'string' },
    },
  },
  ScimDocument: {
    type: 'object',
    description: 'What SCIM says of itself (RFC 7643 §5 to §7).',
    required: ['schemas'],
    properties: { schemas: { type: 'array', items: { type: 'string' } } },
    additionalProperties: true,
  },
  ScimError: {
    type: 'object',
    description: 'Why a request is refused (RFC 7644 §3.12).',
    required: ['schemas', 'status', 'detail'],
    properties: {
      schemas: { type: 'array', items: { type: 'string' } },
      status: { type: 'string', description: 'The HTTP status.' },
      scimType: { type: 'string', description: 'Which kind of 400 or 409.' },
      detail: { type: 'string', description: 'A sentence for developers.' },
    },
  },
}
