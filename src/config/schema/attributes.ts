// What the configuration says of the attributes of accounts.
import { Type } from 'typebox'
import { strict } from './parts.ts'

/** An attribute's name: it stands in paths, in claims and in filters. */
const AttributeName = Type.String({
  pattern: '^[A-Za-z][A-Za-z0-9_-]{0,63}$',
  expected: 'a letter, then up to 63 letters, digits, _ and -',
})

const TYPES = ['string', 'email', 'integer', 'boolean', 'date-time'] as const

/** `attributes` */
export const AttributesSchema = Type.Record(
  AttributeName,
  Type.Object(
    {
      type: Type.Optional(
        Type.Union(
          TYPES.map(type => Type.Literal(type)),
          {
            description:
              'What a value is. May be left out for the claims of OpenID Connect ' +
              'Core §5.1 (`name`, ' +
              '`email`, `phone_number` …), which have a type. `date-time` is a ' +
              'time as in RFC 3339; an `integer` lies within ±9007199254740991.',
          },
        ),
      ),
      maxLength: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: 2048,
          description: 'The longest value of a `string`, in characters; 255 without it.',
        }),
      ),
      list: Type.Boolean({
        default: false,
        description: 'Whether the attribute is a list of such values, 100 at most.',
      }),
      unique: Type.Boolean({
        default: false,
        description:
          'Whether no two accounts may have the same value. E-mail addresses are compared ' +
          'without regard to case, in any form of their domain.',
      }),
      self: Type.Boolean({
        default: false,
        description:
          'Whether users may change it themselves, with `selfService` (docs/self-service.md).',
      }),
    },
    { ...strict, default: {} },
  ),
  {
    propertyNames: AttributeName,
    default: {},
    description:
      'What accounts may say of their users beside name, scopes and roles: name → ' +
      'type. Whatever is not ' +
      'declared here is refused. A value that was stored stays when its attribute is taken out.',
  },
)

/** `login` */
export const LoginSchema = Type.Array(Type.String({ expected: 'name or an attribute' }), {
  default: ['name'],
  minItems: 1,
  maxItems: 4,
  description:
    "What users may type to log in: `name`, the account's name, and attributes " +
    'with `unique: true`, such as `email`. If a text already is the name of one' +
    ' account and the address of another, the first in this list wins; from now' +
    ' on, no account can be given such a text.',
})
