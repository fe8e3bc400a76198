// What users do for themselves, where the configuration says so: all routes of it.
import type { FastifyInstance } from 'fastify'
import type { Core } from '../../../core/core.ts'
import type { Callers } from '../../callers/callers.ts'
import type { WindowLimit } from '../../callers/limits/window-counts.ts'
import { ownAccountRoutes, ownSessionRoutes } from './own-account.ts'
import { createOwnerOf } from './owner-of.ts'

/** What the routes are registered with. */
export interface AccountOptions {
  readonly core: Core
  /** The issuer, without a slash at its end. */
  readonly base: string
  /** What stands before the routes' paths. */
  readonly prefix: string
  readonly callers: Callers
  /** Requests of one session. */
  readonly sessionLimit: () => WindowLimit
}

/** Registers the routes that are switched on. */
export function registerAccount(app: FastifyInstance, options: AccountOptions): void {
  const { core, base, prefix, callers, sessionLimit } = options
  const { settings, accounts, ownAccount } = core
  if (!settings.selfService.account) return
  const ownerOf = createOwnerOf({
    issuer: settings.issuer,
    base,
    prefix,
    tokenHolder: callers.tokenHolder,
    accounts,
    sessionLimit,
  })
  app.register(ownAccountRoutes, { prefix, ownerOf, ownAccount })
  app.register(ownSessionRoutes, { prefix, ownerOf, ownAccount })
}
