// This folder identifies the callers of every endpoint: clients, holders of access tokens, introspectors and
// proxies, and limits how often each may ask. It answers no request. The routes in ../public/ call what is
// made here.
import type { FastifyInstance } from 'fastify'
import type { Core } from '../../core/core.ts'
import type { AddressCounts } from '../../stores/ports/address-counts.ts'
import { createRefreshTokenOf, type RefreshTokenOf } from './refresh-token-of.ts'
import { registerRateLimit, type RateLimits } from './limits/rate-limit.ts'
import {
  createAuthenticatedOf,
  type AuthenticatedOf,
  type ClientOf,
} from './request-client.ts'
import { createNoteRefusedLogin, type NoteRefusedLogin } from './refused-login.ts'
import { createProvenKey, type DpopOptions, type ProvenKey } from './dpop.ts'
import { createIntrospectorOf, type IntrospectorOf } from './introspector.ts'
import { createTokenFailures } from './limits/token-failures.ts'
import { createTokenHolder, type TokenHolder } from './token-holder.ts'
import { registerVerifier, type VerifyAccessToken } from './verify-access-token.ts'

/** What the callers are judged by; each call gives the values of now. */
export interface CallerSettings extends RateLimits {
  readonly dpop: DpopOptions['settings']
}

/** What the callers are made of. */
export interface CallersOptions {
  readonly core: Core
  readonly live: CallerSettings
  /** Where requests are counted per address; undefined: in this process. */
  readonly addressCounts: AddressCounts | undefined
  /** Where the introspection endpoint is, as clients know it. */
  readonly introspectUrl: string
}

/** The functions that say who asks, and the hooks that count. */
export interface Callers {
  readonly authenticatedOf: AuthenticatedOf
  readonly clientOf: ClientOf
  readonly introspectorOf: IntrospectorOf
  readonly tokenHolder: TokenHolder
  readonly provenKey: ProvenKey
  readonly refreshTokenOf: RefreshTokenOf
  readonly noteRefusedLogin: NoteRefusedLogin
  readonly verify: VerifyAccessToken
  readonly limits: Awaited<ReturnType<typeof registerRateLimit>>
}

/** Registers the plugins that callers need, and makes the functions for the routes. */
export async function registerCallers(
  app: FastifyInstance,
  { core, live, addressCounts, introspectUrl }: CallersOptions,
): Promise<Callers> {
  const { settings, clients, keys, clock, emit } = core
  const { replays } = core.store
  const { assertions } = core
  const authenticatedOf = createAuthenticatedOf({ clients, assertions, emit })
  const clientOf: ClientOf = async request => (await authenticatedOf(request)).client
  const verify = await registerVerifier(app, {
    issuer: settings.issuer,
    keys,
    knowsAudience: clients.knowsAudience,
    wasSignedHere: core.signedHere.has,
    clock,
  })
  const provenKey = createProvenKey({
    replays,
    nonces: core.nonces,
    settings: live.dpop,
    clock,
  })
  const tokenHolder = createTokenHolder({
    verify,
    check: core.check,
    provenKey,
    failures: createTokenFailures(live),
  })
  const introspectorOf = createIntrospectorOf({
    url: introspectUrl,
    clientOf,
    clients,
    tokenHolder,
  })
  const refreshTokenOf = createRefreshTokenOf(core.refreshTokens)
  const limits = await registerRateLimit(app, {
    settings: live,
    refreshTokenOf,
    counts: addressCounts,
    clientOf,
  })
  return {
    authenticatedOf,
    clientOf,
    introspectorOf,
    tokenHolder,
    provenKey,
    refreshTokenOf,
    noteRefusedLogin: createNoteRefusedLogin({ ...core, clientOf }),
    verify,
    limits,
  }
}
