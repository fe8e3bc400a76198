// SCIM as its callers see it: the management listener with two callers that may write and one that reads.
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { serverOn, type StoreName } from '../conformance/helpers.ts'
import {
  CLIENTS,
  client,
  ISSUER,
  sha256Line,
  type TestApp,
  type TestAppOptions,
} from './app.ts'

const OKTA = `lks_${'a'.repeat(43)}`
const ENTRA = `lks_${'b'.repeat(43)}`
const READER = `lks_${'c'.repeat(43)}`
const TOKENS = { okta: OKTA, entra: ENTRA, reader: READER }

export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group'
export const EXTENSION = 'urn:latchkey:params:scim:schemas:extension:2.0:User'
export const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'
export const SCIM_JSON = { 'content-type': 'application/scim+json' }

/** Who calls. */
export type CallerName = keyof typeof TOKENS

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A request: method and path, and perhaps a body. */
export interface ScimCall {
  readonly as?: CallerName
  readonly body?: object | string
  readonly headers?: Record<string, string>
}

export interface ScimBench {
  readonly server: TestApp
  /** Calls a path below /scim/v2. */
  call(method: Method, path: string, more?: ScimCall): Promise<LightMyRequestResponse>
  /** Adds a user; gives the resource. */
  add(userName: string, more?: object): Promise<Record<string, unknown> & { id: string }>
  /** A PATCH of these operations. */
  patch(
    path: string,
    operations: readonly object[],
    more?: ScimCall,
  ): Promise<LightMyRequestResponse>
}

/** A server whose accounts have what SCIM knows, and something of their own. */
export async function scimOn(
  t: Test,
  store: StoreName,
  options: TestAppOptions = {},
): Promise<ScimBench> {
  const server = await serverOn(t, store, {
    clients: [
      ...CLIENTS,
      client('console', { scopes: ['scim', 'profile'], audience: [ISSUER] }),
    ],
    ...options,
  })
  server.live.roles = { operator: ['scim'] }
  server.live.managementUrl = 'https://management.example.com'
  server.live.staticTokens = Object.entries(TOKENS).map(([name, token]) => ({
    name,
    hashes: [sha256Line(token)],
    readOnly: name === 'reader',
  }))
  server.live.attributes = {
    email: { list: false, unique: true },
    name: { list: false, unique: false },
    given_name: { list: false, unique: false },
    family_name: { list: false, unique: false },
    phone_number: { list: false, unique: false },
    locale: { list: false, unique: false },
    tenant: { type: 'string', list: false, unique: false },
    seats: { type: 'integer', list: false, unique: false },
    beta: { type: 'boolean', list: false, unique: false },
    regions: { type: 'string', list: true, unique: false },
    switches: { type: 'boolean', list: true, unique: false },
  }
  return benchOf(server)
}

function benchOf(server: TestApp): ScimBench {
  const call: ScimBench['call'] = (method, path, { as = 'okta', body, headers } = {}) => {
    const request: InjectOptions = {
      method,
      url: `/scim/v2${path}`,
      headers: {
        authorization: `Bearer ${TOKENS[as]}`,
        ...(body !== undefined && SCIM_JSON),
        ...headers,
      },
      ...(body !== undefined && {
        payload: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    }
    return server.management.inject(request)
  }
  return {
    server,
    call,
    async add(userName, more = {}) {
      // Lists go by the instant of creation.
      server.clock.advance(1)
      const answer = await call('POST', '/Users', {
        body: { schemas: [USER], userName, ...more },
      })
      if (answer.statusCode !== 201) throw new Error(`${userName}: ${answer.body}`)
      return answer.json()
    },
    patch: (path, operations, more = {}) =>
      call('PATCH', path, {
        body: { schemas: [PATCH_OP], Operations: operations },
        ...more,
      }),
  }
}
