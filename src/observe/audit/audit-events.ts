// The events that an auditor is told, and what each says. docs/audit.md is made of this
// (scripts/audit-page.ts).
import { Type, type Static } from 'typebox'
import type { ClientMethod } from '../../base/events/events.ts'
import { MESSAGE_TYPES, type MessageType } from '../../base/events/message-types.ts'
import {
  CLIENT_METHODS,
  ClientId,
  event,
  Instant,
  Network,
  ReasonCode,
  Sid,
  Sub,
  Username,
} from './members.ts'
import { OPERATOR_EVENTS } from './operator-events.ts'

const login = { clientId: ClientId, username: Username, network: Network }

const family = { clientId: ClientId, network: Network, sub: Sub, sid: Sid }

/** Every event that an auditor is told. */
export const AUDIT_EVENTS = [
  event('login.succeeded', 'A name and a password opened a session.', {
    ...login,
    sub: Sub,
    sid: Sid,
    networkKnown: Type.Boolean({
      description: 'Whether the user logged in from this network before.',
    }),
  }),
  event('login.failed', 'A name and a password were refused.', {
    ...login,
    reason: ReasonCode,
    sub: Type.Optional(Sub),
  }),
  event(
    'login.throttled',
    'A login was refused without checking it, because of earlier failures.',
    {
      ...login,
      reason: ReasonCode,
      retryAfterSeconds: Type.Integer({
        minimum: 0,
        description: 'When the next attempt is allowed.',
      }),
      sub: Type.Optional(Sub),
    },
  ),
  event(
    'password.upgraded',
    'A hash with another algorithm or an old cost was replaced at a login.',
    { sub: Sub },
  ),
  event(
    'refresh.late',
    'A used refresh token came again after `tokens.reuseGrace`, before its ' +
      'successor was used. The ' +
      'successor is burned (R6).',
    family,
  ),
  event(
    'refresh.healed',
    'The store had lost a rotation in a failover; the token itself proved it (R7).',
    family,
  ),
  event(
    'refresh.reused',
    'A refresh token was used again after its successor: one of the two holders is a thief. The ' +
      'session has ended (R8).',
    family,
  ),
  event('refresh.refused', 'A refresh token was refused.', {
    clientId: ClientId,
    network: Network,
    reason: ReasonCode,
    sid: Type.Optional(Sid),
  }),
  event(
    'client.refused',
    'A client failed to authenticate. The first three from one network, for one reason, are ' +
      'written at once; further ones are one line a minute.',
    {
      reason: ReasonCode,
      method: Type.Unsafe<ClientMethod>({
        type: 'string',
        enum: CLIENT_METHODS,
        description: 'How the client tried to authenticate; `none`: as a public client.',
      }),
      network: Network,
      clientId: Type.Optional(ClientId),
      count: Type.Optional(
        Type.Integer({
          minimum: 1,
          description: 'How many refusals this line summarises; one if it is missing.',
        }),
      ),
      firstAt: Type.Optional(Instant),
      lastAt: Type.Optional(Instant),
    },
  ),
  event('token.issued', 'A client got a token of its own (`client_credentials`).', {
    clientId: ClientId,
    network: Network,
    jti: Type.String({ description: "The token's id, as in its claim `jti`." }),
  }),
  event(
    'token.revoked',
    'A client revoked a token. With a refresh token the session has ended.',
    {
      clientId: ClientId,
      network: Network,
      kind: Type.Union([Type.Literal('access_token'), Type.Literal('refresh_token')]),
      sid: Type.Optional(Sid),
    },
  ),
  event('revocation.refused', "A client tried to revoke another client's token.", {
    clientId: ClientId,
    network: Network,
    reason: ReasonCode,
    sid: Type.Optional(Sid),
  }),
  event('recovery.requested', 'Somebody asked for a new password by a name.', {
    username: Username,
    network: Network,
  }),
  event('ticket.refused', 'A one-time ticket, or its code, was refused.', {
    purpose: Type.Union([
      Type.Literal('verification'),
      Type.Literal('recovery'),
      Type.Literal('invitation'),
    ]),
    network: Network,
    reason: ReasonCode,
    sub: Type.Optional(Sub),
  }),
  event(
    'message.abandoned',
    'A message to a person or an app was given up after `notify.giveUp`, refused ' +
      'for good, or could not be recorded.',
    {
      way: Type.Union([Type.Literal('webhook'), Type.Literal('mail')]),
      tries: Type.Integer({
        minimum: 0,
        description: 'How often it was tried; 0: it could not be recorded.',
      }),
      error: Type.Optional(
        Type.String({
          description:
            'Why the last try failed: the status, or the host, port and reply ' +
            'code. Absent if no secret here can decrypt the message.',
        }),
      ),
      message: Type.Optional(
        Type.Unsafe<MessageType>({
          type: 'string',
          enum: MESSAGE_TYPES,
          description: 'What it was; absent: no secret here opens it.',
        }),
      ),
      sub: Type.Optional(Sub),
    },
  ),
  event(
    'message.withheld',
    'A notice was not sent: its account had `notify.noticesPerAccount` of that type.',
    {
      message: Type.Unsafe<MessageType>({
        type: 'string',
        enum: MESSAGE_TYPES,
        description: 'What it was.',
      }),
      sub: Sub,
    },
  ),
  ...OPERATOR_EVENTS,
] as const
export type AuditEvent = Static<(typeof AUDIT_EVENTS)[number]>
