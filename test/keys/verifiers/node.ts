// Node's verifiers in this process, each with the cache of keys that it has by default.
import { createPublicKey } from 'node:crypto'
import jwt from '@fastify/jwt'
import fastify, { type FastifyRequest } from 'fastify'
import buildGetJwks from 'get-jwks'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  jwtVerify,
  type JWTVerifyGetKey,
} from 'jose'
import JwksRsa from 'jwks-rsa'

/** Someone who checks tokens. */
export interface Verifier {
  readonly name: string
  /** `good`, or why it refuses the token. */
  verdict(token: string): Promise<string>
  stop(): Promise<void>
}

/** Whose tokens a verifier takes. */
export interface Expected {
  readonly issuer: string
  readonly audience: string
}

type GetJwks = ReturnType<typeof buildGetJwks>

const FIXED_MS = 20 * 60_000

const jwksUri = ({ issuer }: Expected) => `${issuer}/.well-known/jwks.json`

function byJose(name: string, expected: Expected, key: JWTVerifyGetKey): Verifier {
  const verify = (token: string) =>
    jwtVerify(token, key, { ...expected, typ: 'at+jwt', algorithms: ['ES256'] })
  return {
    name,
    verdict: token => verify(token).then(() => 'good', String),
    stop: async () => {},
  }
}

function jose(expected: Expected): Verifier {
  return byJose('jose', expected, createRemoteJWKSet(new URL(jwksUri(expected))))
}

function jwksRsa(expected: Expected): Verifier {
  const client = JwksRsa({ jwksUri: jwksUri(expected) })
  return byJose('jwks-rsa', expected, async ({ kid }) =>
    createPublicKey((await client.getSigningKey(kid)).getPublicKey()),
  )
}

/** As Istio does: keeps all keys for 20 minutes and never asks in between. */
function fixed(expected: Expected): Verifier {
  let [keys, until]: [JWTVerifyGetKey | undefined, number] = [undefined, 0]
  return byJose('a fixed cache of 20 minutes', expected, async (header, token) => {
    if (keys === undefined || Date.now() >= until) {
      const answer: any = await (await fetch(jwksUri(expected))).json()
      keys = createLocalJWKSet(answer)
      until = Date.now() + FIXED_MS
    }
    return keys(header, token)
  })
}

// It falls back to a key that it had when it doesn't find it any more, and keeps it for another minute;
// unless it is made to forget.
async function getJwks(
  name: string,
  { issuer, audience }: Expected,
  beforeEach: (keys: GetJwks) => void,
): Promise<Verifier> {
  const app = fastify()
  const getJwks = buildGetJwks({ issuersWhitelist: [issuer] })
  await app.register(jwt, {
    decode: { complete: true },
    secret: async (
      _request: FastifyRequest,
      { header: { kid, alg }, payload: { iss } }: any,
    ) => {
      beforeEach(getJwks)
      return getJwks.getPublicKey({ kid, alg, domain: iss })
    },
    verify: {
      algorithms: ['ES256'],
      allowedIss: issuer,
      allowedAud: audience,
      checkTyp: 'at+jwt',
      requiredClaims: ['iss', 'aud', 'exp', 'sub'],
    },
  })
  app.get('/', { onRequest: request => request.jwtVerify() }, async () => 'good')
  return {
    name,
    verdict: async token =>
      (await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } }))
        .body,
    stop: () => app.close(),
  }
}

/** All of them; nothing is fetched before the first token. */
export async function nodeVerifiers(expected: Expected): Promise<Verifier[]> {
  const forgetful = await getJwks('get-jwks that forgets', expected, ({ staleCache }) => {
    Object(staleCache).clear()
  })
  return [
    jose(expected),
    await getJwks('get-jwks', expected, () => {}),
    forgetful,
    jwksRsa(expected),
    fixed(expected),
  ]
}
