// What may be done to accounts over the management listener: who calls is said by the guard of callers/, and
// each part is registered here. All of it is the core's; nothing is served without a token.
import type { FastifyInstance } from 'fastify'
import { systemRandom } from '../../base/random.ts'
import type { Core } from '../../core/core.ts'
import { createProvenKey, type DpopOptions } from '../callers/dpop.ts'
import { createTokenFailures } from '../callers/limits/token-failures.ts'
import type { WindowLimit } from '../../base/counts/window-counts.ts'
import { createTokenHolder } from '../callers/token-holder.ts'
import { registerVerifier } from '../callers/verify-access-token.ts'
import { answerOnceNoted } from '../request/answer-once-noted.ts'
import { setErrorHandler } from '../request/error-handler.ts'
import { createGuard, type GuardSettings } from './callers/guard.ts'
import { ADMIN_PATH, adminRoutes } from './admin/admin-routes.ts'
import { SCIM_PATH } from './scim/scim-form.ts'
import { createCursors } from './scim/cursor.ts'
import { scimRoutes, type ScimSettings } from './scim/scim-routes.ts'

/** What the server reads while it runs; each call gives the value of now. */
export interface ApiSettings extends GuardSettings, ScimSettings {
  readonly dpop: DpopOptions['settings']
  /** Requests of one address whose token is none. */
  readonly addressLimit: () => WindowLimit
  /** Bad proofs of one session. */
  readonly sessionLimit: () => WindowLimit
}

/** What the API is made of. */
export interface ApiOptions {
  readonly core: Core
  readonly settings: ApiSettings
  /** Of Latchkey. */
  readonly version: string
  /** Logs and counts the requests of the routes that are registered there. */
  readonly observe: (app: FastifyInstance) => void
}

/** Registers the API; its routes are a scope of their own. */
export async function managementApi(
  app: FastifyInstance,
  { core, settings, version, observe }: ApiOptions,
): Promise<void> {
  setErrorHandler(app)
  answerOnceNoted(app, core.announcer)
  observe(app)
  const guard = createGuard({
    issuer: core.settings.issuer,
    clients: core.clients,
    settings,
    ...(await bearersOf(app, core, settings)),
  })
  app.register(adminRoutes, { prefix: ADMIN_PATH, core, guard, settings, version })
  app.register(scimRoutes, {
    prefix: SCIM_PATH,
    core,
    guard,
    cursors: createCursors(core.settings.secrets, systemRandom),
    settings,
    version,
  })
}

/** What knows who bears a token of ours, at this listener. */
async function bearersOf(app: FastifyInstance, core: Core, settings: ApiSettings) {
  const { clock, clients, keys, nonces } = core
  const verify = await registerVerifier(app, {
    issuer: core.settings.issuer,
    keys,
    knowsAudience: clients.knowsAudience,
    wasSignedHere: core.signedHere.has,
    clock,
  })
  const provenKey = createProvenKey({
    replays: core.store.replays,
    nonces,
    settings: settings.dpop,
    clock,
  })
  const failures = createTokenFailures(settings)
  const tokenHolder = createTokenHolder({
    verify,
    check: core.check,
    provenKey,
    failures,
  })
  return { tokenHolder, failures }
}
