// The core's tokens: what is issued, read, and judged.
import type { Client, ClientRegistry } from '../clients/registry.ts'
import { createAssertions, type Assertions } from '../clients/assertion.ts'
import { createGrants } from '../grants/all.ts'
import { mayActAlone } from '../grants/client-credentials.ts'
import { createIssue, createMint } from '../grants/issue.ts'
import { createCheckToken, type CheckToken } from '../status-lists/check-token.ts'
import { createNonces, type Nonces } from '../tokens/dpop-nonce.ts'
import {
  createReadsRefreshToken,
  type ReadsRefreshToken,
} from '../tokens/read-refresh-token.ts'
import {
  createRefreshTokenCodec,
  type RefreshTokenCodec,
} from '../tokens/refresh-token.ts'
import { createJwtSigner, type SignJwt } from '../tokens/sign-jwt.ts'
import { createSignedHere, type SignedHere } from '../tokens/signed-here.ts'
import type { ComposeOptions } from './options.ts'
import type { People } from './people.ts'
import type { SelfService } from './self-service.ts'
import type { Signing } from './signing.ts'

/** What the core can do with tokens. */
export interface Tokens {
  readonly refreshTokens: RefreshTokenCodec
  readonly readRefreshToken: ReadsRefreshToken
  readonly sign: SignJwt
  /** What was signed in this process: its signatures need no check. */
  readonly signedHere: Pick<SignedHere, 'has'>
  /** The grants, by their grant_type. */
  readonly grants: ReturnType<typeof createGrants>
  /** Judges an access token that was verified. */
  readonly check: CheckToken
  /** Clients' assertions (RFC 7523). */
  readonly assertions: Assertions
  /** Of DPoP proofs (RFC 9449 §8). */
  readonly nonces: Nonces
}

/** What tokens are made with. */
type TokenParts = ComposeOptions &
  Signing &
  Pick<People, 'authenticate' | 'nameInLogs' | 'elsewhere'> &
  Pick<SelfService, 'deletions'> & {
    readonly clients: Pick<ClientRegistry, 'find'>
  }

/** Composes the tokens' side. */
export function composeTokens(parts: TokenParts): Tokens {
  const { settings, store, clock, status } = parts
  const { issuer, secrets } = settings
  const refreshTokens = createRefreshTokenCodec({ issuer, secrets })
  const readRefreshToken = createReadsRefreshToken(
    refreshTokens,
    parts.knownSecrets.isElsewhere,
  )
  const signedHere = createSignedHere()
  const sign = parts.instruments.aroundSign(
    createJwtSigner(parts.keys.signingKey, parts.sightings.signed, signedHere.add),
  )
  return {
    refreshTokens,
    readRefreshToken,
    sign,
    signedHere,
    grants: composeGrants({
      ...parts,
      refreshTokens,
      readRefreshToken,
      sign,
    }),
    check: createCheckToken({
      accessTokens: store.accessTokens,
      isRevoked: status.isRevoked,
      whyNotAlone: id => whyNotAlone(parts.clients.find(id)),
    }),
    assertions: createAssertions({
      issuer,
      endpoint: `${new URL(issuer).href.replace(/\/$/, '')}/token`,
      replays: store.replays,
      clock,
    }),
    nonces: createNonces({ secrets, clock }),
  }
}

// Said of the client of now: it may have gone, or lost the grant, since its token was issued.
function whyNotAlone(client: Client | undefined) {
  if (client === undefined) return 'client_unknown'
  return mayActAlone(client) ? undefined : 'grant_not_allowed'
}

function composeGrants({
  settings,
  store,
  clock,
  emit,
  status,
  random,
  ...parts
}: TokenParts & Pick<Tokens, 'refreshTokens' | 'readRefreshToken' | 'sign'>) {
  const { issuer, tokenPolicy, typOf, algorithmOf, claimsFor } = settings
  const minting = {
    issuer,
    sign: parts.sign,
    policy: tokenPolicy,
    uriOf: status.uriOf,
    typOf,
    algorithmOf,
    claimsFor,
    isDeclared: (attribute: string) => settings.attributes().has(attribute),
    clock,
    random,
  }
  return createGrants({
    issuer,
    authenticate: parts.authenticate,
    nameInLogs: parts.nameInLogs,
    families: store.families,
    subjects: store.subjects,
    readRefreshToken: parts.readRefreshToken,
    isOverdue: parts.elsewhere?.isOverdue,
    mint: createMint(minting),
    issue: createIssue({ ...minting, refreshTokens: parts.refreshTokens }),
    policy: tokenPolicy,
    takeStatus: status.take,
    keepAccount: parts.deletions.cancel,
    clock,
    emit,
    random,
  })
}
