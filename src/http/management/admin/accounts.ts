// POST /accounts/{sub}/unlock, GET /accounts/{sub}/events and GET /events?name=: why somebody can't log in.
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Account } from '../../../stores/ports/directory.ts'
import type { LoginRefusal } from '../../../stores/ports/logins/refusals.ts'
import { findByValue } from '../../../users/attributes/find-by-value.ts'
import { explain } from '../../../users/refusals/explain.ts'
import { mustChangePassword } from '../../../users/required-change.ts'
import type { AdminParts } from './parts.ts'
import { AccountParams, answer, described, refusals } from './documentation.ts'
import { EventsModel, UnlockedModel } from './models.ts'
import { accountIn, type AccountPath } from './refusals.ts'

const EVENTS = {
  account: { sub: '9f86d081-884c-4d65-9a2f-eaa0c55ad015', name: 'ann', disabled: false },
  refusals: [
    {
      reason: 'throttled_by_pair',
      meaning: 'Too many failures of this name from this network.',
      advice: 'latchkey users unlock forgets the failures.',
      clientId: 'mobile',
      network: '192.0.2.0/24',
      count: 12,
      firstAt: '2026-11-29T08:00:00.000Z',
      lastAt: '2026-11-29T08:10:00.000Z',
      until: '2026-11-29T08:14:00.000Z',
    },
  ],
}

const Networks = Type.Object(
  {
    networks: Type.Optional(
      Type.Array(Type.String({ maxLength: 64 }), {
        maxItems: 16,
        description: 'Addresses or networks beside those on record.',
      }),
    ),
  },
  { title: 'UnlockRequest' },
)

const NameQuery = Type.Object({
  name: Type.String({
    minLength: 1,
    maxLength: 1024,
    description:
      'A name, whether anybody has it or not; the value of a unique attribute; or the hash of the audit log.',
  }),
})

/** Adds the routes. */
export function accountRoutes(app: FastifyInstance, parts: AdminParts): void {
  addUnlock(app, parts)
  const { core, letIn } = parts

  app.get<{ Params: AccountPath }>(
    '/accounts/:sub/events',
    {
      ...letIn('admin.read'),
      schema: {
        ...described({
          summary: "Why a user's logins were refused",
          operationId: 'accountEvents',
          tag: 'Logins',
          scope: 'admin.read',
        }),
        params: AccountParams,
        response: { ...answer(EventsModel, EVENTS), ...refusals(404) },
      },
    },
    async request => {
      const account = await accountIn(request, core)
      return eventsOf(account, await core.refusals.ofAccount(account))
    },
  )

  app.get<{ Querystring: { readonly name: string } }>(
    '/events',
    {
      ...letIn('admin.read'),
      schema: {
        ...described({
          summary: 'Why the logins of a name were refused',
          operationId: 'events',
          tag: 'Logins',
          scope: 'admin.read',
        }),
        querystring: NameQuery,
        response: { ...answer(EventsModel, EVENTS), ...refusals(400) },
      },
    },
    async ({ query: { name } }) => {
      const { accounts, refusals: record } = core
      const account =
        (await accounts.find(name)) ??
        (await accounts.findLogin(name)) ??
        (await findByValue(name, {
          byValue: accounts.byValue,
          declarations: core.settings.attributes(),
        }))
      return eventsOf(
        account,
        await (account === undefined
          ? record.ofName(name)
          : record.ofAccount(account, name)),
      )
    },
  )
}

function addUnlock(app: FastifyInstance, { core, letIn, onBehalf }: AdminParts): void {
  app.post<{ Params: AccountPath; Body: { readonly networks?: string[] } }>(
    '/accounts/:sub/unlock',
    {
      ...letIn('admin'),
      schema: {
        ...described({
          summary: 'Forget the failed logins of a user',
          operationId: 'unlock',
          tag: 'Logins',
          scope: 'admin',
        }),
        params: AccountParams,
        body: Networks,
        response: {
          ...answer(UnlockedModel, { networks: ['192.0.2.0/24'], cleared: 1 }, 'Done.'),
          ...refusals(400, 404),
        },
      },
    },
    async request => {
      const account = await accountIn(request, core)
      return onBehalf(request).unlock(account, request.body)
    },
  )
}

function eventsOf(account: Account | undefined, found: readonly LoginRefusal[]) {
  return {
    account:
      account === undefined
        ? null
        : {
            sub: account.sub,
            name: account.name,
            disabled: account.disabled,
            ...(mustChangePassword(account) && { passwordChangeRequired: true as const }),
          },
    refusals: found.map(({ clientId, firstAt, lastAt, until, ...refusal }) => ({
      ...refusal,
      ...explain(refusal),
      clientId: clientId ?? null,
      firstAt: new Date(firstAt).toISOString(),
      lastAt: new Date(lastAt).toISOString(),
      until: until === undefined ? null : new Date(until).toISOString(),
    })),
  }
}
