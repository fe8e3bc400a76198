// GET /keys and POST /keys/rotation: the signing keys.
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { KeyDescription } from '../../../keys/ring.ts'
import type { AdminParts } from './parts.ts'
import { answer, described, refusals } from './documentation.ts'
import { KeysModel } from './models.ts'
import { conflict } from './refusals.ts'

const KEYS = {
  keys: [
    {
      kid: 'kcwT8M1mWRAIKcVcgOMtkWZBXwDuJEyhFBAzpvUOGeM',
      alg: 'ES256',
      line: 'main',
      state: 'signing',
      publishAt: '2026-09-01T00:00:00.000Z',
      signFrom: '2026-09-08T00:00:00.000Z',
      signUntil: '2026-12-07T00:00:00.000Z',
      removeAt: '2026-12-07T00:20:00.000Z',
    },
  ],
}

const RotationBody = Type.Object(
  {
    line: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'Only the keys of this line; without it all.',
      }),
    ),
  },
  { title: 'RotationRequest' },
)

/** Adds the routes. */
export function keyRoutes(
  app: FastifyInstance,
  { core, letIn, onBehalf }: AdminParts,
): void {
  const describeKeys = () => ({ keys: core.keys.describe().map(describeKey) })

  app.get(
    '/keys',
    {
      ...letIn('admin.read'),
      schema: {
        ...described({
          summary: 'The signing keys',
          operationId: 'listKeys',
          tag: 'Keys',
          scope: 'admin.read',
        }),
        response: { ...answer(KeysModel, KEYS), ...refusals() },
      },
    },
    async () => describeKeys(),
  )

  app.post<{ Body: { readonly line?: string } }>(
    '/keys/rotation',
    {
      ...letIn('admin'),
      schema: {
        ...described({
          summary: 'Let the next key sign as soon as every verifier can know it',
          operationId: 'rotateKeys',
          tag: 'Keys',
          scope: 'admin',
        }),
        body: RotationBody,
        response: { ...answer(KeysModel, KEYS), ...refusals(400, 409) },
      },
    },
    async request => {
      const { line } = request.body
      const change = await onBehalf(request).rotateKeys({ atOnce: false, line })
      if (change.kind === 'refused') {
        throw conflict('http_409', 'no key is published that could sign next')
      }
      return describeKeys()
    },
  )
}

function describeKey({ isElsewhere: _isElsewhere, ...key }: KeyDescription) {
  const { publishAt, signFrom, signUntil, removeAt } = key
  const times = { publishAt, signFrom, signUntil, removeAt }
  return {
    ...key,
    ...Object.fromEntries(
      Object.entries(times).map(([name, at]) => [name, new Date(at).toISOString()]),
    ),
  }
}
