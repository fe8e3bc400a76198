// What operators do, as an auditor is told of it: to keys, accounts, groups and the store. A server that does
// the like by itself names no actor.
import { Type } from 'typebox'
import type { GroupChange, UserChange } from '../../base/events/changes.ts'
import { ActorName, CHANGES, event, Sid, Sub } from './members.ts'

/** Their events. */
export const OPERATOR_EVENTS = [
  event(
    'keys.changed',
    'The key ring has changed: a key was made, rotated, retired or removed.',
    {
      kids: Type.Unsafe<readonly string[]>({
        type: 'array',
        items: { type: 'string' },
        description: 'All keys that are in the ring now.',
      }),
      actor: Type.Optional(ActorName),
    },
  ),
  event('session.ended', 'An operator ended one session.', {
    sub: Sub,
    sid: Sid,
    actor: ActorName,
  }),
  event(
    'user.changed',
    'An account or its sessions were changed: by an operator, its user or, without ' +
      'an actor, the server.',
    {
      sub: Sub,
      change: Type.Unsafe<UserChange>({ type: 'string', enum: CHANGES }),
      attributes: Type.Optional(
        Type.Unsafe<readonly string[]>({
          type: 'array',
          items: { type: 'string' },
          description:
            'The names of the attributes that were changed, and ' +
            '`email_verified` if that was changed. Never a value.',
        }),
      ),
      actor: Type.Optional(ActorName),
    },
  ),
  event(
    'group.changed',
    'A group of users was added, changed or removed, or others belong to it; each ' +
      'account whose roles ' +
      'change has a `user.changed` of its own.',
    {
      group: Type.String({ description: "The group's id." }),
      change: Type.Unsafe<GroupChange>({
        type: 'string',
        enum: ['added', 'changed', 'removed'],
      }),
      actor: Type.Optional(ActorName),
    },
  ),
  event('users.imported', 'An import of accounts has ended, or was cut short.', {
    imported: Type.Integer({ minimum: 0, description: 'Accounts that were added.' }),
    alreadyThere: Type.Integer({
      minimum: 0,
      description: 'Accounts that were there before.',
    }),
    refused: Type.Integer({ minimum: 0, description: 'Records that were refused.' }),
    updated: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Accounts that were there, and were changed by --update.',
      }),
    ),
    actor: ActorName,
  }),
  event('users.moved', 'All accounts were moved to where `to` says.', {
    to: Type.String({ description: '`postgres`: to the database of `store.accounts`.' }),
    accounts: Type.Integer({ minimum: 0, description: 'Accounts that are there now.' }),
    actor: ActorName,
  }),
  event('store.restored', 'An operator put a back-up into the store.', {
    takenAt: Type.Integer({
      minimum: 0,
      description: 'When the back-up was taken; milliseconds since the Unix epoch.',
    }),
    accounts: Type.Integer({ minimum: 0, description: 'Accounts in the back-up.' }),
    sessions: Type.Integer({ minimum: 0, description: 'Sessions in the back-up.' }),
    revocations: Type.Integer({
      minimum: 0,
      description: 'Revoked access tokens in the back-up.',
    }),
    replaced: Type.Boolean({
      description: 'Whether the previous data of the store was discarded (`--replace`).',
    }),
    actor: ActorName,
  }),
  event('store.accepted', 'An operator accepted that the store has lost its data.', {
    actor: ActorName,
  }),
] as const
