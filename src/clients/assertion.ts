// private_key_jwt (RFC 7523 §2.2, OIDC Core §9): a client authenticates by a JWT that its own key signs. No
// secret is sent or stored.
import { createHash } from 'node:crypto'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  exportJWK,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
  type ResolvedKey,
} from 'jose'
import type { Clock } from '../base/clock.ts'
import { JOSE_NAMES } from '../oauth/algorithms.ts'
import { invalidClient, temporarilyUnavailable } from '../oauth/errors.ts'
import type { Replays } from '../stores/ports/replays.ts'
import { usableKeys } from '../oauth/public-jwk.ts'
import { createGuardedFetch } from './guarded-fetch.ts'
import type { Proven } from './credentials.ts'
import type { Client } from './registry.ts'

/** The only type of assertion that is accepted. */
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

const MAX_LENGTH = 4096
const MAX_LIFE_MS = 600_000
const SKEW_SECONDS = 30
/** How much of a wrong audience a refusal shows. */
const MAX_SHOWN = 200

export interface AssertionOptions {
  /** The audience that is always accepted. An assertion for another server is refused. */
  readonly issuer: string
  /** The URL of the token endpoint, which is accepted where a client may name it. */
  readonly endpoint: string
  readonly replays: Replays
  readonly clock: Clock
}

/** Checks client assertions. */
export interface Assertions {
  /** The client that the assertion names, unchecked; undefined when it names none. */
  claimant(assertion: string): string | undefined
  /**
   * Checks that `client` made the assertion for this server, that it is current, and that it is used for the
   * first time; resolves to what the client has proved by it.
   *
   * @throws OAuthError invalid_client when not; temporarily_unavailable when its keys can't be fetched;
   * StoreUnavailable
   */
  check(assertion: string, client: Client): Promise<Proven>
}

/**
 * Makes the checker. Fetched keys are kept for ten minutes and, for an unknown `kid`, asked for again at most
 * twice a minute.
 */
export function createAssertions({
  issuer,
  endpoint,
  replays,
  clock,
}: AssertionOptions): Assertions {
  const keysOf = createKeySource()

  async function once({ jti, exp }: JWTPayload, client: Client): Promise<boolean> {
    const id = createHash('sha256')
      .update(`assertion ${client.id} ${jti}`)
      .digest()
      .subarray(0, 16)
      .toString('base64url')
    return replays.once(id, Number(exp) * 1000 - clock() + SKEW_SECONDS * 1000)
  }

  return {
    claimant(assertion) {
      if (assertion.length > MAX_LENGTH) return undefined
      try {
        return decodeJwt(assertion).sub
      } catch {
        return undefined
      }
    },
    async check(assertion, client) {
      const keys = keysOf(client)
      if (keys === undefined) throw invalidClient('assertion_not_allowed')
      const audiences =
        client.assertionAudience === 'endpoint' ? [issuer, endpoint] : [issuer]
      const now = clock()
      const { claims, key } = await verify(assertion, keys, { audiences, client, now })
      if (typeof claims.jti !== 'string' || claims.jti.length > 256) {
        throw invalidClient('assertion_without_jti')
      }
      refuseLongLife(claims, client, now)
      if (!(await once(claims, client))) throw invalidClient('assertion_replayed')
      const { jwksUri } = client
      return jwksUri === undefined ? { key: await exportJWK(key) } : { jwksUri }
    },
  }
}

// A client's clock may be ahead of ours: what it says of the beginning counts, as far as clocks may differ.
function refuseLongLife(
  { iat = 0, exp = 0 }: JWTPayload,
  { assertionMaxAge = MAX_LIFE_MS }: Client,
  now: number,
): void {
  const from = now / 1000
  const until = from + SKEW_SECONDS
  const life = Math.ceil(exp - Math.min(Math.max(iat, from), until))
  const most = Math.floor(assertionMaxAge / 1000)
  if (life > most) {
    throw invalidClient(
      'assertion_too_long_lived',
      `the assertion lives for ${life} s, and may live for ${most} s (assertionMaxAge)`,
    )
  }
}

