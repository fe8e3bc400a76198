// The management listener: probes (Kubernetes' names) and metrics. Never on the public port.
import fastify, { type FastifyInstance } from 'fastify'
import {
  closeConnectionsWhenStopping,
  connectionOptions,
} from './listener/connections.ts'
import { setErrorHandlers } from './error-handler.ts'

const REQUEST_TIMEOUT_MS = 10_000

export interface ManagementOptions {
  /**
   * Whether the server may be sent requests: it has its configuration and keys, reached the store once and
   * isn't draining.
   */
  readonly isReady: () => boolean
  /** How the store is; shown, but no reason to be unready: the keys are served without it. */
  readonly storeState: () => { readonly store: string; readonly advice?: string }
  /** The metrics in Prometheus' text format. */
  readonly metrics: () => Promise<string>
}

/** Builds the management server; never listens. */
export function buildManagement({
  isReady,
  storeState,
  metrics,
}: ManagementOptions): FastifyInstance {
  const app: FastifyInstance = fastify({
    logger: false,
    ...connectionOptions(REQUEST_TIMEOUT_MS),
  })
  setErrorHandlers(app)
  closeConnectionsWhenStopping(app)
  app.get('/livez', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const ready = isReady()
    reply.code(ready ? 200 : 503)
    return { status: ready ? 'ready' : 'not ready', ...storeState() }
  })
  app.get('/metrics', async (_request, reply) => {
    reply.type('text/plain; version=0.0.4; charset=utf-8')
    return await metrics()
  })
  return app
}
