// What the clients of a golden dump's scene ask a release for.
import { calculateJwkThumbprint, importJWK, SignJWT } from 'jose'
import type { Release } from '../../test/support/release.ts'

export const PASSWORD = 'correct horse battery staple'

export interface SceneOptions {
  readonly release: Release
  /** Where the release's files are. */
  readonly folder: string
  readonly issuer: string
  /** JWK, the private half included. */
  readonly proofKey: Record<string, string>
}

/** What a token endpoint answers. */
export interface Pair {
  readonly access_token: string
  readonly refresh_token: string
}

export type Clients = ReturnType<typeof clientsOf>

/** What a user does with apps: they log in, exchange a refresh token and revoke one. */
export function clientsOf({ release, issuer, proofKey }: SceneOptions) {
  const web = { client_id: 'web', client_secret: 'web-secret' }
  const ask = async (form: Record<string, string>, isBound = false): Promise<Pair> => {
    const proof = isBound ? { dpop: await proofOf(proofKey, `${issuer}/token`) } : {}
    const { status, body } = await release.post('/token', form, proof)
    const { access_token: accessToken, refresh_token: refreshToken } = body
    if (accessToken === undefined || refreshToken === undefined) {
      throw new Error(`${status} ${JSON.stringify(body)}`)
    }
    return { access_token: accessToken, refresh_token: refreshToken }
  }
  return {
    web,
    login: (username: string, more: Record<string, string> = {}, isBound = false) =>
      ask(
        {
          grant_type: 'password',
          client_id: 'mobile',
          username,
          password: PASSWORD,
          ...more,
        },
        isBound,
      ),
    refresh: (token: string) =>
      ask({ grant_type: 'refresh_token', client_id: 'mobile', refresh_token: token }),
    async revoke(token: string) {
      const { status } = await release.post('/revoke', { token, client_id: 'mobile' })
      if (status !== 200) throw new Error(`revoke: ${status}`)
    },
  }
}

async function proofOf(jwk: Record<string, string>, htu: string): Promise<string> {
  const { d, ...shown } = jwk
  const jti = `${await calculateJwkThumbprint(shown)}${Date.now()}`
  return new SignJWT({ jti, htm: 'POST', htu })
    .setIssuedAt()
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: shown })
    .sign(await importJWK(jwk, 'ES256'))
}
