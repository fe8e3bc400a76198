// node-oauth2-server on Express, by the adapter that its guide recommends. The model does what that of its
// guide does, on Redis: a refresh looks its token and the user up, deletes that token, saves a new one and
// the access token. The access token is a JWT; who signs it is the model's choice.
import { randomUUID } from 'node:crypto'
import OAuthServer from '@node-oauth/express-oauth-server'
import express from 'express'
import { createSigner } from 'fast-jwt'
import jsonwebtoken from 'jsonwebtoken'
import {
  ACCESS_SECONDS,
  audience,
  client,
  issuer,
  kid,
  options,
  port,
  privateKey,
  redis,
  REFRESH_SECONDS,
  scope,
  userById,
  userByPassword,
} from './common.js'

const SCOPE = scope.split(' ')

const SIGNERS = {
  'fast-jwt': () =>
    createSigner({
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      algorithm: 'ES256',
      kid,
      expiresIn: ACCESS_SECONDS * 1000,
    }),
  jsonwebtoken: () => claims =>
    jsonwebtoken.sign(claims, privateKey, {
      algorithm: 'ES256',
      keyid: kid,
      expiresIn: ACCESS_SECONDS,
    }),
}
const sign = SIGNERS[options.signer]()

const accessKey = token => `access:${token}`
const refreshKey = token => `refresh:${token}`

const model = {
  async getClient(id) {
    return id === client ? { id, grants: ['password', 'refresh_token'] } : undefined
  },

  getUser: userByPassword,

  async validateScope() {
    return SCOPE
  },

  async generateAccessToken({ id: clientId }, { id: sub }, granted) {
    return sign({
      iss: issuer,
      sub,
      aud: audience,
      client_id: clientId,
      jti: randomUUID(),
      scope: granted.join(' '),
    })
  },

  async saveToken(token, { id: clientId }, user) {
    const { accessToken, refreshToken, refreshTokenExpiresAt } = token
    const record = JSON.stringify({
      clientId,
      userId: user.id,
      scope: token.scope,
      expiresAt: refreshTokenExpiresAt.getTime(),
    })
    await Promise.all([
      redis.set(accessKey(accessToken), record, 'EX', ACCESS_SECONDS),
      redis.set(refreshKey(refreshToken), record, 'EX', REFRESH_SECONDS),
    ])
    return { ...token, client: { id: clientId }, user }
  },

  async getRefreshToken(refreshToken) {
    const text = await redis.get(refreshKey(refreshToken))
    if (text === null) return undefined
    const record = JSON.parse(text)
    return {
      refreshToken,
      refreshTokenExpiresAt: new Date(record.expiresAt),
      scope: record.scope,
      client: { id: record.clientId },
      user: await userById(record.userId),
    }
  },

  // Of two requests with one token, one has deleted it.
  async revokeToken({ refreshToken }) {
    return (await redis.del(refreshKey(refreshToken))) === 1
  },
}

const app = express()
const oauth = new OAuthServer({
  model,
  accessTokenLifetime: ACCESS_SECONDS,
  refreshTokenLifetime: REFRESH_SECONDS,
  // The client is public, as ours is.
  requireClientAuthentication: { password: false, refresh_token: false },
})
app.use(express.urlencoded({ extended: false }))
app.post('/token', oauth.token())
app.listen(port, '127.0.0.1')
