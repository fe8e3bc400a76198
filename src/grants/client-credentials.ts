// The client credentials grant (RFC 6749 §4.4): a confidential client gets a token of its own. There is no
// user, no session and no refresh token: a client that can authenticate asks again.
import type { Static, TObject } from 'typebox'
import { userTag } from '../base/ids.ts'
import { isConfidential } from '../clients/client-auth.ts'
import type { Client } from '../clients/registry.ts'
import { unauthorizedClient } from '../oauth/errors.ts'
import { networkOf } from '../users/failed-logins/network.ts'
import { defineGrant, type GrantServices } from './descriptor.ts'
import type { Grant, GrantRequest, TokenResponse } from './grant.ts'
import { accessTtl, type MintedToken } from './issue.ts'
import { TARGET_PARAMETERS } from './parameters.ts'
import { defaultAudience, requestedAudience, requestedScope } from './targets.ts'

const TYPE = 'client_credentials'

/** What the grant is built of. */
export type ClientCredentialsServices = Pick<
  GrantServices,
  'issuer' | 'subjects' | 'mint' | 'policy' | 'takeStatus' | 'emit'
>

type Parameters = Static<TObject<typeof TARGET_PARAMETERS>>

/** The client credentials grant. */
export const clientCredentialsGrant = defineGrant({
  type: TYPE,
  label: TYPE,
  summary: 'A confidential client gets a token of its own; no refresh token.',
  parameters: TARGET_PARAMETERS,
  example: {
    grant_type: TYPE,
    client_id: 'reports',
    scope: 'orders:read',
  },
  allows: mayActAlone,
  create: createClientCredentialsGrant,
})

/** Whether a client may hold tokens of its own. */
export function mayActAlone(client: Client): boolean {
  return client.grants.includes(TYPE) && isConfidential(client)
}

function createClientCredentialsGrant(
  services: ClientCredentialsServices,
): Grant<Parameters> {
  const { issuer, subjects, mint, policy, takeStatus, emit } = services

  // A resource server tells a client from a user by `sub` alone (RFC 9068 §5). Asked at every token: accounts
  // come while servers run, from commands that may know other clients.
  async function refuseSubOfUser({ id }: Client): Promise<void> {
    const user = await subjects.byTag(userTag(id))
    if (user !== undefined) throw unauthorizedClient('client_id_is_sub')
  }

  return async function exchangeClientCredentials(request) {
    const { client, params, jkt, credential } = request
    const scope = requestedScope(params.scope, client.scopes) ?? client.scopes
    const audience =
      requestedAudience(params.resource, client.audience) ??
      defaultAudience(client.audience, issuer)
    await refuseSubOfUser(client)
    const status = await takeStatus?.(accessTtl(client, policy()), credential())
    const minted = await mint({
      client,
      session: undefined,
      scope,
      audience,
      jkt,
      status,
    })
    emit(eventOf(request, minted), request.origin)
    return responseOf(minted)
  }
}

function eventOf({ client, address }: GrantRequest, { claims }: MintedToken) {
  return {
    type: 'token.issued',
    clientId: client.id,
    network: networkOf(address),
    jti: claims.jti,
  } as const
}

function responseOf({ token, claims }: MintedToken): TokenResponse {
  return {
    access_token: token,
    token_type: claims.cnf === undefined ? 'Bearer' : 'DPoP',
    expires_in: claims.exp - claims.iat,
    ...(claims.scope !== undefined && { scope: claims.scope }),
  }
}
