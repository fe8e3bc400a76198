// POST /accounts/{sub}/tickets: a ticket for a first or another password, or to verify an address; sent or
// answered.
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { OAuthError, temporarilyUnavailable } from '../../../oauth/errors.ts'
import type {
  IssuedPurpose,
  NotIssued,
} from '../../../self-service/operators/issue-ticket.ts'
import { jsonResponse } from '../../public/openapi/schemas.ts'
import type { Caller } from '../callers/guard.ts'
import { AccountParams, answer, described, refusals } from './documentation.ts'
import { TicketModel } from './models.ts'
import type { AdminParts } from './parts.ts'
import { accountIn, conflict, type AccountPath } from './refusals.ts'

const TicketBody = Type.Object(
  {
    purpose: Type.Union(
      [
        Type.Literal('invitation'),
        Type.Literal('recovery'),
        Type.Literal('verification'),
      ],
      {
        description:
          '`invitation`: a first password, for an account that has none; `recovery`: another one; ' +
          '`verification`: proves that somebody reads the address of the account, or the one that is to ' +
          'take its place.',
      },
    ),
    deliver: Type.Optional(
      Type.Union([Type.Literal('send'), Type.Literal('answer')], {
        default: 'send',
        description:
          "`send`: it goes to the account's address, by `notify`; `answer`: it is in the answer, once, and " +
          'nothing is sent. Refused (403) for an operator: an account with a role of `admin.roles`; and ' +
          '(409) for `verification`, as it would prove nothing.',
      }),
    ),
  },
  { title: 'TicketRequest', additionalProperties: false },
)

const EXAMPLE = { ticket: `tk_${'A'.repeat(66)}`, expiresAt: '2026-11-29T08:30:00.000Z' }

const WORDS: Readonly<Record<Exclude<NotIssued, 'outbox_full'>, string>> = {
  not_served:
    'nobody could use it: set selfService.registration (invitation), selfService.recovery (recovery) or ' +
    'selfService.verify with registration or account (verification)',
  no_way_out:
    'nothing sends such a ticket: set a way out in notify, or ask for it as the answer',
  not_for_account:
    'the account is disabled, is being deleted, or belongs to a directory elsewhere',
  has_password: 'the account has a password: ask for recovery',
  address_proven: "somebody has proved to read the account's address already",
  address_unknown:
    'the account has no e-mail address: set one, or ask for it as the answer (but for verification)',
  address_unproven: "nobody has proved to read the account's address yet: have it sent",
  changed_meanwhile: 'the account has changed meanwhile: try again',
}

/** Adds the route. */
export function ticketRoute(app: FastifyInstance, parts: AdminParts): void {
  const { core, letIn, onBehalf, callerOf, isOperator } = parts
  app.post<{
    Params: AccountPath
    Body: { readonly purpose: IssuedPurpose; readonly deliver?: 'send' | 'answer' }
  }>(
    '/accounts/:sub/tickets',
    {
      ...letIn('admin'),
      schema: {
        ...described({
          summary: 'A one-time ticket for a password or an address',
          operationId: 'issueTicket',
          tag: 'Logins',
          scope: 'admin',
        }),
        params: AccountParams,
        body: TicketBody,
        response: {
          ...answer(TicketModel, EXAMPLE, 'Made; it is shown this once.'),
          202: jsonResponse('It will be sent.', Type.Object({}), {}),
          ...refusals(400, 404, 409),
        },
      },
    },
    async (request, reply) => {
      const { purpose, deliver } = request.body
      const account = await accountIn(request, core)
      refuseOwn(callerOf(request), account.sub)
      const isAnswered = deliver === 'answer'
      if (isAnswered && isOperator(account)) throw operatorsAreSent()
      const asked = { purpose, isAnswered }
      const outcome = await onBehalf(request).issueTicket(account, asked)
      if (outcome.kind === 'refused') throw refusalOf(outcome.reason)
      if (outcome.kind === 'sent') return reply.code(202).send({})
      const { expiresAt, ...made } = outcome.ticket
      return { ...made, expiresAt: new Date(expiresAt).toISOString() }
    },
  )
}

// A token that somebody has stolen for some minutes is not to become their password.
function refuseOwn({ sub }: Caller, id: string): void {
  if (sub !== id) return
  throw new OAuthError(403, 'forbidden', {
    description: 'you come with this account: set another password at /account',
    reason: 'own_account',
  })
}

// Whoever may ask for tickets would get every other operator's rights by one.
function operatorsAreSent(): OAuthError {
  return new OAuthError(403, 'forbidden', {
    description: 'the account is an operator, by a role of admin.roles: have it sent',
    reason: 'operator_account',
  })
}

function refusalOf(reason: NotIssued): OAuthError {
  return reason === 'outbox_full'
    ? temporarilyUnavailable('outbox_full')
    : conflict('http_409', WORDS[reason])
}
