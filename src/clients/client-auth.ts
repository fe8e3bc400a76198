// Client authentication (RFC 6749 §2.3): client_secret_basic, client_secret_post, private_key_jwt (RFC 7523),
// or none for a public client.
import { hash, timingSafeEqual } from 'node:crypto'
import { parseBasic } from '../oauth/basic.ts'
import { invalidClient, invalidRequest } from '../oauth/errors.ts'
import { ASSERTION_TYPE, type Assertions } from './assertion.ts'
import { credentialId, type Authenticated, type Proven } from './credentials.ts'
import type { ProvenHeaders } from './proven-headers.ts'
import type { Client, ClientRegistry } from './registry.ts'

/** What a request presents to authenticate its client. */
export interface PresentedClient {
  /** The Authorization header. */
  readonly authorization: string | undefined
  /** `client_id`, `client_secret`, `client_assertion` and `client_assertion_type` of the body. */
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
  readonly assertion: string | undefined
  readonly assertionType: string | undefined
}

/** What authentication needs. */
export interface AuthenticationOptions {
  readonly clients: Pick<ClientRegistry, 'find'>
  readonly assertions: Assertions
  /** Headers that were right before; those that are right now are added. */
  readonly provenHeaders: ProvenHeaders
}

interface Claim {
  readonly id: string
  readonly proof:
    | { readonly assertion: string }
    /** `header`: the whole of it, where the secret came by Basic. */
    | { readonly secret: string; readonly header: string | undefined }
}

/**
 * Authenticates the client of a request.
 *
 * @throws OAuthError invalid_client when it is unknown or its secret or assertion is wrong or missing;
 * invalid_request when two methods are used at once; temporarily_unavailable when its keys can't be fetched;
 * StoreUnavailable
 */
export async function authenticateClient(
  presented: PresentedClient,
  { clients, assertions, provenHeaders }: AuthenticationOptions,
): Promise<Authenticated> {
  const { authorization } = presented
  const known =
    authorization === undefined ? undefined : provenHeaders.recall(authorization)
  const { id, proof } = readClaim(presented, assertions, known)
  if (known !== undefined) return known
  const client = clients.find(id)
  if (client === undefined) throw invalidClient('client_unknown')
  const proven =
    'assertion' in proof
      ? await assertions.check(proof.assertion, client)
      : provenBySecret(client, proof.secret)
  const authenticated = {
    client,
    credential: () => proven && credentialId(client, proven),
  }
  if ('header' in proof && proof.header !== undefined && proven !== undefined) {
    provenHeaders.remember(proof.header, authenticated)
  }
  return authenticated
}

/** Whether the client has a secret or a key to authenticate with. */
export function isConfidential(client: Client): boolean {
  return (
    client.secretHashes.length > 0 ||
    client.keys.length > 0 ||
    client.jwksUri !== undefined
  )
}

function readClaim(
  { authorization, clientId, clientSecret, assertion, assertionType }: PresentedClient,
  assertions: Assertions,
  known: Authenticated | undefined,
): Claim {
  const basic =
    known === undefined
      ? parseBasic(authorization)
      : { clientId: known.client.id, clientSecret: '' }
  if (
    [basic, clientSecret, assertion].filter(method => method !== undefined).length > 1
  ) {
    throw invalidRequest(
      'only one way of client authentication may be used',
      'client_two_methods',
    )
  }
  const claimed =
    assertion === undefined
      ? (basic?.clientId ?? clientId)
      : claimantOf(assertion, assertionType, assertions)
  if (claimed === undefined) throw invalidClient('client_missing')
  if (clientId !== undefined && clientId !== claimed) {
    throw invalidRequest(
      'client_id and the client that authenticates differ',
      'client_two_ids',
    )
  }
  const proof =
    assertion === undefined
      ? {
          secret: basic?.clientSecret ?? clientSecret ?? '',
          header: basic && authorization,
        }
      : { assertion }
  return { id: claimed, proof }
}

function claimantOf(
  assertion: string,
  type: string | undefined,
  assertions: Assertions,
): string {
  if (type !== ASSERTION_TYPE) {
    throw invalidRequest(
      'client_assertion_type is missing or unknown',
      'assertion_type_unknown',
    )
  }
  const claimant = assertions.claimant(assertion)
  if (claimant === undefined) throw invalidClient('assertion_malformed')
  return claimant
}

// A public client may send an empty secret (Swagger UI does), but no other one.
function provenBySecret(client: Client, secret: string): Proven | undefined {
  if (!isConfidential(client)) {
    if (secret !== '') throw invalidClient('client_secret_wrong')
    return undefined
  }
  const secretHash = hash('sha256', secret, 'buffer')
  const isRight = client.secretHashes.reduce(
    (found, known) => timingSafeEqual(known, secretHash) || found,
    false,
  )
  if (!isRight) throw invalidClient('client_secret_wrong')
  return { secretHash }
}
