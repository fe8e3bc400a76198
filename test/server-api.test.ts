// The API of the management listener, and directories elsewhere, in a whole server: they go by the
// configuration.
import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { startInProcess, configOf } from './support/in-process.ts'
import {
  addUser,
  PASSWORD,
  postForm,
  sha256Line,
  STORES,
  USER,
} from './support/server.ts'
import { until } from './support/until.ts'
import { appDirectory, startUserApp } from './support/user-app.ts'

type Make = (typeof STORES)[number]['make']

const TOKEN = `lks_${'a'.repeat(43)}`
const ISSUER = 'http://127.0.0.1'
const MANAGEMENT = 'http://management.example.com'

const { publicKey, privateKey } = await generateKeyPair('ES256')
const jwk = await exportJWK(publicKey)

/** A proof (RFC 9449 §4.2); with `token`, one for a resource. */
const proof = (method: string, url: string, token?: string) =>
  new SignJWT({
    jti: randomUUID(),
    htm: method,
    htu: url,
    ...(token !== undefined && {
      ath: createHash('sha256').update(token).digest('base64url'),
    }),
  })
    .setIssuedAt()
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
    .sign(privateKey)

for (const { name, make } of STORES) {
  t.test(`on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    await addUser(store.url)
    const server = await startInProcess(t, {
      config: configOf(store.url, {
        management: { host: '127.0.0.1', port: 0, url: MANAGEMENT },
        scim: {
          tokens: [{ name: 'okta', hashes: [sha256Line(TOKEN)] }],
          perClient: { max: 3, window: '1h' },
        },
        dpop: { nonce: false },
        admin: { roles: { buyer: ['admin.read'] } },
        clients: [{ id: 'ops', grants: ['password'], scopes: ['admin.read'] }],
      }),
    })
    const ask = (path: string, headers: Record<string, string>, body?: object) =>
      fetch(`${server.managementUrl}${path}`, {
        headers: { 'content-type': 'application/scim+json', ...headers },
        ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      })

    await t.test('a static token adds a user, who logs in', async t => {
      const bearer = { authorization: `Bearer ${TOKEN}` }
      const schemas = ['urn:ietf:params:scim:schemas:core:2.0:User']
      const user = { schemas, userName: 'bob', password: PASSWORD }
      const added = await ask('/scim/v2/Users', bearer, user)
      t.equal(added.status, 201, await added.text())
      const login = await postForm(`${server.url}/token`, {
        grant_type: 'password',
        client_id: 'ops',
        username: 'bob',
        password: PASSWORD,
      })
      t.equal(login.status, 200)
      t.equal((await ask('/scim/v2/Users', bearer)).status, 200)
      t.equal((await ask('/scim/v2/Users', bearer)).status, 200)
      t.equal((await ask('/scim/v2/Users', bearer)).status, 429, 'as scim.perClient says')
    })

    await t.test('an operator reads by the role of the configuration', async t => {
      const login = await fetch(`${server.url}/token`, {
        method: 'POST',
        headers: { dpop: await proof('POST', `${ISSUER}/token`) },
        body: new URLSearchParams({
          grant_type: 'password',
          client_id: 'ops',
          username: USER,
          password: PASSWORD,
        }),
      })
      const token = String(Object(await login.json()).access_token)
      const path = '/admin/v1/keys'
      const held = async (url: string) => ({
        authorization: `DPoP ${token}`,
        dpop: await proof('GET', `${url}${path}`, token),
      })
      const answer = await ask(path, await held(MANAGEMENT))
      t.equal(answer.status, 200, await answer.text())
      t.equal((await ask(path, await held(ISSUER))).status, 401, 'a proof for elsewhere')
    })

    await t.test('a token of nobody is refused', async t => {
      const wrong = { authorization: `Bearer lks_${'x'.repeat(43)}` }
      t.equal((await ask('/scim/v2/Users', wrong)).status, 401)
    })
  })
}

for (const { name, make } of STORES) {
  t.test(`a directory elsewhere, in a whole server, on ${name}`, t =>
    testElsewhere(t, make),
  )
}

async function testElsewhere(t: Test, make: Make): Promise<void> {
  const store = await make()
  t.teardown(() => store.remove())
  const user = await startUserApp([{ id: 7, name: 'zoe', password: PASSWORD }])
  t.teardown(() => user.stop())
  const { scopes: _, ...directory } = appDirectory(user)
  const config = configOf(store.url, {
    directories: [{ ...directory, timeout: '10s' }],
    directory: { grace: '1h', recheck: '1m' },
  })
  let server = await startInProcess(t, { config })
  const ask = (params: Record<string, string>) =>
    postForm(`${server.url}/token`, { client_id: 'mobile', ...params })
  const refresh = (token: string) =>
    ask({ grant_type: 'refresh_token', refresh_token: token })
  const login = await ask({
    grant_type: 'password',
    username: 'zoe',
    password: PASSWORD,
  })
  t.equal(login.status, 200, JSON.stringify(login.body))
  t.same(user.last, { name: 'zoe', password: PASSWORD })
  const { promise: hold, resolve: letGo } = Promise.withResolvers<void>()
  user.hold = hold
  const refreshed = await refresh(login.body.refresh_token)
  t.equal(refreshed.status, 200)
  await until(() => user.asked === 2)
  t.same(user.last, { id: '7' }, 'who refreshes is looked up beside it')

  // The server ends while the app still thinks; what it says then is done before the store is let go.
  user.users.pop()
  const closed = server.close()
  await wait(300)
  letGo()
  await closed
  server = await startInProcess(t, { config })
  const after = await refresh(refreshed.body.refresh_token)
  t.equal(after.status, 400, 'the session of who is gone has ended')
}
