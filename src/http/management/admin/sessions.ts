// GET and DELETE /accounts/{sub}/sessions[/{sid}]: the sessions of a user.
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Session } from '../../../stores/ports/families.ts'
import type { AdminParts } from './parts.ts'
import { AccountParams, answer, described, DONE, refusals } from './documentation.ts'
import { SessionsModel } from './models.ts'
import { accountIn, notFound, type AccountPath } from './refusals.ts'

const SESSION = {
  sid: 'q83vEjRWeJCrze8SNFZ4kA',
  clientId: 'mobile',
  scope: 'orders:read',
  audience: ['https://orders.example.com'],
  device: "Ann's phone",
  userAgent: 'Firefox',
  network: '192.0.2.0/24',
  startedAt: '2026-11-28T08:00:00.000Z',
  lastUsedAt: '2026-11-29T08:00:00.000Z',
  idleUntil: '2026-12-13T08:00:00.000Z',
  endsAt: '2027-02-26T08:00:00.000Z',
}

/** Adds the routes. */
export function sessionRoutes(app: FastifyInstance, parts: AdminParts): void {
  const { core, letIn, onBehalf, callerOf } = parts
  const url = '/accounts/:sub/sessions'

  app.get<{ Params: AccountPath }>(
    url,
    {
      ...letIn('admin.read'),
      schema: {
        ...described({
          summary: 'The living sessions of a user',
          operationId: 'listSessions',
          tag: 'Sessions',
          scope: 'admin.read',
        }),
        params: AccountParams,
        response: { ...answer(SessionsModel, { sessions: [SESSION] }), ...refusals(404) },
      },
    },
    async request => {
      const { tag } = await accountIn(request, core)
      return { sessions: (await core.sessions.list(tag)).map(describeSession) }
    },
  )

  app.delete<{ Params: AccountPath }>(
    url,
    {
      ...letIn('admin'),
      schema: {
        ...described({
          summary: 'End every session of a user',
          operationId: 'endSessions',
          tag: 'Sessions',
          scope: 'admin',
        }),
        params: AccountParams,
        response: { ...DONE, ...refusals(404) },
      },
    },
    async (request, reply) => {
      const { name } = await accountIn(request, core)
      await onBehalf(request).sessions.endAll(name, callerOf(request).actor)
      return reply.code(204).send()
    },
  )

  app.delete<{ Params: AccountPath & { readonly sid: string } }>(
    `${url}/:sid`,
    {
      ...letIn('admin'),
      schema: {
        ...described({
          summary: 'End one session, and its access tokens',
          operationId: 'endSession',
          tag: 'Sessions',
          scope: 'admin',
        }),
        params: Type.Object({
          ...AccountParams.properties,
          sid: Type.String({ description: 'As access tokens have it in `sid`.' }),
        }),
        response: { ...DONE, ...refusals(404) },
      },
    },
    async (request, reply) => {
      const { tag } = await accountIn(request, core)
      const { sid } = request.params
      const { sessions } = onBehalf(request)
      const outcome = await sessions.end({ sid, userTag: tag }, callerOf(request).actor)
      if (outcome === 'session_unknown') {
        throw notFound('family_unknown', 'the account has no session of this sid')
      }
      return reply.code(204).send()
    },
  )
}

function describeSession({ device, ...session }: Session) {
  const { sid, clientId, scope, audience } = session
  const { startedAt, lastUsedAt, idleUntil, endsAt } = session
  return {
    sid,
    clientId,
    scope,
    audience,
    device: device.name ?? null,
    userAgent: device.userAgent ?? null,
    network: device.network ?? null,
    startedAt: iso(startedAt),
    lastUsedAt: iso(lastUsedAt),
    idleUntil: iso(idleUntil),
    endsAt: iso(endsAt),
  }
}

const iso = (at: number) => new Date(at).toISOString()
