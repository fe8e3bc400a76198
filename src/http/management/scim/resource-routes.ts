// The routes of one kind of resource (RFC 7644 §3), and /Me.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { OAuthError } from '../../../oauth/errors.ts'
import { noResource, scimError } from '../../../scim/errors.ts'
import { listBody, readQuery, readSearch, type ListRequest } from '../../../scim/list.ts'
import type { Projection } from '../../../scim/projection.ts'
import { isObject, type Resource } from '../../../scim/schema.ts'
import { matchesEtag } from '../../request/etag.ts'
import type { Guard } from '../callers/guard.ts'
import { bodyText } from './body-text.ts'
import { typeAnswer } from './scim-form.ts'
import type { Call, Resources, Shown } from './resources.ts'

/** What the routes are made of. */
export interface ResourceRoutesOptions {
  readonly guard: Guard
  /** `/Users` or `/Groups`. */
  readonly path: string
  readonly resources: Resources
}

interface ById {
  readonly Params: { readonly id: string }
}

/** The routes of a kind of resource. */
export async function resourceRoutes(
  app: FastifyInstance,
  { guard, path, resources }: ResourceRoutesOptions,
): Promise<void> {
  const called = createCalled(guard)
  app.get(path, async (request, reply) => {
    const call = await called(request, reply, 'scim.read')
    return bodyText(await resources.list(call, readQuery(request.query)))
  })
  app.post(`${path}/.search`, async (request, reply) => {
    const call = await called(request, reply, 'scim.read')
    return bodyText(await resources.list(call, readSearch(request.body)))
  })
  app.post(path, async (request, reply) => {
    const call = await called(request, reply, 'scim')
    const shown = await resources.add(call, request.body, projectionOf(request))
    reply.code(201)
    return sent(shown, reply)
  })
  app.get<ById>(`${path}/:id`, async (request, reply) => {
    const call = await called(request, reply, 'scim.read')
    const { id } = request.params
    return unlessKnown(call, await resources.show(call, id, projectionOf(request)), reply)
  })
  app.put<ById>(`${path}/:id`, async (request, reply) => {
    const call = await called(request, reply, 'scim')
    const { id } = request.params
    return sent(await resources.replace(call, id, projectionOf(request)), reply)
  })
  app.patch<ById>(`${path}/:id`, async (request, reply) => {
    const call = await called(request, reply, 'scim')
    const { id } = request.params
    return sent(await resources.patch(call, id, projectionOf(request)), reply)
  })
  app.delete<ById>(`${path}/:id`, async (request, reply) => {
    await resources.remove(await called(request, reply, 'scim'), request.params.id)
    return reply.removeHeader('content-type').code(204).send()
  })
}

/** The route of whoever calls. */
export async function meRoute(
  app: FastifyInstance,
  { guard, users }: { readonly guard: Guard; readonly users: Resources },
): Promise<void> {
  const called = createCalled(guard)
  app.get('/Me', async (request, reply) => {
    const call = await called(request, reply, 'scim.read')
    const { sub } = call.caller
    // A client is no user.
    if (sub === undefined) throw noResource()
    return unlessKnown(call, await users.show(call, sub, projectionOf(request)), reply)
  })
}

/** The route that searches every kind (RFC 7644 §3.4.3). */
export async function searchRoute(
  app: FastifyInstance,
  { guard, kinds }: { readonly guard: Guard; readonly kinds: readonly Resources[] },
): Promise<void> {
  const called = createCalled(guard)
  app.post('/.search', async (request, reply) => {
    const call = await called(request, reply, 'scim.read')
    return bodyText(await searchAll(call, readSearch(request.body), kinds))
  })
}

/** One kind after the other; a filter that no index of a kind answers means nothing of it. */
async function searchAll(
  call: Call,
  asked: ListRequest,
  kinds: readonly Resources[],
): Promise<Resource> {
  if (asked.cursor !== undefined) {
    throw scimError(
      'invalidCursor',
      'pages by cursor are those of one kind: search there',
    )
  }
  const resources: unknown[] = []
  let total = 0
  let refusal: unknown
  for (const kind of kinds) {
    const startIndex = Math.max(1, asked.startIndex - total)
    const count = asked.count - resources.length
    try {
      const found = await kind.list(call, { ...asked, startIndex, count })
      resources.push(...listed(found))
      total += Number(found['totalResults'])
    } catch (error) {
      if (!(error instanceof OAuthError && error.code === 'invalidFilter')) throw error
      if (refusal !== undefined) throw error
      refusal = error
    }
  }
  return listBody({
    resources: resources.filter(isObject),
    total,
    startIndex: asked.startIndex,
    nextCursor: undefined,
  })
}

function listed({ Resources: found }: Resource): readonly unknown[] {
  return [found].flat()
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
function projectionOf(request: FastifyRequest): Projection {
  return readQuery(request.query).projection
}

/** A resource with its ETag. */
function sent({ body, version, location }: Shown, reply: FastifyReply): Promise<string> {
  reply.headers({ etag: version, location })
  return bodyText(body)
}

/** The same, or 304 where the caller has that version (RFC 9110 §13.1.2). */
function unlessKnown({ request }: Call, shown: Shown, reply: FastifyReply): unknown {
  const known = request.headers['if-none-match']
  if (matchesEtag(known, shown.version.slice('W/'.length))) {
    return reply.headers({ etag: shown.version }).code(304).send()
  }
  return sent(shown, reply)
}
