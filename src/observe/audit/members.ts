// What an event of the audit log is made of: its schema, and the members that several have.
import { Type, type TSchema } from 'typebox'
import type { Actor, ClientMethod } from '../../base/events/events.ts'
import type { UserChange } from '../../base/events/changes.ts'
import { REASONS, type Reason } from '../../base/events/reasons.ts'

export const ClientId = Type.String({
  description:
    'The client by its configured id; in `client.refused` as the request named it: ' +
    'at most 64 characters (8 if it looks like a secret), with characters that are ' +
    'not printable ASCII escaped as `\\u{…}`.',
})
export const Sub = Type.String({ description: "The user's stable id." })
export const Sid = Type.String({
  description: 'The session, as access tokens name it in `sid`.',
})
export const ActorName = Type.Unsafe<Actor>({
  type: 'string',
  pattern: '^(cli|client|user|token):',
  description:
    "Who did it: `cli:` and the operating system's user that ran the command, " +
    'by its number if it has no name. At the management listener: `client:` and ' +
    'the id of the client whose own token the request had, `user:` and the ' +
    '`sub` of an operator, `token:` and the name of one of `scim.tokens`. ' +
    'Absent: a server did it by itself. What a client did at the public ' +
    'listener has its `clientId` instead.',
})
export const ReasonCode = Type.Unsafe<Reason>({
  type: 'string',
  enum: Object.keys(REASONS),
  description: 'A reason code.',
})
export const CHANGES: readonly UserChange[] = [
  'added',
  'renamed',
  'password',
  'password_change_required',
  'disabled',
  'enabled',
  'access',
  'attributes',
  'sessions_ended',
  'unlocked',
  'adopted',
  'invited',
  'recovery_ticket',
  'verification_ticket',
  'deletion_begun',
  'deletion_cancelled',
  'removed',
]
export const CLIENT_METHODS: readonly ClientMethod[] = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
]
export const Username = Type.String({
  description:
    'A keyed hash of the name that was typed; the name itself with `log.usernames`.',
})
export const Network = Type.String({
  description: 'The /24 or /64 that the request came from.',
})
export const Instant = Type.Integer({
  minimum: 0,
  description:
    'When the first, or the last, of them was: milliseconds since the Unix epoch.',
})
export const Count = Type.Integer({ minimum: 0 })

const strict = { additionalProperties: false }

/** The schema of one event. */
export function event<Name extends string, Properties extends Record<string, TSchema>>(
  type: Name,
  description: string,
  properties: Properties,
) {
  return Type.Object(
    { type: Type.Literal(type), ...properties },
    { ...strict, description },
  )
}
