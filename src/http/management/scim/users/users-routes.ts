// /Users and /Me (RFC 7644 §3).
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { noResource } from '../../../../scim/errors.ts'
import { readQuery, readSearch } from '../../../../scim/list.ts'
import type { Projection } from '../../../../scim/projection.ts'
import { matchesEtag } from '../../../request/etag.ts'
import type { Guard } from '../../callers/guard.ts'
import type { Call, Shown, Users } from './users.ts'
import { typeAnswer } from '../scim-form.ts'

/** What the routes are made of. */
export interface UserRoutesOptions {
  readonly guard: Guard
  readonly users: Users
}

interface ById {
  readonly Params: { readonly id: string }
}

/** The routes of users. */
export async function userRoutes(
  app: FastifyInstance,
  { guard, users }: UserRoutesOptions,
): Promise<void> {
  const called = createCalled(guard)

  app.get('/Users', async (request, reply) => {
    const call = await called(request, reply, 'scim.read')
    return users.list(call, readQuery(request.query))
  })
  app.post('/Users/.search', async (request, reply) => {
    const call = await called(request, reply, 'scim.read')
    return users.list(call, readSearch(request.body))
  })
  app.post('/Users', async (request, reply) => {
    const call = await called(request, reply, 'scim')
    const shown = await users.add(call, request.body, projectionOf(request))
    reply.code(201)
    return sent(shown, reply)
  })
  app.get<ById>('/Users/:id', async (request, reply) => {
    const call = await called(request, reply, 'scim.read')
    return unlessKnown(
      call,
      await users.show(call, request.params.id, projectionOf(request)),
      reply,
    )
  })
  app.put<ById>('/Users/:id', async (request, reply) => {
    const call = await called(request, reply, 'scim')
    return sent(
      await users.replace(call, request.params.id, projectionOf(request)),
      reply,
    )
  })
  app.patch<ById>('/Users/:id', async (request, reply) => {
    const call = await called(request, reply, 'scim')
    return sent(await users.patch(call, request.params.id, projectionOf(request)), reply)
  })
  app.delete<ById>('/Users/:id', async (request, reply) => {
    await users.remove(await called(request, reply, 'scim'), request.params.id)
    return reply.removeHeader('content-type').code(204).send()
  })
  app.get('/Me', async (request, reply) => {
    const call = await called(request, reply, 'scim.read')
    // A client is no user.
    if (call.caller.sub === undefined) throw noResource()
    return unlessKnown(
      call,
      await users.show(call, call.caller.sub, projectionOf(request)),
      reply,
    )
  })
}

/** Makes what each route begins with: who calls. */
export function createCalled(guard: Guard) {
  return async (
    request: FastifyRequest,
    reply: FastifyReply,
    needed: 'scim' | 'scim.read',
  ): Promise<Call> => {
    const caller = await guard(request, reply, needed)
    typeAnswer(request, reply)
    return { caller, request }
  }
}

/** What of a single resource is wanted. */
export function projectionOf(request: FastifyRequest): Projection {
  return readQuery(request.query).projection
}

/** A resource with its ETag. */
export function sent({ body, version, location }: Shown, reply: FastifyReply): unknown {
  reply.headers({ etag: version, location })
  return body
}

/** The same, or 304 where the caller has that version (RFC 9110 §13.1.2). */
export function unlessKnown(
  { request }: Call,
  shown: Shown,
  reply: FastifyReply,
): unknown {
  const known = request.headers['if-none-match']
  if (matchesEtag(known, shown.version.slice('W/'.length))) {
    return reply.headers({ etag: shown.version }).code(304).send()
  }
  return sent(shown, reply)
}
