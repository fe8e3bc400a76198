// Lists of resources (RFC 7644 §3.4.2, RFC 9865): what a request for one asks, and the answer.
import { scimError } from './errors.ts'
import { readProjection, type Projection } from './projection.ts'
import type { Resource } from './schema.ts'
import { DEFAULT_RESULTS, MAX_RESULTS } from './service-provider.ts'

const LIST_RESPONSE = 'urn:ietf:params:scim:api:messages:2.0:ListResponse'
const SEARCH_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest'

/** What is asked of a list. */
export interface ListRequest {
  readonly filter: string | undefined
  /** At most MAX_RESULTS; 0: only how many there are. */
  readonly count: number
  /** From 1. */
  readonly startIndex: number
  /** A page behind that cursor; empty: the first one. Undefined: pages go by index. */
  readonly cursor: string | undefined
  readonly projection: Projection
}

/** A page of a list. */
export interface ListAnswer {
  readonly resources: readonly Resource[]
  /** Undefined: nobody has counted. */
  readonly total: number | undefined
  /** Undefined: by cursor. */
  readonly startIndex: number | undefined
  /** Undefined: nothing follows, or pages go by index. */
  readonly nextCursor: string | undefined
}

/**
 * Reads the query of a GET.
 *
 * @throws OAuthError invalidValue, invalidCount
 */
export function readQuery(query: unknown): ListRequest {
  const given: Resource = Object(query)
  const { filter, count, startIndex, cursor, attributes, excludedAttributes } = given
  return {
    filter: textIn('filter', filter),
    count: countIn(count),
    startIndex: Math.max(1, numberIn('startIndex', startIndex) ?? 1),
    cursor: textIn('cursor', cursor),
    projection: readProjection(attributes, excludedAttributes),
  }
}

/**
 * Reads the body of a POST to /.search (RFC 7644 §3.4.3).
 *
 * @throws OAuthError as readQuery, and invalidSyntax
 */
export function readSearch(body: unknown): ListRequest {
  const { schemas }: Resource = Object(body)
  if (!Array.isArray(schemas) || !schemas.includes(SEARCH_REQUEST)) {
    throw scimError('invalidSyntax', `schemas must name ${SEARCH_REQUEST}`)
  }
  return readQuery(body)
}

/** The answer's body. */
export function listBody({
  resources,
  total,
  startIndex,
  nextCursor,
}: ListAnswer): Resource {
  return {
    schemas: [LIST_RESPONSE],
    ...(total !== undefined && { totalResults: total }),
    ...(startIndex !== undefined && { startIndex }),
    itemsPerPage: resources.length,
    ...(nextCursor !== undefined && { nextCursor }),
    Resources: resources,
  }
}

function countIn(value: unknown): number {
  const count = numberIn('count', value) ?? DEFAULT_RESULTS
  return Math.min(MAX_RESULTS, Math.max(0, count))
}

function numberIn(name: string, value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' && typeof value !== 'number') throw noNumber(name)
  if (!/^[+-]?\d{1,15}$/.test(String(value))) throw noNumber(name)
  return Number(value)
}

function noNumber(name: string) {
  return scimError(
    name === 'count' ? 'invalidCount' : 'invalidValue',
    `${name} must be a whole number`,
  )
}

function textIn(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw scimError('invalidValue', `${name} must be one text`)
}
