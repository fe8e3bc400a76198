// What the configuration says of what is sent to people and apps.
import { Type } from 'typebox'
import { MESSAGE_TYPES, NOTICES, TICKETS } from '../../../base/events/message-types.ts'
import { duration, section, strict } from '../parts.ts'

/** Which messages go by a way. */
const types = (names: readonly string[], description: string) =>
  Type.Optional(
    Type.Array(
      Type.String({
        pattern: `^(${names.join('|').replaceAll('.', '[.]')})$`,
        expected: `one of ${names.join(', ')}`,
      }),
      { uniqueItems: true, description },
    ),
  )

const text = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, description }))

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
          'Sign the messages. With two, both sign, so that you can replace one ' +
          'without a gap.',
      },
    ),
    allowPrivate: Type.Boolean({
      default: false,
      description: 'Whether the address may be a private one, inside your own network.',
    }),
    timeout: duration('10s', 'How long the answer may take.'),
    types: types(
      MESSAGE_TYPES,
      'Which messages are posted. Default: those for people (`ticket.…` and ' +
        '`notice.…`, but not notice.new_network), or with notify.mail ' +
        '`account.…`.',
    ),
    attributes: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      uniqueItems: true,
      description: 'Which declared attributes of the account a message contains.',
    }),
  },
  { ...strict, description: 'The webhook; without it nothing is posted.' },
)

const ADDRESS = String.raw`[^\s<>@,;:"\\]+@[^\s<>@,;:"\\]+`

const link = (description: string) =>
  Type.Optional(
    Type.String({
      pattern: '^https?://[^\\s#]+$',
      expected: 'an https URL without # (http only on loopback, or with allowHttp)',
      description,
    }),
  )

const Links = section(
  'Pages of your app; a ticket is appended as the fragment, which no server is sent.',
  {
    verification: link('Sends the ticket to `POST /account/verification`.'),
    recovery: link('Asks for a new password: `POST /account/recovery/completion`.'),
    invitation: link('Asks for the first password: `POST /account`.'),
    account: link('The page where users manage their account; gets no ticket.'),
  },
)

const Mail = Type.Object(
  {
    host: Type.String({
      pattern: '^[A-Za-z0-9._:-]{1,253}$',
      expected: 'the name or the address of an SMTP server',
      description: 'The SMTP server.',
    }),
    port: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65_535,
        description:
          'Its port; default: 587 with `tls: starttls`, 465 with `implicit`, 25 with `none`.',
      }),
    ),
    tls: Type.Union(
      [Type.Literal('starttls'), Type.Literal('implicit'), Type.Literal('none')],
      {
        default: 'starttls',
        description:
          'StartTLS, without which nothing is sent; TLS from the first byte; or none, so that ' +
          'anybody on the way can read the mails.',
      },
    ),
    caFile: text(
      'PEM file of the certificate authorities that are trusted for the server; without it, ' +
        'those that Node trusts. It is ' +
        'read again at every connection.',
    ),
    serverName: text(
      "The name in the server's certificate, if it differs from the host name.",
    ),
    user: text(
      'The user at the SMTP server; without it, Latchkey does not log in there.',
    ),
    password: text('The password.'),
    passwordFile: text(
      'A file that holds the password, instead of notify.mail.password. It is read ' +
        'again at every ' +
        'connection, so that the password can change without a restart.',
    ),
    from: Type.String({
      pattern: `^(?:[^<>@",;:\\\\\\x00-\\x1F\\x7F]{1,100} <${ADDRESS}>|${ADDRESS})$`,
      expected: 'an address, or a name and an address: Example <no-reply@example.com>',
      description:
        'The sender of the mails. The name is also what the mails call your product; without a ' +
        'name they use the domain.',
    }),
    replyTo: Type.Optional(
      Type.String({
        pattern: `^${ADDRESS}$`,
        expected: 'an address',
        description: 'Where answers go.',
      }),
    ),
    timeout: duration('30s', 'How long handing over one mail may take.'),
    types: types(
      [...TICKETS, ...NOTICES],
      'Which messages go by mail. Default: all of these except notice.new_network.',
    ),
    links: Links,
    locale: Type.String({
      pattern: '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$',
      default: 'en',
      expected: 'a language such as en or de',
      description:
        'The language of mails to users without one; `en` and `de` are built in.',
    }),
    templates: text('A folder with your own templates, which replace the built-in ones.'),
  },
  { ...strict, description: 'The SMTP server; without it no mail is sent.' },
)

/** `notify` */
export const NotifySchema = section(
  'What is sent to people and apps (docs/notifications.md); without a way out, nothing is.',
  {
    giveUp: duration(
      '24h',
      'How long Latchkey keeps trying to send a message before it gives up.',
    ),
    maxItems: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 100_000,
      description:
        'How many messages may wait for each channel; requests that would add one more are ' +
        'refused.',
    }),
    noticesPerAccount: section(
      'How many notices of one type (`notice.…`) one account gets; more are not ' +
        'sent, as the audit log says.',
      {
        max: Type.Integer({
          minimum: 1,
          default: 10,
          description: 'Notices of one type per window.',
        }),
        window: duration('1h', 'The window.'),
      },
    ),
    webhook: Type.Optional(Webhook),
    mail: Type.Optional(Mail),
  },
)