async function verify(
  assertion: string,
  keys: JWTVerifyGetKey,
  { audiences, client, now }: { audiences: string[]; client: Client; now: number },
): Promise<{ readonly claims: JWTPayload; readonly key: ResolvedKey['key'] }> {
  const options = {
    issuer: client.id,
    subject: client.id,
    audience: audiences,
    algorithms: [...JOSE_NAMES],
    requiredClaims: ['exp', 'jti'],
    clockTolerance: SKEW_SECONDS,
    currentDate: new Date(now),
  }
  const { payload, key } = await jwtVerify(assertion, keys, options)
    .catch(async (error: unknown) => {
      // Several keys fit and no `kid` chooses: try each.
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
      for await (const key of error) {
        const verified = await jwtVerify(assertion, key, options).catch(
          (cause: unknown) => {
            if (!(cause instanceof errors.JWSSignatureVerificationFailed)) throw cause
          },
        )
        if (verified !== undefined) return { ...verified, key }
      }
      throw new errors.JWSSignatureVerificationFailed()
    })
    .catch((error: unknown) => asVerdict(error, audiences))
  // An assertion for several audiences could be replayed by one of the others.
  if (Array.isArray(payload.aud) && payload.aud.length !== 1) {
    throw wrongAudience(payload.aud, audiences)
  }
  return { claims: payload, key }
}

// The signature was right: whoever reads this holds the client's key.
function wrongAudience(aud: unknown, audiences: readonly string[]) {
  const got = [aud ?? []].flat().map(shown).join(', ') || 'none'
  return invalidClient(
    'assertion_audience_wrong',
    `the audience (aud) of the assertion must be ${audiences.join(' or ')} and nothing else, and is ${got}`,
  )
}

// RFC 6749 §5.2 allows printable ASCII without the quote and the backslash.
function shown(audience: unknown): string {
  return String(audience)
    .replace(/[^\x20-\x21\x23-\x5B\x5D-\x7E]/g, '?')
    .slice(0, MAX_SHOWN)
}

function asVerdict(error: unknown, audiences: readonly string[]): never {
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
    throw wrongAudience(error.payload.aud, audiences)
  }

  const isFault =
    error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid
  if (error instanceof errors.JOSEError && !isFault) {
    throw invalidClient('assertion_invalid')
  }
  // Not the assertion's fault: the keys can't be fetched, or no library can read them.
  throw temporarilyUnavailable('client_keys_unavailable')
}

/** Finds the keys of a client: in its configuration, or at its jwksUri. */
function createKeySource(): (client: Client) => JWTVerifyGetKey | undefined {
  // Kept over a reload of the configuration, and as long as the process: there are as many as the
  // configuration has ever named.
  const remote = new Map<string, JWTVerifyGetKey>()
  return ({ keys, jwksUri, jwksUriMayBePrivate }) => {
    if (keys.length > 0) return createLocalJWKSet({ keys: usableKeys(keys) })
    if (jwksUri === undefined) return undefined
    const id = `${jwksUriMayBePrivate} ${jwksUri}`
    const known = remote.get(id) ?? createRemoteKeys(jwksUri, jwksUriMayBePrivate)
    remote.set(id, known)
    return known
  }
}

function createRemoteKeys(url: string, allowPrivate: boolean): JWTVerifyGetKey {
  const fetchJson = createGuardedFetch({ allowPrivate })
  const fetchKeys = async () => Response.json(withUsableKeys(await fetchJson(url)))
  return createRemoteJWKSet(new URL(url), { [customFetch]: fetchKeys })
}

// Anything but a key set stays as it is: jose reports it.
function withUsableKeys(document: unknown): unknown {
  const { keys } = Object(document)
  return Array.isArray(keys) ? { keys: usableKeys(keys) } : document
}
