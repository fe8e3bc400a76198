// An Express resource server. Latchkey knows the users and hands out the tokens; this app only checks them.
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import { createIsRevoked, LEEWAY_SECONDS, type Bearer } from './status-list.ts'

const {
  LATCHKEY_ISSUER: issuer = 'http://127.0.0.1:3000',
  AUDIENCE: audience = 'http://127.0.0.1:8000',
  PORT: port = '8000',
} = process.env

// Kept for five minutes; Latchkey publishes a key a week before it signs with it.
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), {
  cacheMaxAge: 300_000,
})
const checks = {
  issuer,
  audience,
  typ: 'at+jwt',
  algorithms: ['ES256'],
  clockTolerance: LEEWAY_SECONDS,
  requiredClaims: ['sub', 'exp', 'iat'],
}
const isRevoked = createIsRevoked(issuer, keys)

/** Lets a request pass whose bearer has the scope; every refusal is one of RFC 6750 section 3. */
function needs(scope: string): RequestHandler {
  return async (request, response, next) => {
    const refuse = (status: number, error: string, challenge: string) => {
      response.status(status).set('WWW-Authenticate', challenge).json({ error })
    }
    const token = /^Bearer +(\S+)$/i.exec(request.get('Authorization') ?? '')?.[1]
    if (token === undefined) return refuse(401, 'unauthorized', `Bearer scope="${scope}"`)
    const bearer = await verify(token)
    if (bearer === undefined || (await isRevoked(bearer))) {
      return refuse(
        401,
        'invalid_token',
        'Bearer error="invalid_token", error_description="The access token is not valid here"',
      )
    }
    if (!bearer.scope?.split(' ').includes(scope)) {
      return refuse(
        403,
        'insufficient_scope',
        `Bearer error="insufficient_scope", scope="${scope}"`,
      )
    }
    response.locals['bearer'] = bearer
    next()
  }
}

/**
 * The claims of a token that Latchkey made for us (RFC 9068 section 4); undefined for any other. Throws when
 * the keys can't be fetched.
 */
async function verify(token: string): Promise<Bearer | undefined> {
  try {
    return (await jwtVerify<Bearer>(token, keys, checks)).payload
  } catch (error) {
    if (
      error instanceof errors.JOSEError &&
      !['ERR_JOSE_GENERIC', 'ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID'].includes(error.code)
    ) {
      return undefined
    }
    throw error
  }
}

const app = express()
app.disable('x-powered-by')

app.get('/orders', needs('orders:read'), (_request, response) => {
  response.json([{ id: 1, item: `a lamp for ${response.locals['bearer'].sub}` }])
})

app.post('/orders', needs('orders:write'), express.json(), (request, response) => {
  response.status(201).json(request.body)
})

// What is left is a body that can't be read, or a fault: that keys or lists can't be had says nothing about
// the token.
app.use(((error, _request, response, _next) => {
  if (error.expose === true) {
    response.status(error.status).json({ error: 'invalid_request' })
  } else {
    response
      .status(503)
      .set('Retry-After', '5')
      .json({ error: 'temporarily_unavailable' })
  }
}) satisfies ErrorRequestHandler)

app.listen(Number(port), '127.0.0.1')
