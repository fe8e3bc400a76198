// ID tokens for the clients and verifiers of OpenID Connect: what Latchkey hands out, and what none may take.
import { decodeJwt } from 'jose'
import type { Test } from 'tap'
import { forge, signingKeyOf } from './forge.ts'
import { forgeries, login, SECRET, startIssuer } from './resource-server.ts'
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

const MAIL_CLIENT = {
  ...OPENID_CLIENTS[0],
  id: 'mail',
  audience: ['https://mail.example.com'],
}

/** Starts Latchkey for them; sections of the configuration may be added. */
export const startOpenIdIssuer = (t: Test, config: Record<string, unknown> = {}) =>
  startIssuer(t, { config: { clients: [...OPENID_CLIENTS, MAIL_CLIENT], ...config } })

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

/** Has a verifier judge ID tokens of every kind. */
export async function checkIdTokens(
  t: Test,
  {
    issuer: { latchkey, storeUrl },
    verdict,
    good = () => 'good',
    takes,
  }: {
    readonly issuer: Awaited<ReturnType<typeof startOpenIdIssuer>>
    readonly verdict: (token: string) => Promise<string>
    /** What it says of a good one. */
    readonly good?: (token: string) => string
    /** Which of the forged ones it may take, by name. */
    readonly takes: readonly string[]
  },
): Promise<void> {
  const tokens = await idTokensFor(latchkey, storeUrl)
  for (const token of [tokens.good, tokens.control]) {
    t.equal(await verdict(token), good(token))
  }
  for (const [name, token] of Object.entries(tokens.bad)) {
    if (takes.includes(name)) continue
    const said = await verdict(token)
    t.not(said, good(tokens.good), `${name}: ${said}`)
  }
  t.equal(await verdict(tokens.good), good(tokens.good), 'and still takes a good one')
}
