// python-keycloak, unmodified but for the base URL: password grant, userinfo, introspection, refresh, logout.
import t from 'tap'
import { proves } from '../support/interop.ts'
import { python, runPython } from '../support/python.ts'
import {
  CLIENTS,
  login,
  PASSWORD,
  sha256Line,
  startLatchkey,
  STORES,
  USER,
} from '../support/server.ts'
import { decodeJwt } from 'jose'

const interpreter = await python()
const CLIENT_SECRET = 'Vx3-0hZ2kq_7bJr9'.repeat(3).slice(0, 43)

for (const store of STORES) {
  t.test(`python-keycloak on ${store.name}`, async t => {
    proves(t, 'python-keycloak', 'login', 'refresh', 'introspect')
    const { url: storeUrl, remove } = await store.make()
    t.teardown(() => remove())
    const keycloak = {
      ...CLIENTS[0],
      id: 'keycloak-app',
      secrets: [sha256Line(CLIENT_SECRET)],
      scopes: ['openid', 'profile', 'email'],
    }
    const latchkey = await startLatchkey({
      storeUrl,
      config: { compat: { keycloak: 'main' }, clients: [...CLIENTS, keycloak] },
    })
    t.teardown(() => latchkey.stop())
    const { access_token: token } = await login(latchkey)
    const env = {
      BASE_URL: latchkey.url,
      USERNAME: USER,
      PASSWORD,
      CLIENT_ID: keycloak.id,
      CLIENT_SECRET,
    }
    t.same(await runPython(interpreter, 'test/compat/python/keycloak_client.py', env), {
      issuer: latchkey.url,
      keys: true,
      id_token: true,
      sub: decodeJwt(token).sub,
      active: [true, true, false],
      rotated: true,
      refused: 400,
      wrong: 400,
    })
    await latchkey.logged(/"switch":"keycloak"/)
  })
}
