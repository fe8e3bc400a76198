// What the configuration says of what is sent to people and apps.
import { Type } from 'typebox'
import { MESSAGE_TYPES } from '../../../base/events/message-types.ts'
import { duration, section, strict } from '../parts.ts'

const MessageTypeName = Type.String({
  pattern: `^(${MESSAGE_TYPES.join('|').replaceAll('.', '[.]')})$`,
  expected: `one of ${MESSAGE_TYPES.join(', ')}`,
})

/** Which messages go by a way. */
const types = (description: string) =>
  Type.Optional(
    Type.Array(MessageTypeName, {
      uniqueItems: true,
      description,
    }),
  )

const Webhook = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://[^\\s#]+$',
      expected: 'an https URL (http only on loopback, or with allowHttp)',
      description: 'Where messages are posted, signed by Standard Webhooks.',
    }),
    secrets: Type.Array(
      Type.String({
        pattern: '^whsec_[A-Za-z0-9+/]{32,86}={0,2}$',
        expected: 'whsec_ and 24 to 64 random bytes in base64',
      }),
      {
        minItems: 1,
        maxItems: 2,
        description:
          'Sign the messages; of two, each signs, so that one can be replaced without a gap.',
      },
    ),
    allowPrivate: Type.Boolean({
      default: false,
      description: 'Whether the address may be a private one, inside your own network.',
    }),
    timeout: duration('10s', 'How long the answer may take.'),
    types: types(
      'Which are posted; default: all. So far only ticket.verification and ticket.recovery are made.',
    ),
    attributes: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      uniqueItems: true,
      description: 'Which declared attributes of the account a message says.',
    }),
  },
  { ...strict, description: 'The webhook; without it nothing is posted.' },
)

/** `notify` */
export const NotifySchema = section(
  'What is sent to people and apps (docs/notifications.md); without a way out, nothing is.',
  {
    giveUp: duration('24h', 'How long a message is tried before it is given up.'),
    maxItems: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 100_000,
      description: 'How many messages may wait; what would be one more is refused.',
    }),
    webhook: Type.Optional(Webhook),
  },
)
