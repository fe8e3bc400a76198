// What users do for themselves, where the configuration says so: all routes of it.
import type { FastifyInstance } from 'fastify'
import type { Core } from '../../../core/core.ts'
import { verifiesAddresses } from '../../../self-service/verification.ts'
import type { AddressCounts } from '../../../stores/ports/address-counts.ts'
import type { Callers } from '../../callers/callers.ts'
import {
  createSelfServiceLimits,
  type SelfServiceLimits,
} from '../../callers/limits/self-service-limits.ts'
import type { WindowLimit } from '../../../base/counts/window-counts.ts'
import { ownAccountRoutes, ownSessionRoutes } from './own-account.ts'
import { createOwnerOf } from './owner-of.ts'
import { withoutTokenRoutes } from './without-token.ts'

/** What the routes are registered with. */
export interface AccountOptions {
  readonly core: Core
  /** The issuer, without a slash at its end. */
  readonly base: string
  /** What stands before the routes' paths. */
  readonly prefixes: Iterable<string>
  readonly callers: Callers
  /** Requests of one session. */
  readonly sessionLimit: () => WindowLimit
  /** Where requests are counted; undefined: in this process. */
  readonly addressCounts: AddressCounts | undefined
}

/** Registers the routes that are switched on. */
export function registerAccount(app: FastifyInstance, options: AccountOptions): void {
  const { core, prefixes, addressCounts } = options
  const { secrets, selfService } = core.settings
  // One set of counts for all ways to the same route.
  const limits = createSelfServiceLimits({
    counts: addressCounts,
    secrets,
    ...selfService,
  })
  for (const prefix of prefixes) {
    if (selfService.account) registerOwn(app, { ...options, prefix, limits })
    registerWithoutToken(app, { core, prefix, limits })
  }
}

interface At {
  readonly prefix: string
  readonly limits: SelfServiceLimits
}

function registerOwn(app: FastifyInstance, options: AccountOptions & At): void {
  const { core, base, prefix, callers, sessionLimit, limits } = options
  const { settings, accounts, ownAccount } = core
  const ownerOf = createOwnerOf({
    issuer: settings.issuer,
    base,
    prefix,
    tokenHolder: callers.tokenHolder,
    accounts,
    sessionLimit,
  })
  app.register(ownAccountRoutes, {
    prefix,
    ownerOf,
    ownAccount,
    limits,
  })
  app.register(ownSessionRoutes, {
    prefix,
    ownerOf,
    ownAccount,
    limits,
  })
}

function registerWithoutToken(
  app: FastifyInstance,
  { core, prefix, limits }: At & Pick<AccountOptions, 'core'>,
): void {
  const { selfService } = core.settings
  const { registration, recovery } = selfService
  const isOpen = registration !== 'closed'
  app.register(withoutTokenRoutes, {
    prefix,
    limits,
    registration: isOpen ? core.registration : undefined,
    invitedOnly: registration === 'invite',
    verifyAddress: verifiesAddresses(selfService) ? core.verifyAddress : undefined,
    recovery: recovery ? core.recovery : undefined,
  })
}
