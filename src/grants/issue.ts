// The one place that mints a session's tokens.
import type { Client } from '../clients/registry.ts'
import type { Clock } from '../base/clock.ts'
import { systemRandom, type Random } from '../base/random.ts'
import type { ClaimRules, Claims } from '../oauth/claims.ts'
import { formatScope } from '../oauth/scope.ts'
import type { Family } from '../stores/ports/families.ts'
import type { User } from '../stores/ports/subjects.ts'
import type { StatusEntry } from '../stores/ports/status-lists.ts'
import type { AccessTokenClaims, AccessTokenType } from '../tokens/access-token.ts'
import { mapClaims } from '../tokens/claims.ts'
import { idTokenClaims } from '../tokens/id-token.ts'
import type { RefreshTokenCodec } from '../tokens/refresh-token.ts'
import type { SignJwt } from '../tokens/sign-jwt.ts'
import { OPENID } from '../tokens/user-claims.ts'
import type { TokenResponse } from './grant.ts'

/** Lifetimes as configured now; milliseconds. */
export interface TokenPolicy {
  readonly accessTtl: number
  readonly refreshIdle: number
  readonly refreshAbsolute: number
  readonly reuseGrace: number
}

/** What is issued: the tokens of one generation of a family. */
export interface Issue {
  readonly client: Client
  readonly family: Family
  /** The family's secret id. */
  readonly familyId: Buffer
  readonly generation: number
  readonly user: User
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  /** Thumbprint of the key that the access token is bound to; undefined: whoever bears it may use it. */
  readonly jkt: string | undefined
  /** Where the status of the access token is told; undefined: nowhere. */
  readonly status: StatusEntry | undefined
}

/** What an access token is made of. */
export type AccessTokenIssue = Pick<
  Issue,
  'client' | 'scope' | 'audience' | 'jkt' | 'status'
> & {
  /** Whom it is about: the user of a session; undefined: the client itself. */
  readonly session: Pick<Issue, 'user' | 'family'> | undefined
}

/** An access token, and what it says. */
export interface MintedToken {
  readonly token: string
  readonly claims: AccessTokenClaims
}

/** Mints an access token. */
export type MintAccessToken = (issue: AccessTokenIssue) => Promise<MintedToken>

/**
 * Mints an access token; where the client may refresh, the refresh token of that generation; with the scope
 * openid, an ID token.
 */
export type IssueTokens = (issue: Issue) => Promise<TokenResponse>

export interface IssueDependencies {
  readonly issuer: string
  readonly sign: SignJwt
  readonly refreshTokens: RefreshTokenCodec
  readonly policy: () => TokenPolicy
  /** Where a status list is fetched that is signed by this algorithm; undefined: by any. */
  readonly uriOf: (list: string, algorithm: string | undefined) => string
  /** The header type that an audience wants. */
  readonly typOf: (audience: string) => AccessTokenType
  /** The algorithm that an audience needs; undefined: it takes any. */
  readonly algorithmOf: (audience: string) => string | undefined
  /** The rules of the claims that an audience is given. */
  readonly claimsFor: (audience: string) => ClaimRules
  /** Whether the configuration declares an attribute of that name. */
  readonly isDeclared: (attribute: string) => boolean
  readonly clock: Clock
  /** Default: the system's. */
  readonly random?: Random
}

/** Makes the minter of access tokens. */
export function createMint({
  issuer,
  sign,
  policy,
  uriOf,
  typOf,
  algorithmOf,
  claimsFor,
  clock,
  random = systemRandom,
}: Omit<IssueDependencies, 'refreshTokens' | 'isDeclared'>): MintAccessToken {
  return async function mintAccessToken(issue) {
    const iat = Math.floor(clock() / 1000)
    const algorithm = algorithmFor(issue.audience, algorithmOf)
    const ttl = accessTtl(issue.client, policy())
    const claims = claimsOf(issue, {
      iss: issuer,
      iat,
      exp: expiry(iat, ttl, issue.session?.family),
      jti: random.uuid(),
      uriOf: list => uriOf(list, algorithm),
      mapped: mapClaims(issue.audience.map(claimsFor), {
        user: issue.session?.user,
        scope: issue.scope,
      }),
    })
    const typ = issue.audience.some(audience => typOf(audience) === 'JWT')
      ? 'JWT'
      : 'at+jwt'
    return { token: await sign(claims, typ, algorithm), claims }
  }
}

