// This folder lets old clients go on as they are: it makes of their requests those that the endpoints know,
// and counts each. No rule of an endpoint is softened here. src/app.ts registers it, where the configuration
// has a switch of `compat` on.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../../base/clock.ts'
import { REPEATABLE_PARAMETERS } from '../../grants/all.ts'
import type { Form } from '../../oauth/form.ts'
import { parseJsonForm } from '../../oauth/json-body.ts'
import { isForm } from '../callers/request-client.ts'
import { refuseEncoded } from '../request/form-body.ts'
import type { RevokeRouteOptions } from '../public/revoke.ts'
import { keycloakLogoutRoute, keycloakPaths, realmPath } from './keycloak.ts'
import { createUses, type CompatSwitch } from './uses.ts'

/** `compat` of the configuration. */
export interface CompatSettings {
  readonly defaultClient?: string
  readonly grantType?: 'password'
  readonly json: boolean
  /** Old path → our own. */
  readonly paths: Readonly<Record<string, string>>
  /** The realm of Keycloak whose paths are served. */
  readonly keycloak?: string
  /** Days, as YYYY-MM-DD. */
  readonly deprecation?: string
  readonly sunset?: string
}

/** No switch is on. */
export const NO_COMPAT: CompatSettings = { json: false, paths: {} }

/** What is noted of old clients, and where. */
export interface CompatOptions {
  readonly compat: CompatSettings
  readonly clock: Clock
  /** Counts a request that needed a switch. */
  readonly count: (name: CompatSwitch) => void
}

/** What the server does for old clients. */
export interface Compat {
  /** Notes requests that came by an old path; for all endpoints, before their other hooks. */
  noteOldPaths(app: FastifyInstance): void
  /** Lets the token endpoint of this scope take what old clients send. */
  takeOldRequests(app: FastifyInstance): void
  /** Registers what is more than another name for one of our endpoints. */
  registerRoutes(app: FastifyInstance, options: OldRoutesOptions): void
}

/** What the routes of old clients are registered with. */
export interface OldRoutesOptions extends RevokeRouteOptions {
  readonly prefix: string
}

/** Notes that a request needed a switch. */
type Note = (name: CompatSwitch, reply: FastifyReply) => void

/** Makes what the switches that are on ask for; a use is counted, logged and said in the answer. */
export function createCompat(
  app: FastifyInstance,
  { compat, clock, count }: CompatOptions,
): Compat {
  const noteUse = createUses({ clock, count, log: app.log })
  const headers = headersOf(compat)
  const note: Note = (name, reply) => {
    noteUse(name)
    reply.headers(headers)
  }
  const { json, defaultClient, grantType, keycloak } = compat
  return {
    noteOldPaths(scope) {
      if (Object.keys(allOldPaths(compat)).length > 0) noteOldPaths(scope, compat, note)
    },
    takeOldRequests(scope) {
      if (json) takeJson(scope, note)
      if (defaultClient !== undefined || grantType !== undefined) {
        fillIn(scope, compat, note)
      }
    },
    registerRoutes(scope, options) {
      if (keycloak === undefined) return
      scope.register(async routes => {
        routes.addHook('onRequest', (_request, reply, done) => {
          note('keycloak', reply)
          done()
        })
        routes.register(keycloakLogoutRoute, { ...options, realm: keycloak })
      })
    },
  }
}

// RFC 9745 §2.1: a date of structured fields; RFC 8594 §3: an HTTP date.
function headersOf({ deprecation, sunset }: CompatSettings): Record<string, string> {
  return {
    ...(deprecation !== undefined && {
      deprecation: `@${Date.parse(deprecation) / 1000}`,
    }),
    ...(sunset !== undefined && { sunset: new Date(sunset).toUTCString() }),
  }
}

/** Every old path that is another name for one of our own. */
export function allOldPaths({ paths, keycloak }: CompatSettings): Record<string, string> {
  return { ...paths, ...keycloakPaths(keycloak) }
}

function noteOldPaths(
  app: FastifyInstance,
  { keycloak = '' }: CompatSettings,
  note: Note,
): void {
  const realm = `${realmPath(keycloak)}/`
  app.addHook('onRequest', ({ originalUrl, url }, reply, done) => {
    if (originalUrl !== url) {
      note(originalUrl.includes(realm) ? 'keycloak' : 'path', reply)
    }
    done()
  })
}

function fillIn(
  app: FastifyInstance,
  { defaultClient, grantType }: CompatSettings,
  note: Note,
): void {
  app.addHook('preValidation', (request, reply, done) => {
    const { body } = request
    if (isForm(body)) {
      const client = defaultClient !== undefined && namesNoClient(request, body)
      const grant = grantType !== undefined && isBareLogin(body)
      if (client) note('default_client', reply)
      if (grant) note('grant_type', reply)
      // What is filled in stands in the place of nothing, also for whoever asks for the header.
      if (client) delete request.headers.authorization
      request.body = Object.assign(
        Object.create(null),
        body,
        client && { client_id: defaultClient },
        grant && { grant_type: grantType },
      )
    }
    done()
  })
}

function takeJson(app: FastifyInstance, note: Note): void {
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      refuseEncoded(request)
      return parseJsonForm(body, REPEATABLE_PARAMETERS)
    },
  )
  app.addHook('preParsing', async (request, reply) => {
    if (/^application\/json\s*(;|$)/i.test(String(request.headers['content-type']))) {
      note('json', reply)
    }
  })
}

/** `Basic` with neither an id nor a secret, which Swagger UI sends for a form without a client. */
const EMPTY_BASIC = /^basic +Og==$/i

// Whatever looks like a client, right or wrong, is judged as the client that it claims to be.
function namesNoClient({ headers }: FastifyRequest, form: Form): boolean {
  const { authorization } = headers
  return (
    (authorization === undefined || EMPTY_BASIC.test(authorization)) &&
    form['client_id'] === undefined &&
    form['client_secret'] === undefined &&
    form['client_assertion'] === undefined &&
    form['client_assertion_type'] === undefined
  )
}

function isBareLogin(form: Form): boolean {
  return (
    form['grant_type'] === undefined &&
    form['username'] !== undefined &&
    form['password'] !== undefined
  )
}
