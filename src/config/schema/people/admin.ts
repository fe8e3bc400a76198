// What the configuration says of operators, who come with a token of their own to the management listener.
import { Type } from 'typebox'
import { section } from '../parts.ts'

const MANAGEMENT_SCOPES = ['scim', 'scim.read', 'admin', 'admin.read'] as const

/** `admin` */
export const AdminSchema = section('Operators, at the management listener.', {
  roles: Type.Record(
    Type.String({ minLength: 1, maxLength: 128, expected: 'a role' }),
    Type.Array(Type.Union(MANAGEMENT_SCOPES.map(scope => Type.Literal(scope))), {
      minItems: 1,
    }),
    {
      default: {},
      description:
        'Role → what the users who have it may do there: `scim` and `admin`, or `scim.read` and ' +
        '`admin.read`. Their token must have the scope, too; without such a role no token of a user works.',
    },
  ),
})
