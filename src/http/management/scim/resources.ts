// What the routes ask of a kind of resource, users or groups, and what those are served with.
import type { FastifyRequest } from 'fastify'
import type { Core } from '../../../core/core.ts'
import type { ListRequest } from '../../../scim/list.ts'
import type { Projection } from '../../../scim/projection.ts'
import type { Resource } from '../../../scim/schema.ts'
import type { Caller } from '../callers/guard.ts'
import type { Cursors } from './cursor.ts'

/** What resources are served with. */
export interface ResourcesOptions {
  readonly core: Core
  readonly cursors: Cursors
  /** Whether passwords may be set. */
  readonly passwords: () => boolean
  /** Whether what the RFCs don't say is refused. */
  readonly strict: () => boolean
  /** Where SCIM is, as the caller of a request knows it. */
  readonly baseOf: (request: FastifyRequest) => string
}

/** A call of a route: who, and the request. */
export interface Call {
  readonly caller: Caller
  readonly request: FastifyRequest
}

/** A resource as it is answered, and its ETag. */
export interface Shown {
  readonly body: Resource
  readonly version: string
  readonly location: string
}

/**
 * What is done with a kind of resource. Each throws OAuthError in SCIM's words, and StoreUnavailable.
 */
export interface Resources {
  list(call: Call, asked: ListRequest): Promise<Resource>
  show(call: Call, id: string, projection: Projection): Promise<Shown>
  add(call: Call, body: unknown, projection: Projection): Promise<Shown>
  replace(call: Call, id: string, projection: Projection): Promise<Shown>
  patch(call: Call, id: string, projection: Projection): Promise<Shown>
  remove(call: Call, id: string): Promise<void>
}
