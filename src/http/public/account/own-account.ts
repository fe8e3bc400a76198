// GET, PATCH and DELETE /account, PUT /account/password, GET and DELETE /account/sessions: users see, change
// and end what is kept of them. Refusals are RFC 6750's and RFC 9470's.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { OwnAccount } from '../../../self-service/own-account.ts'
import type { SelfServiceLimits } from '../../callers/limits/self-service-limits.ts'
import { ownNetworkOf } from '../../callers/own-address.ts'
import { bodyReader, JSON_TYPE, takeJson } from '../../request/json-body.ts'
import { errors, jsonResponse, TOKEN_REFUSED } from '../openapi/schemas.ts'
import {
  ACCOUNT_EXAMPLE,
  accountDocument,
  OwnAccountDocument,
  OwnSessions,
  SESSION_EXAMPLE,
  sessionDocument,
} from './documents.ts'
import type { OwnerOf } from './owner-of.ts'

/** What the routes are made of. */
export interface OwnAccountRouteOptions {
  readonly ownerOf: OwnerOf
  readonly ownAccount: OwnAccount
  readonly limits: Pick<SelfServiceLimits, 'isSpentFor'>
}

const strict = { additionalProperties: false }

const CurrentPassword = Type.Optional(
  Type.String({
    format: 'password',
    description: 'Not needed within 5 minutes of the login (`auth_time`).',
  }),
)

const ChangeRequest = Type.Object(
  {
    attributes: Type.Record(Type.String(), Type.Unknown(), {
      description: 'New values of attributes that are marked `self`; null removes one.',
    }),
    current_password: CurrentPassword,
  },
  {
    ...strict,
    title: 'OwnAccountChange',
    examples: [{ attributes: { given_name: 'Al' } }],
  },
)

const PasswordRequest = Type.Object(
  {
    password: Type.String({ format: 'password', description: 'The new one.' }),
    current_password: CurrentPassword,
  },
  {
    ...strict,
    title: 'OwnPasswordChange',
    examples: [
      {
        password: 'correct horse battery staple',
        current_password: 'a password of before',
      },
    ],
  },
)

const DeletionRequest = Type.Object(
  { current_password: CurrentPassword },
  { ...strict, title: 'OwnAccountDeletion', examples: [{}] },
)

const readChange = bodyReader(ChangeRequest)
const readPassword = bodyReader(PasswordRequest)
const readDeletion = bodyReader(DeletionRequest)

const COMMON = { tags: ['Account'], security: [{ user: [] }] }
const REFUSALS = { ...TOKEN_REFUSED, ...errors(403, 429, 503) }
const WITH_BODY = { ...REFUSALS, ...errors(400, 409, 413, 415) }
const DONE = { 204: { type: 'null', description: 'Done.' } }
const ACCOUNT = jsonResponse('The account.', OwnAccountDocument, ACCOUNT_EXAMPLE)

/** The routes of the account itself. */
export async function ownAccountRoutes(
  app: FastifyInstance,
  { ownerOf, ownAccount, limits }: OwnAccountRouteOptions,
): Promise<void> {
  takeJson(app)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })

  async function show(request: FastifyRequest, reply: FastifyReply) {
    const owner = await ownerOf(request, reply)
    return accountDocument(owner.account, await ownAccount.sessions(owner), owner.sid)
  }

  app.get(
    '/account',
    {
      schema: schemaOf('Export what is stored about the user', 'ownAccount', {
        200: ACCOUNT,
        ...REFUSALS,
      }),
    },
    show,
  )

  app.patch(
    '/account',
    {
      schema: {
        ...schemaOf('Change what is stored about the user', 'changeOwnAccount', {
          ...DONE,
          ...WITH_BODY,
        }),
        ...bodyOf(ChangeRequest),
      },
    },
    async (request, reply) => {
      const owner = await ownerOf(request, reply)
      const { attributes, current_password: currentPassword } = readChange(request.body)
      await ownAccount.change(owner, {
        changes: attributes,
        currentPassword,
        isSpent: limits.isSpentFor('address', ownNetworkOf(request)),
      })
      return reply.code(204).send()
    },
  )

  app.delete(
    '/account',
    {
      schema: {
        ...schemaOf('Delete the account', 'deleteOwnAccount', { ...DONE, ...WITH_BODY }),
        ...bodyOf(DeletionRequest),
      },
    },
    async (request, reply) => {
      const owner = await ownerOf(request, reply)
      const { current_password: currentPassword } = readDeletion(request.body)
      await ownAccount.remove(owner, currentPassword)
      return reply.code(204).send()
    },
  )

  app.put(
    '/account/password',
    {
      schema: {
        ...schemaOf('Set a new password', 'setOwnPassword', { ...DONE, ...WITH_BODY }),
        ...bodyOf(PasswordRequest),
      },
    },
    async (request, reply) => {
      const owner = await ownerOf(request, reply)
      const { password, current_password: currentPassword } = readPassword(request.body)
      await ownAccount.setPassword(owner, { password, currentPassword })
      return reply.code(204).send()
    },
  )
}

/** The routes of the user's sessions. */
export async function ownSessionRoutes(
  app: FastifyInstance,
  { ownerOf, ownAccount }: OwnAccountRouteOptions,
): Promise<void> {
  takeJson(app)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })
  const sessions = { sessions: [SESSION_EXAMPLE] }
  const list = jsonResponse('The sessions.', OwnSessions, sessions)

  app.get(
    '/account/sessions',
    {
      schema: schemaOf("List the user's sessions", 'ownSessions', {
        200: list,
        ...REFUSALS,
      }),
    },
    async (request, reply) => {
      const owner = await ownerOf(request, reply)
      const found = await ownAccount.sessions(owner)
      return { sessions: found.map(session => sessionDocument(session, owner.sid)) }
    },
  )

  app.delete(
    '/account/sessions',
    {
      schema: schemaOf('End all other sessions', 'endOwnSessions', {
        ...DONE,
        ...REFUSALS,
      }),
    },
    async (request, reply) => {
      await ownAccount.endOthers(await ownerOf(request, reply))
      return reply.code(204).send()
    },
  )

  app.delete<{ readonly Params: { readonly sid: string } }>(
    '/account/sessions/:sid',
    {
      schema: {
        ...schemaOf('End one session', 'endOwnSession', {
          ...DONE,
          ...REFUSALS,
          ...errors(404),
        }),
        params: Type.Object({
          sid: Type.String({ examples: [SESSION_EXAMPLE.sid] }),
        }),
      },
    },
    async (request, reply) => {
      const owner = await ownerOf(request, reply)
      await ownAccount.endSession(owner, request.params.sid)
      return reply.code(204).send()
    },
  )
}

function schemaOf(summary: string, operationId: string, response: object) {
  return {
    ...COMMON,
    summary,
    operationId,
    response,
  }
}

function bodyOf<Body>(body: Body) {
  return { consumes: [JSON_TYPE], body }
}
