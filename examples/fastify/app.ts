// The service: its routes, each with the scope that it needs.
import fastify, { type FastifyInstance } from 'fastify'
import { createGuard } from 'latchkey-verifier/fastify'

export interface AppOptions {
  readonly issuer: string
  readonly audience: string
  readonly publicUrl: string
  readonly logger: boolean
}

const ORDER = {
  type: 'object',
  properties: { id: { type: 'integer' }, item: { type: 'string' } },
  required: ['id', 'item'],
  additionalProperties: false,
} as const

/** Builds the service; it doesn't listen. */
export function buildApp({ logger, ...options }: AppOptions): FastifyInstance {
  const app = fastify({ logger: logger && { redact: ['req.headers.authorization'] } })
  const { needs, bearerOf } = createGuard(options)

  app.get('/orders', { onRequest: needs('orders:read') }, async request => [
    { id: 1, item: `a lamp for ${bearerOf(request).sub}` },
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