/** Makes the minter of a session's tokens. */
export function createIssue({
  refreshTokens,
  ...dependencies
}: IssueDependencies): IssueTokens {
  const mint = createMint(dependencies)
  return async issue => {
    const { token, claims } = await mint({ ...issue, session: issue })
    return {
      access_token: token,
      token_type: issue.jkt === undefined ? 'Bearer' : 'DPoP',
      expires_in: claims.exp - claims.iat,
      ...(mayRefresh(issue.client) && {
        refresh_token: refreshTokens.encode({ ...issue, userTag: issue.family.userTag }),
      }),
      ...(issue.scope.includes(OPENID) && {
        id_token: await signIdToken(issue, { token, claims }, dependencies),
      }),
      ...(claims.scope !== undefined && { scope: claims.scope }),
    }
  }
}

// `JWT` and not a type of its own: no client of OpenID Connect takes another.
async function signIdToken(
  { client, user, scope }: Issue,
  access: MintedToken,
  { sign, isDeclared }: Pick<IssueDependencies, 'sign' | 'isDeclared'>,
): Promise<string> {
  return sign(
    algorithm => idTokenClaims({ user, scope, isDeclared, access }, algorithm),
    'JWT',
    client.idTokenAlgorithm,
  )
}

/** The algorithm that one of the audiences needs; undefined: they take any. */
export function algorithmFor(
  audiences: readonly string[],
  algorithmOf: IssueDependencies['algorithmOf'],
): string | undefined {
  return audiences.map(algorithmOf).find(name => name !== undefined)
}

/** How long the client's access tokens live at the most; milliseconds. */
export function accessTtl(
  client: Client,
  policy: Pick<TokenPolicy, 'accessTtl'>,
): number {
  return client.accessTtl ?? policy.accessTtl
}

/** Whether the client is given refresh tokens. */
export function mayRefresh(client: Client): boolean {
  return client.grants.includes('refresh_token')
}

/**
 * Why a family is too near its end for another access token, which would live for less than a second;
 * undefined while it isn't. `now` in milliseconds.
 */
export function whyTooLate(
  family: Pick<Family, 'idleUntil' | 'endsAt'>,
  now: number,
): 'family_idle' | 'family_expired' | undefined {
  if (lastExpiry(family) * 1000 - now >= 1000) return undefined
  return family.idleUntil < family.endsAt ? 'family_idle' : 'family_expired'
}

// No access token outlives its family, so a family that is gone speaks for its tokens.
function expiry(iat: number, ttlMs: number, family: Family | undefined): number {
  const exp = iat + Math.floor(ttlMs / 1000)
  return family === undefined ? exp : Math.min(exp, lastExpiry(family))
}

function lastExpiry({ idleUntil, endsAt }: Pick<Family, 'idleUntil' | 'endsAt'>): number {
  return Math.floor(Math.min(idleUntil, endsAt) / 1000)
}

// RFC 9068 §2.2.
function claimsOf(
  issue: AccessTokenIssue,
  {
    iss,
    iat,
    exp,
    jti,
    uriOf,
    mapped,
  }: {
    iss: string
    iat: number
    exp: number
    jti: string
    uriOf: (list: string) => string
    /** What the configuration adds; none has the name of one of ours. */
    mapped: Claims
  },
): AccessTokenClaims {
  const { client, session, scope, audience, jkt, status } = issue
  const [first, ...others] = audience
  return {
    ...mapped,
    iss,
    sub: session === undefined ? client.id : session.user.sub,
    aud: others.length === 0 && first !== undefined ? first : [...audience],
    client_id: client.id,
    iat,
    exp,
    jti,
    ...(session !== undefined && claimsOfSession(session)),
    ...(scope.length > 0 && { scope: formatScope(scope) }),
    ...(jkt !== undefined && { cnf: { jkt } }),
    ...(status !== undefined && {
      status: { status_list: { idx: status.idx, uri: uriOf(status.list) } },
    }),
  }
}

function claimsOfSession({ family }: Pick<Issue, 'family'>) {
  return {
    sid: family.sid,
    auth_time: Math.floor(family.startedAt / 1000),
  }
}
