// What each route of SCIM is in the OpenAPI document. test/http/management/scim/openapi.test.ts holds that no
// route is missing, and that none is described that isn't served.
import type { Model } from './models.ts'

/** The operations of one path, by method. */
export type PathItem = Readonly<Record<string, object>>

/** What is said of an operation. */
interface Words {
  readonly summary: string
  readonly operationId: string
  readonly tag: string
  readonly scope: 'scim' | 'scim.read'
  readonly parameters?: readonly Model[]
  /** The schema of the body, by its name; undefined: it has none. */
  readonly takes?: string
  /** That of the answer; undefined: 204. */
  readonly gives?: string
  /** Of a success; default: 200. */
  readonly status?: 200 | 201
  /** Statuses of refusals beside those that every operation has. */
  readonly refuses?: ReadonlyArray<keyof typeof REFUSALS>
}

const SCIM_TYPE = 'application/scim+json'

const REFUSALS = {
  400: 'The request, or a value in it, is refused; `scimType` says which kind.',
  401: 'No token, or none that is good here.',
  403: 'The token is good, but lacks a scope; or it is about the own account.',
  404: 'There is no such resource.',
  409: 'Somebody has that value already (`uniqueness`), or was faster.',
  412: 'The resource has another version than `If-Match` names.',
  413: 'The body is too large.',
  415: 'The body is of another type.',
  429: 'Too many requests; `Retry-After` says when to try again.',
  503: 'The store is away: the same request may be repeated, nothing is half done.',
} as const

const ALWAYS = [401, 403, 429, 503] as const

export const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const bodyOf = (name: string) => ({ [SCIM_TYPE]: { schema: reference(name) } })

/** An operation of the document. */
export function operation(words: Words): object {
  const { summary, operationId, tag, scope, parameters = [], takes, gives } = words
  const { status = 200, refuses = [] } = words
  const statuses = [...ALWAYS, ...refuses, ...(takes === undefined ? [] : TAKING)]
  return {
    summary,
    operationId,
    tags: [tag],
    security: [{ machine: [scope] }, { bearer: [] }],
    parameters,
    ...(takes !== undefined && {
      requestBody: { required: true, content: bodyOf(takes) },
    }),
    responses: {
      ...(gives === undefined
        ? { 204: { description: 'Done.' } }
        : { [status]: { description: `${summary}.`, content: bodyOf(gives) } }),
      ...Object.fromEntries(
        statuses.map(each => [
          each,
          { description: REFUSALS[each], content: bodyOf('ScimError') },
        ]),
      ),
    },
  }
}

const TAKING = [400, 413, 415] as const

const text = (name: string, description: string) => ({
  name,
  in: 'query',
  description,
  schema: { type: 'string' },
})
const number = (name: string, description: string) => ({
  name,
  in: 'query',
  description,
  schema: { type: 'integer' },
})

const PROJECTION = [
  text('attributes', 'Those that are wanted, with commas between them.'),
  text('excludedAttributes', 'Those that are not.'),
]
const LIST = [
  text(
    'filter',
    'By what an index answers; any other is 400 `invalidFilter` (docs/accounts.md).',
  ),
  text(
    'cursor',
    'Pages by cursor (RFC 9865): empty for the first, then each `nextCursor`.',
  ),
  number('startIndex', 'Pages by index: from 1.'),
  number('count', 'How many at the most: 200.'),
  ...PROJECTION,
]
const ID = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'The stable id.',
  schema: { type: 'string' },
}
const IF_MATCH = {
  name: 'If-Match',
  in: 'header',
  description: 'The ETag that it was decided on; 412 where it is another.',
  schema: { type: 'string' },
}

/** The paths of a kind of resource. `name`: of one, which is its schema's, too. */
export function resourcePaths(path: string, name: string): Record<string, PathItem> {
  const tag = `${name}s`
  const one = name.toLowerCase()
  const reads = { tag, scope: 'scim.read' } as const
  const writes = { tag, scope: 'scim' } as const
  const changes = {
    ...writes,
    parameters: [ID, IF_MATCH, ...PROJECTION],
    gives: name,
    refuses: [404, 409, 412],
  } as const
  return {
    [path]: {
      get: operation({
        ...reads,
        summary: `The ${one}s that a filter means, by pages`,
        operationId: `list${tag}`,
        parameters: LIST,
        gives: `${name}List`,
        refuses: [400],
      }),
      post: operation({
        ...writes,
        summary: `A new ${one}`,
        operationId: `add${name}`,
        parameters: PROJECTION,
        takes: name,
        gives: name,
        status: 201,
        refuses: [409],
      }),
    },
    [`${path}/.search`]: {
      post: operation({
        ...reads,
        summary: `The ${one}s that a filter in the body means`,
        operationId: `search${tag}`,
        takes: 'SearchRequest',
        gives: `${name}List`,
      }),
    },
    [`${path}/{id}`]: {
      get: operation({
        ...reads,
        summary: `One ${one}`,
        operationId: `show${name}`,
        parameters: [ID, ...PROJECTION],
        gives: name,
        refuses: [404],
      }),
      put: operation({
        ...changes,
        summary: `The ${one}, whole`,
        operationId: `replace${name}`,
        takes: name,
      }),
      patch: operation({
        ...changes,
        summary: `The ${one} with changes`,
        operationId: `patch${name}`,
        takes: 'PatchRequest',
      }),
      delete: operation({
        ...writes,
        summary: `Remove the ${one}`,
        operationId: `remove${name}`,
        parameters: [ID, IF_MATCH],
        refuses: [404, 409, 412],
      }),
    },
  }
}

const discovery = (operationId: string, summary: string, byId = false) => ({
  get: operation({
    tag: 'Discovery',
    scope: 'scim.read',
    summary,
    operationId,
    gives: 'ScimDocument',
    ...(byId && { parameters: [ID], refuses: [404] as const }),
  }),
})

/** The paths that are of no kind of resource. */
export const OTHER_PATHS: Readonly<Record<string, PathItem>> = {
  '/Me': {
    get: operation({
      tag: 'Users',
      scope: 'scim.read',
      summary: 'The user whose token it is',
      operationId: 'showMe',
      parameters: PROJECTION,
      gives: 'User',
      refuses: [404],
    }),
  },
  '/.search': {
    post: operation({
      tag: 'Discovery',
      scope: 'scim.read',
      summary: 'Users and groups that a filter means, by index',
      operationId: 'searchAll',
      takes: 'SearchRequest',
      gives: 'AnyList',
    }),
  },
  '/ServiceProviderConfig': discovery('showServiceProvider', 'What SCIM can do here'),
  '/ResourceTypes': discovery('listResourceTypes', 'The kinds of resources'),
  '/ResourceTypes/{id}': discovery('showResourceType', 'One kind of resource', true),
  '/Schemas': discovery('listSchemas', 'What resources have, as configured'),
  '/Schemas/{id}': discovery('showSchema', 'One of the schemas', true),
}
