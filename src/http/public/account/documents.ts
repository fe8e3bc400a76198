// What the routes of a user's own account say: the account with all that is kept of it, and its sessions.
import { Type } from 'typebox'
import type { Account } from '../../../stores/ports/directory.ts'
import type { Session } from '../../../stores/ports/families.ts'
import { mustChangePassword } from '../../../users/required-change.ts'

const Instant = Type.String({ description: 'RFC 3339.' })

export const OwnSession = Type.Object(
  {
    sid: Type.String({ description: 'As access tokens name it.' }),
    current: Type.Boolean({ description: 'Whether it is the one that asks.' }),
    client_id: Type.String(),
    scope: Type.String(),
    device: Type.Optional(
      Type.String({ description: 'As the user or the app called it.' }),
    ),
    user_agent: Type.Optional(
      Type.String({ description: 'The family of the User-Agent.' }),
    ),
    network: Type.Optional(
      Type.String({ description: 'The /24 or /64 that the login came from.' }),
    ),
    started_at: Instant,
    last_used_at: Instant,
    idle_until: Instant,
    ends_at: Instant,
  },
  { title: 'OwnSession' },
)

export const OwnSessions = Type.Object(
  { sessions: Type.Array(OwnSession) },
  { title: 'OwnSessions' },
)

export const OwnAccountDocument = Type.Object(
  {
    sub: Type.String({ description: "The user's stable id." }),
    name: Type.String({ description: 'What the user logs in with.' }),
    attributes: Type.Record(Type.String(), Type.Unknown(), {
      description: 'Everything that is known of the user, as `attributes` declares it.',
    }),
    email_verified: Type.Boolean(),
    pending_email: Type.Optional(
      Type.String({ description: 'Takes the place of `email` once it is verified.' }),
    ),
    password_change_required: Type.Optional(
      Type.Literal(true, {
        description:
          'Absent: no. The password was copied, and breaks the rules for new ones.',
      }),
    ),
    roles: Type.Array(Type.String()),
    scopes: Type.Union([Type.Array(Type.String()), Type.Null()], {
      description: 'What the user may hold; null: whatever a client may ask for.',
    }),
    created_at: Instant,
    updated_at: Instant,
    sessions: Type.Array(OwnSession),
  },
  { title: 'OwnAccount' },
)

/** An account and its sessions as their owner is shown them: everything but the hash of the password. */
export function accountDocument(
  account: Account,
  sessions: readonly Session[],
  current: string,
) {
  return {
    sub: account.sub,
    name: account.name,
    attributes: account.attributes,
    email_verified: account.emailVerified,
    pending_email: account.pending?.email,
    password_change_required: mustChangePassword(account) || undefined,
    roles: account.roles,
    scopes: account.scopes,
    created_at: instant(account.createdAt),
    updated_at: instant(account.updatedAt),
    sessions: sessions.map(session => sessionDocument(session, current)),
  }
}

/** A session as its owner is shown it. */
export function sessionDocument(session: Session, current: string) {
  const { sid, device } = session
  return {
    sid,
    current: sid === current,
    client_id: session.clientId,
    scope: session.scope,
    device: device.name,
    user_agent: device.userAgent,
    network: device.network,
    started_at: instant(session.startedAt),
    last_used_at: instant(session.lastUsedAt),
    idle_until: instant(session.idleUntil),
    ends_at: instant(session.endsAt),
  }
}

export const SESSION_EXAMPLE = {
  sid: 'b0p4G2pzq7nSBTPqGqDcZA',
  current: true,
  client_id: 'web',
  scope: 'account',
  device: "Alice's phone",
  user_agent: 'Firefox',
  network: '192.0.2.0/24',
  started_at: '2026-11-29T08:00:00.000Z',
  last_used_at: '2026-11-29T09:30:00.000Z',
  idle_until: '2026-12-13T09:30:00.000Z',
  ends_at: '2027-02-27T08:00:00.000Z',
}

export const ACCOUNT_EXAMPLE = {
  sub: 'u_3yNkqQ2hXw',
  name: 'alice',
  attributes: { email: 'alice@example.com', given_name: 'Alice' },
  email_verified: true,
  roles: ['buyer'],
  scopes: null,
  created_at: '2026-11-01T12:00:00.000Z',
  updated_at: '2026-11-20T12:00:00.000Z',
  sessions: [SESSION_EXAMPLE],
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
