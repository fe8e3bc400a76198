// Node's verifiers of access tokens, none of them ours, against the real process on both stores; two of them
// inside small resource servers.
import jwt from '@fastify/jwt'
import express from 'express'
import { auth } from 'express-oauth2-jwt-bearer'
import fastify, { type FastifyRequest } from 'fastify'
import buildGetJwks from 'get-jwks'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { once } from 'node:events'
import * as oauth from 'oauth4webapi'
import t, { type Test } from 'tap'
import { proves } from '../support/interop.ts'
import { startIssuer, tokensFor } from '../support/resource-server.ts'
import { ORDERS, STORES } from '../support/server.ts'

/** What a resource server answers. */
interface Answer {
  readonly status: number
  readonly challenge: string | null
  readonly body: any
}

type Call = (token?: string) => Promise<Answer>

/** As the READMEs of @fastify/jwt and get-jwks show it, with what RFC 9068 §4 asks for. */
async function fastifyServer(
  t: Test,
  issuer: string,
  providerDiscovery: boolean,
): Promise<Call> {
  const app = fastify()
  t.teardown(() => app.close())
  const getJwks = buildGetJwks({ issuersWhitelist: [issuer], providerDiscovery })
  await app.register(jwt, {
    decode: { complete: true },
    secret: async (
      _request: FastifyRequest,
      { header: { kid, alg }, payload: { iss } }: any,
    ) => getJwks.getPublicKey({ kid, alg, domain: iss }),
    verify: {
      algorithms: ['ES256'],
      allowedIss: issuer,
      allowedAud: ORDERS,
      checkTyp: 'at+jwt',
      requiredClaims: ['iss', 'aud', 'exp', 'sub'],
    },
  })
  // Both libraries leave some of their verdicts to become a 500; a fetch that failed stays one: it says
  // nothing about the token.
  app.setErrorHandler((error: { code?: string; message: string }, _request, reply) => {
    const { code = '' } = error
    if (!/^FA?ST_JWT_|^JWK_NOT_FOUND$|^DOMAIN_NOT_ALLOWED$/.test(code)) throw error
    reply
      .code(401)
      .header(
        'www-authenticate',
        code === 'FST_JWT_NO_AUTHORIZATION_IN_HEADER'
          ? 'Bearer'
          : 'Bearer error="invalid_token"',
      )
      .send({ code })
  })
  app.get(
    '/orders',
    { onRequest: request => request.jwtVerify() },
    async request => request.user,
  )
  return callAt(await app.listen({ port: 0, host: '127.0.0.1' }))
}

