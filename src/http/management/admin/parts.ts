// What every route of /admin/v1 is made of: the core, and who calls.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Core, OnBehalf } from '../../../core/core.ts'
import type { User } from '../../../stores/ports/subjects.ts'
import { createRequestSlot } from '../../request/request-slot.ts'
import type { Caller, Guard, GuardSettings } from '../callers/guard.ts'
import { isOperator, type ManagementScope } from '../callers/scopes.ts'

/** Asks the guard, before anything else of a request is read. */
export interface LetIn {
  onRequest(request: FastifyRequest, reply: FastifyReply): Promise<void>
}

/** What the routes are made of. */
export interface AdminParts {
  readonly core: Core
  /** The options of a route that let in whoever has the scope. */
  readonly letIn: (needed: ManagementScope) => LetIn
  /** The core's services, for the caller that was let in. */
  readonly onBehalf: (request: FastifyRequest) => OnBehalf
  /** Who was let in. */
  readonly callerOf: (request: FastifyRequest) => Caller
  /** Whether an account may use the listener, as roles are mapped now. */
  readonly isOperator: (account: Pick<User, 'roles'>) => boolean
}

/** What the parts go by. */
export interface PartsOptions {
  readonly core: Core
  readonly guard: Guard
  readonly settings: Pick<GuardSettings, 'roles'>
}

/** Makes them. */
export function createParts({ core, guard, settings }: PartsOptions): AdminParts {
  const callers = createRequestSlot<Caller>()
  function callerOf(request: FastifyRequest): Caller {
    const caller = callers.get(request)
    if (caller === undefined) throw new TypeError('the guard was not asked')
    return caller
  }
  return {
    core,
    letIn: needed => ({
      async onRequest(request, reply) {
        callers.set(request, await guard(request, reply, needed))
      },
    }),
    callerOf,
    isOperator: ({ roles }) => isOperator(roles, settings.roles()),
    onBehalf: request => core.as(callerOf(request).actor, request),
  }
}
