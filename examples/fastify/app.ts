// The service: its routes, and the one place where refusals become answers.
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { createBearerOf, Refusal, type Bearer } from './access-token.ts'

export interface AppOptions {
  readonly issuer: string
  readonly audience: string
  readonly logger: boolean
}

const ORDER = {
  type: 'object',
  properties: { id: { type: 'integer' }, item: { type: 'string' } },
  required: ['id', 'item'],
  additionalProperties: false,
} as const

/** Builds the service; it doesn't listen. */
export function buildApp({ issuer, audience, logger }: AppOptions): FastifyInstance {
  const app = fastify({ logger: logger && { redact: ['req.headers.authorization'] } })
  const stopping = new AbortController()
  app.addHook('onClose', async () => {
    stopping.abort()
  })
  const bearerOf = createBearerOf({ issuer, audience, signal: stopping.signal })
  const bearers = new WeakMap<FastifyRequest, Bearer>()

  const needs = (scope: string) => async (request: FastifyRequest) => {
    bearers.set(request, await bearerOf(request.headers.authorization, scope))
  }

  app.setErrorHandler<Error & { statusCode?: number }>((error, request, reply) => {
    if (!(error instanceof Refusal)) return reply.send(error)
    request.log.info(
      { refused: error.message, cause: String(error.cause ?? '') },
      'refused',
    )
    if (error.challenge !== undefined) reply.header('www-authenticate', error.challenge)
    else reply.header('retry-after', '5')
    return reply.code(error.statusCode).send({ error: error.message })
  })

  app.get('/orders', { onRequest: needs('orders:read') }, async request => [
    { id: 1, item: `a lamp for ${bearers.get(request)?.sub}` },
  ])

  app.post(
    '/orders',
    { onRequest: needs('orders:write'), schema: { body: ORDER } },
    async (request, reply) => {
      reply.code(201)
      return request.body
    },
  )

  return app
}
