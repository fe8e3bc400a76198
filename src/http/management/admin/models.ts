// What /admin/v1 answers, as schemas that both serialise and document. Instants are RFC 3339 texts.
import { Type } from 'typebox'

const Instant = (description: string) => Type.String({ format: 'date-time', description })
const OrNull = <const Type_ extends ReturnType<typeof Type.String>>(type: Type_) =>
  Type.Union([type, Type.Null()])

const Network = Type.String({ description: 'A /24 of IPv4 or a /64 of IPv6.' })

/** A session, as its owner and an operator see it. */
export const SessionModel = Type.Object(
  {
    sid: Type.String({ description: 'As access tokens have it in `sid`.' }),
    clientId: Type.String(),
    scope: Type.String(),
    audience: Type.Array(Type.String()),
    device: OrNull(Type.String({ description: 'As the app called it.' })),
    userAgent: OrNull(Type.String({ description: 'The family of the User-Agent.' })),
    network: OrNull(Network),
    startedAt: Instant('The login.'),
    lastUsedAt: Instant('The login, or the last refresh.'),
    idleUntil: Instant('It ends then, unless it is refreshed.'),
    endsAt: Instant('It ends then at the latest.'),
  },
  { title: 'Session' },
)

export const SessionsModel = Type.Object(
  { sessions: Type.Array(SessionModel) },
  { title: 'Sessions', description: 'The living sessions, the newest first.' },
)

/** Refusals of one kind. */
export const RefusalModel = Type.Object(
  {
    reason: Type.String({ description: 'A reason code; docs/audit.md lists them.' }),
    meaning: Type.String({ description: 'The same in a sentence.' }),
    advice: Type.String({ description: 'What to do; empty: nothing.' }),
    clientId: OrNull(Type.String({ description: 'As the request named it.' })),
    network: Network,
    count: Type.Integer({ description: 'How many since `firstAt`.' }),
    firstAt: Instant('The first of them.'),
    lastAt: Instant('The last of them.'),
    until: OrNull(Instant('When the next try is let in; null: nothing delays it.')),
  },
  { title: 'RefusedLogin' },
)

export const EventsModel = Type.Object(
  {
    account: Type.Union(
      [
        Type.Object({
          sub: Type.String(),
          name: Type.String(),
          disabled: Type.Boolean(),
          passwordChangeRequired: Type.Optional(
            Type.Literal(true, {
              description:
                'The password was copied from a directory, and breaks the rules for new ones; absent: no.',
            }),
          ),
        }),
        Type.Null(),
      ],
      { description: 'null: no account logs in by that.' },
    ),
    refusals: Type.Array(RefusalModel),
  },
  {
    title: 'Events',
    description: 'Logins that were refused in the last three days, the newest first.',
  },
)

export const UnlockedModel = Type.Object(
  {
    networks: Type.Array(Network, { description: 'Where failures were looked for.' }),
    cleared: Type.Integer({ description: 'How many counts of failures were forgotten.' }),
  },
  { title: 'Unlocked' },
)

export const TicketModel = Type.Object(
  {
    ticket: Type.String({ description: 'What the link that you send has to carry.' }),
    code: Type.Optional(
      Type.String({
        description: 'Eight digits that do the same (`selfService.codes`).',
      }),
    ),
    expiresAt: Instant('It is void then, or as soon as another is made.'),
  },
  { title: 'Ticket' },
)

export const KeyModel = Type.Object(
  {
    kid: Type.String(),
    alg: Type.String(),
    line: Type.String({
      description: '`main`, or the algorithm of an audience or a client.',
    }),
    state: Type.Union([
      Type.Literal('published'),
      Type.Literal('signing'),
      Type.Literal('retiring'),
    ]),
    publishAt: Instant('Since when verifiers can fetch it.'),
    signFrom: Instant('Since when, or from when on, it signs.'),
    signUntil: Instant('When it stops signing.'),
    removeAt: Instant('When it is published no longer.'),
  },
  { title: 'Key' },
)

export const KeysModel = Type.Object(
  { keys: Type.Array(KeyModel) },
  { title: 'Keys', description: 'The signing keys in the order in which they sign.' },
)

export const ClientModel = Type.Object(
  {
    id: Type.String(),
    confidential: Type.Boolean({ description: 'Whether it proves who it is.' }),
    secrets: Type.Integer({ description: 'How many secrets it may use.' }),
    keys: Type.Boolean({ description: 'Whether it may sign assertions (RFC 7523).' }),
    grants: Type.Array(Type.String()),
    scopes: Type.Array(Type.String()),
    audience: Type.Array(Type.String()),
    introspect: Type.Union([Type.Literal('own'), Type.Literal('any')]),
    dpop: Type.Union([Type.Literal('allowed'), Type.Literal('required')]),
  },
  { title: 'Client' },
)

export const ClientsModel = Type.Object(
  { clients: Type.Array(ClientModel) },
  { title: 'Clients', description: 'As this server has them; never a secret.' },
)
