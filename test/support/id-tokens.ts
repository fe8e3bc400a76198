// ID tokens for the clients and verifiers of OpenID Connect: what Latchkey hands out, and what none may take.
import { decodeJwt } from 'jose'
import { forge, signingKeyOf } from './forge.ts'
import { forgeries, login, SECRET } from './resource-server.ts'
import { CLIENTS, type LatchkeyProcess } from './server.ts'

const SCOPES = ['openid', 'profile', 'orders:read']

/** The client whose ID tokens they are. */
export const PORTAL = 'portal'

/** The clients of a server, with two that log in with openid. */
export const OPENID_CLIENTS = [
  ...CLIENTS,
  { ...CLIENTS[0], id: PORTAL, scopes: SCOPES },
  { ...CLIENTS[0], id: 'other-portal', scopes: SCOPES },
]

/** ID tokens of every kind for PORTAL, at a server that startIssuer started with OPENID_CLIENTS. */
export async function idTokensFor(latchkey: LatchkeyProcess, storeUrl: string) {
  const { id_token: good, access_token: access } = await login(latchkey, {
    client_id: PORTAL,
  })
  const { id_token: foreign } = await login(latchkey, { client_id: 'other-portal' })
  const key = await signingKeyOf(storeUrl, SECRET)
  const bad: Record<string, string> = {
    'meant for another client': foreign,
    'an access token': access,
    ...(await forgeries(latchkey, key, good)),
  }
  return { good, access, control: await forge(key, decodeJwt(good), { typ: 'JWT' }), bad }
}