/** As the README of express-oauth2-jwt-bearer shows it; `strict` is its RFC 9068 mode. */
async function expressServer(t: Test, issuer: string): Promise<Call> {
  const app = express()
  app.use(
    auth({
      issuerBaseURL: issuer,
      audience: ORDERS,
      tokenSigningAlg: 'ES256',
      strict: true,
      clockTolerance: 0,
    }),
  )
  app.get('/orders', (request, response) => {
    response.json(request.auth?.payload)
  })
  app.use(((error, _request, response, _next) => {
    response
      .set(error.headers)
      .status(error.status ?? 500)
      .json({ code: error.code })
  }) satisfies express.ErrorRequestHandler)
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
  })
  const address = server.address()
  return callAt(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`)
}

function callAt(url: string): Call {
  return async token => {
    const answer = await fetch(
      `${url}/orders`,
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    )
    return {
      status: answer.status,
      challenge: answer.headers.get('www-authenticate'),
      body: await answer.json(),
    }
  }
}

for (const { name, make } of STORES) {
  t.test(`on ${name}`, async t => {
    const { latchkey, storeUrl } = await startIssuer(t, { make })
    const issuer = latchkey.url
    const { good, control, bad } = await tokensFor(latchkey, storeUrl)
    const claims = decodeJwt(good)

    t.test('jose by remote JWKS', async t => {
      proves(t, 'jose', 'verify')
      const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`))
      const verify = (token: string) =>
        jwtVerify(token, keys, {
          issuer,
          audience: ORDERS,
          typ: 'at+jwt',
          requiredClaims: ['exp', 'sub'],
        })
      const { payload, protectedHeader } = await verify(good)
      t.strictSame(payload, claims)
      t.match(protectedHeader, { alg: 'ES256', typ: 'at+jwt', kid: /^[\w-]{43}$/ })
      t.strictSame(
        (await verify(control)).payload,
        claims,
        'signed as the forgeries are: those are refused for what they say',
      )
      const codes: Record<string, string> = {
        'meant for another audience': 'ERR_JWT_CLAIM_VALIDATION_FAILED',
        'a refresh token': 'ERR_JWS_INVALID',
        expired: 'ERR_JWT_EXPIRED',
        'without an expiry': 'ERR_JWT_CLAIM_VALIDATION_FAILED',
        'of another issuer': 'ERR_JWT_CLAIM_VALIDATION_FAILED',
        'of another type': 'ERR_JWT_CLAIM_VALIDATION_FAILED',
        'with a key nobody published': 'ERR_JWKS_NO_MATCHING_KEY',
        'tampered: other claims': 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
        'tampered: other signature': 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
        'HS256 keyed with the public key': 'ERR_JOSE_NOT_SUPPORTED',
      }
      for (const [name, token] of Object.entries(bad)) {
        t.match(
          await verify(token).then(
            () => 'taken',
            ({ code }) => code,
          ),
          codes[name] ?? /^ERR_/,
          name,
        )
      }
    })

    t.test('oauth4webapi by RFC 9068', async t => {
      proves(t, 'oauth4webapi', 'verify')
      const insecure = { [oauth.allowInsecureRequests]: true }
      const as = await oauth.processDiscoveryResponse(
        new URL(issuer),
        await oauth.discoveryRequest(new URL(issuer), {
          algorithm: 'oauth2',
          ...insecure,
        }),
      )
      const verify = (token: string) =>
        oauth.validateJwtAccessToken(
          as,
          new Request(ORDERS, { headers: { authorization: `Bearer ${token}` } }),
          ORDERS,
          insecure,
        )
      t.strictSame(await verify(good), claims)
      t.strictSame(await verify(control), claims)
      for (const [name, token] of Object.entries(bad)) {
        t.match(
          await verify(token).then(
            () => 'taken',
            ({ code }) => code,
          ),
          /^OAUTH_/,
          name,
        )
      }
      await t.rejects(
        oauth.validateJwtAccessToken(as, new Request(ORDERS), ORDERS, insecure),
        /Authorization/,
      )
    })

    const ofFastify = {
      none: 'FST_JWT_NO_AUTHORIZATION_IN_HEADER',
      expired: 'FST_JWT_AUTHORIZATION_TOKEN_EXPIRED',
      tampered: 'FST_JWT_AUTHORIZATION_TOKEN_INVALID',
    }
    for (const [how, start, codes] of [
      [
        '@fastify/jwt with get-jwks, the keys at their usual place',
        () => fastifyServer(t, issuer, false),
        ofFastify,
      ],
      [
        '@fastify/jwt with get-jwks, the keys by discovery',
        () => fastifyServer(t, issuer, true),
        ofFastify,
      ],
      [
        'express-oauth2-jwt-bearer',
        () => expressServer(t, issuer),
        { none: undefined, expired: 'invalid_token', tampered: 'invalid_token' },
      ],
    ] as const) {
      t.test(how, async t => {
        proves(t, String(how.split(',')[0]), 'verify')
        const call = await start()
        t.match(await call(good), { status: 200, body: claims })
        t.match(await call(control), { status: 200, body: claims })
        t.match(
          await call(),
          { status: 401, challenge: /^Bearer(?!.*error)/, body: { code: codes.none } },
          'no token',
        )
        t.match(await call(bad['expired']), {
          status: 401,
          body: { code: codes.expired },
        })
        t.match(await call(bad['tampered: other claims']), {
          status: 401,
          body: { code: codes.tampered },
        })
        for (const [name, token] of Object.entries(bad)) {
          t.match(
            await call(token),
            { status: 401, challenge: /^Bearer.*error="invalid_token"/ },
            name,
          )
        }
        t.match(
          await call(good),
          { status: 200, body: claims },
          'and still takes a good one',
        )
      })
    }
  })
}
