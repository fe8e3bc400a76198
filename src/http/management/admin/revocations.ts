// POST /revocations: another system says that somebody's sessions must end, by a subject identifier of RFC
// 9493.
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { SubjectIdentifier } from '../../../users/subject-identifiers.ts'
import type { AdminParts } from './parts.ts'
import { described, DONE, refusals } from './documentation.ts'
import { notFound } from './refusals.ts'

const text = Type.String({ minLength: 1, maxLength: 1024 })

const Identifiers = [
  Type.Object({ format: Type.Literal('iss_sub'), iss: text, sub: text }),
  Type.Object({ format: Type.Literal('opaque'), id: text }),
  Type.Object({ format: Type.Literal('email'), email: text }),
  Type.Object({ format: Type.Literal('phone_number'), phone_number: text }),
]

const RevocationBody = Type.Object(
  {
    sub_id: Type.Union(
      [
        ...Identifiers,
        Type.Object({
          format: Type.Literal('aliases'),
          identifiers: Type.Array(Type.Union(Identifiers), { minItems: 1, maxItems: 16 }),
        }),
      ],
      {
        description:
          'A subject identifier (RFC 9493). `opaque`: a `sub`; `email` and `phone_number`: where the ' +
          'attribute of that name is declared as unique.',
        examples: [{ format: 'email', email: 'ann@example.com' }],
      },
    ),
  },
  { title: 'RevocationOfSubject' },
)

/** Adds the route. */
export function revocationRoute(
  app: FastifyInstance,
  { core, letIn, onBehalf, callerOf }: AdminParts,
): void {
  app.post<{ Body: { readonly sub_id: SubjectIdentifier } }>(
    '/revocations',
    {
      ...letIn('admin'),
      schema: {
        ...described({
          summary: 'End every session of a subject',
          operationId: 'revokeSubject',
          tag: 'Sessions',
          scope: 'admin',
        }),
        body: RevocationBody,
        response: { ...DONE, ...refusals(400, 404) },
      },
    },
    async (request, reply) => {
      const account = await core.findSubject(request.body.sub_id)
      if (account === undefined) {
        throw notFound('user_unknown', 'no account is meant, or several are')
      }
      await onBehalf(request).sessions.endAll(account.name, callerOf(request).actor)
      return reply.code(204).send()
    },
  )
}
