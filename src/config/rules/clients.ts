// The rules between the keys of a client, and between clients.
import { faultOf } from '../../oauth/public-jwk.ts'
import type { Fault, Place } from '../faults.ts'
import type { ClientConfig, Config } from '../schema.ts'
import { checkLifetimes, fault, repeated } from './shared.ts'

/** Checks `clients`. */
export function checkClients(config: Config): Fault[] {
  const { clients, tokens, audiences } = config
  return [
    ...checkIdTokenAudiences(config),
    ...clients.flatMap((client, index) => checkAlgorithms(client, index, audiences)),
    ...repeated(clients.map(client => client.id)).map(index =>
      fault(['clients', index, 'id'], 'another id than those before it'),
    ),
    ...clients.flatMap((client, index) => [
      ...(overridesLifetime(client)
        ? checkLifetimes(['clients', index], { ...tokens, ...client })
        : []),
      ...checkClientKeys(client, index),
      ...checkAssertions(client, index),
      ...(isPublic(client) ? checkPublicClient(client, index) : []),
    ]),
  ]
}

// The audience of an ID token is the client: a resource server of the same name, which looks at nothing but
// signature, issuer and audience, would take it for an access token.
function checkIdTokenAudiences({ issuer, clients }: Config): Fault[] {
  const audiences = new Set([issuer, ...clients.flatMap(({ audience }) => audience)])
  return clients.flatMap(({ id, scopes }, index) =>
    scopes.includes('openid') && audiences.has(id)
      ? [
          fault(
            ['clients', index, 'id'],
            'an id that is no audience, or no scope openid: ID tokens would pass for access tokens there',
          ),
        ]
      : [],
  )
}

// A token has one signature, and without `resource` it is for every audience of the client.
function checkAlgorithms(
  client: ClientConfig,
  index: number,
  audiences: Config['audiences'],
): Fault[] {
  const needed = new Set(
    client.audience.flatMap(audience => audiences[audience]?.algorithm ?? []),
  )
  return needed.size > 1
    ? [
        fault(
          ['clients', index, 'audience'],
          `audiences of one algorithm (these need ${[...needed].join(' and ')})`,
        ),
      ]
    : []
}

function overridesLifetime(client: ClientConfig): boolean {
  return (
    client.accessTtl !== undefined ||
    client.refreshIdle !== undefined ||
    client.refreshAbsolute !== undefined
  )
}

function isPublic({ secrets, keys, jwksUri }: ClientConfig): boolean {
  return secrets.length === 0 && keys.length === 0 && jwksUri === undefined
}

function checkClientKeys(
  { keys, jwksUri, jwksUriMayBePrivate }: ClientConfig,
  index: number,
): Fault[] {
  const place: Place = ['clients', index]
  return [
    ...keys.flatMap((key, number) => {
      const found = faultOf(key)
      if (found === undefined) return []
      const { member, expected } = found
      const at: Place = [...place, 'keys', number]
      return [fault(member === undefined ? at : [...at, member], expected)]
    }),
    ...(keys.length > 0 && jwksUri !== undefined
      ? [fault([...place, 'jwksUri'], 'no such key beside keys')]
      : []),
    ...(jwksUri !== undefined && !isFetchable(jwksUri, jwksUriMayBePrivate)
      ? [
          fault(
            [...place, 'jwksUri'],
            'an https URL (http only with jwksUriMayBePrivate)',
          ),
        ]
      : []),
  ]
}

// The store keeps the id of each assertion for as long as it lives.
const ASSERTION_LIFE_MOST = 24 * 3_600_000

function checkAssertions(client: ClientConfig, index: number): Fault[] {
  const { assertionAudience, assertionMaxAge, keys, jwksUri } = client
  const signs = keys.length > 0 || jwksUri !== undefined
  return [
    ...(assertionAudience === 'endpoint' && !signs
      ? [fault(['clients', index, 'assertionAudience'], 'keys or jwksUri beside it')]
      : []),
    ...(assertionMaxAge !== undefined && !signs
      ? [fault(['clients', index, 'assertionMaxAge'], 'keys or jwksUri beside it')]
      : []),
    ...(assertionMaxAge !== undefined &&
    (assertionMaxAge < 1000 || assertionMaxAge > ASSERTION_LIFE_MOST)
      ? [fault(['clients', index, 'assertionMaxAge'], '1s to 24h')]
      : []),
  ]
}

function isFetchable(text: string, mayBePrivate: boolean): boolean {
  const url = URL.parse(text)
  return url !== null && (url.protocol === 'https:' || mayBePrivate)
}

function checkPublicClient(client: ClientConfig, index: number): Fault[] {
  const alone = client.grants.indexOf('client_credentials')
  return [
    ...(alone >= 0
      ? [
          fault(
            ['clients', index, 'grants', alone],
            'another grant, or secrets or keys: anybody can pose as a public client',
          ),
        ]
      : []),
    ...(client.forwardsAddress
      ? [
          fault(
            ['clients', index, 'forwardsAddress'],
            'false, or secrets or keys: anybody can pose as a public client',
          ),
        ]
      : []),
    ...(client.introspectByToken
      ? [
          fault(
            ['clients', index, 'introspectByToken'],
            'false, or secrets or keys: a public client may not introspect',
          ),
        ]
      : []),
    ...(client.introspect === 'any'
      ? [
          fault(
            ['clients', index, 'introspect'],
            'own, or secrets or keys: a public client may not introspect',
          ),
        ]
      : []),
  ]
}
