// A machine's token from end to end: the real process, a resource server that verifies offline by JWKS and by
// status list, introspection, revocation, and a configuration that loses the machine's secret.
import { writeFile } from 'node:fs/promises'
import { inflateSync } from 'node:zlib'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import t from 'tap'
import {
  API_SECRET,
  ORDERS,
  postForm,
  sha256Line,
  startLatchkey,
  STORES,
} from '../support/server.ts'
import { until } from '../support/until.ts'

const [OLD, NEW] = ['the-old-secret-of-the-machine', 'the-new-secret-of-the-machine']
const api = { client_id: 'orders-api', client_secret: API_SECRET }
const clientsWith = (...secrets: string[]) => [
  {
    id: 'reports',
    secrets: secrets.map(sha256Line),
    grants: ['client_credentials'],
    scopes: ['orders:read'],
    audience: [ORDERS],
  },
  { id: 'orders-api', secrets: [sha256Line(API_SECRET)], audience: [ORDERS] },
]

/** A resource server: verifies a token by the published keys, and by its status list as it is now. */
function resourceServer(issuer: string) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`))
  return async function verify(token: string) {
    const { payload } = await jwtVerify<{
      status: { status_list: { idx: number; uri: string } }
    }>(token, keys, { issuer, audience: ORDERS, typ: 'at+jwt' })
    const { idx, uri } = payload.status.status_list
    const answer = await fetch(uri)
    const list = await jwtVerify<{ status_list: { lst: string } }>(
      await answer.text(),
      keys,
      { issuer, subject: uri, typ: 'statuslist+jwt' },
    )
    const bits = inflateSync(Buffer.from(list.payload.status_list.lst, 'base64url'))
    const isRevoked = (bits.readUInt8(idx >> 3) & (1 << (idx & 7))) !== 0
    return { claims: payload, isRevoked }
  }
}

for (const { name, make } of STORES) {
  t.test(`a machine gets a token, and its token ends, on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const server = await startLatchkey({
      storeUrl: store.url,
      config: { clients: clientsWith(OLD, NEW) },
      addUser: false,
    })
    t.teardown(() => server.stop())
    const verify = resourceServer(server.url)
    const machine = (secret: string) => ({ client_id: 'reports', client_secret: secret })
    const ask = (secret: string) =>
      postForm(`${server.url}/token`, {
        grant_type: 'client_credentials',
        ...machine(secret),
      })
    const tokenOf = async (secret: string): Promise<string> => {
      const answer = await ask(secret)
      t.equal(answer.status, 200)
      return answer.body.access_token
    }
    const isActive = async (token: string): Promise<boolean> => {
      const answer = await postForm(`${server.url}/introspect`, { token, ...api })
      return answer.body.active
    }
    const isRevoked = async (token: string) => (await verify(token)).isRevoked

    const [revoked, old, young] = [
      await tokenOf(OLD),
      await tokenOf(OLD),
      await tokenOf(NEW),
    ]
    t.match(await verify(revoked), {
      claims: { sub: 'reports', client_id: 'reports', scope: 'orders:read' },
      isRevoked: false,
    })
    t.equal(await isActive(revoked), true)

    const answer = await postForm(`${server.url}/revoke`, {
      token: revoked,
      ...machine(OLD),
    })
    t.equal(answer.status, 200)
    t.equal(await isActive(revoked), false)
    t.ok(await until(() => isRevoked(revoked)), 'by the list, too')
    t.same([await isRevoked(old), await isActive(old)], [false, true])

    const config = { ...server.config, clients: clientsWith(NEW) }
    await writeFile(server.configFile, JSON.stringify(config))
    server.signal('SIGHUP')
    await until(async () => (await ask(OLD)).status === 401)
    t.equal(await isActive(old), false, 'with its secret, at once')
    t.ok(await until(() => isRevoked(old)), 'and soon by the list')
    t.same([await isRevoked(young), await isActive(young)], [false, true])
    await server.logged(/"token\.issued".*"clientId":"reports"/)
  })
}
