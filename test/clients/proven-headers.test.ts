// A Basic header that was right is remembered until the configuration is reloaded, a wrong one never. Whether
// it was remembered is seen by how often the client is looked up.
import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { createAssertions } from '../../src/clients/assertion.ts'
import {
  authenticateClient,
  type PresentedClient,
} from '../../src/clients/client-auth.ts'
import { createProvenHeaders } from '../../src/clients/proven-headers.ts'
import { createClientRegistry } from '../../src/clients/registry.ts'
import { basic, serverOn } from '../conformance/helpers.ts'
import { API_SECRET, client, CLIENTS } from '../support/app.ts'

const line = (secret: string) =>
  `sha256:${createHash('sha256').update(secret).digest('base64url')}`
const API = client('api', { secrets: [line('right')] })

function scene() {
  const registry = createClientRegistry([API, client('public')])
  let lookUps = 0
  const clients = {
    find(id: string) {
      lookUps += 1
      return registry.find(id)
    },
  }
  const options = {
    clients,
    assertions: createAssertions({
      issuer: 'https://id.example.com',
      endpoint: 'https://id.example.com/token',
      replays: { once: async () => true },
      clock: Date.now,
    }),
    provenHeaders: createProvenHeaders(registry),
  }
  const nothing: PresentedClient = {
    authorization: undefined,
    clientId: undefined,
    clientSecret: undefined,
    assertion: undefined,
    assertionType: undefined,
  }
  return {
    registry,
    lookUps: () => lookUps,
    ask: (presented: Partial<PresentedClient>) =>
      authenticateClient({ ...nothing, ...presented }, options),
  }
}

const header = (id: string, secret: string) => basic(id, secret).authorization

t.test('a right one is looked at once', async t => {
  const { ask, lookUps } = scene()
  const authorization = header('api', 'right')
  const first = await ask({ authorization })
  const second = await ask({ authorization })
  t.equal(lookUps(), 1)
  t.equal(second.client.id, 'api')
  t.equal(second.credential(), first.credential())
  t.ok(first.credential())
})

t.test('a wrong one is looked at each time, also beside a right one', async t => {
  const { ask, lookUps } = scene()
  await ask({ authorization: header('api', 'right') })
  for (let i = 0; i < 3; i++) {
    for (const wrong of [header('api', 'wrong'), header('api', 'right').slice(0, -2)]) {
      await t.rejects(ask({ authorization: wrong }), { code: 'invalid_client' })
    }
  }
  t.equal(lookUps(), 7)
})

t.test('what else the request presents still counts', async t => {
  const { ask } = scene()
  const authorization = header('api', 'right')
  await ask({ authorization })
  await refuses(t, 'client_two_methods', ask({ authorization, clientSecret: 'right' }))
  await refuses(t, 'client_two_methods', ask({ authorization, assertion: 'x' }))
  await refuses(t, 'client_two_ids', ask({ authorization, clientId: 'public' }))
  t.equal((await ask({ authorization, clientId: 'api' })).client.id, 'api')
})

async function refuses(t: Test, reason: string, asking: Promise<unknown>): Promise<void> {
  await t.rejects(asking, { code: 'invalid_request', reason })
}

t.test('only a secret in that header makes it known', async t => {
  const { ask, lookUps } = scene()
  const bearer = 'Bearer something'
  await ask({ authorization: bearer, clientId: 'api', clientSecret: 'right' })
  await t.rejects(ask({ authorization: bearer, clientId: 'api' }), {
    code: 'invalid_client',
  })
  await ask({ authorization: header('public', '') })
  await ask({ authorization: header('public', '') })
  t.equal(lookUps(), 4, 'a public client proves nothing')
})

t.test('a reload forgets them all', async t => {
  const { ask, registry } = scene()
  const authorization = header('api', 'right')
  await ask({ authorization })
  registry.replace([client('api', { secrets: [line('another')], scopes: ['z'] })])
  await t.rejects(ask({ authorization }), {
    code: 'invalid_client',
    reason: 'client_secret_wrong',
  })
  const other = header('api', 'another')
  t.same((await ask({ authorization: other })).client.scopes, ['z'])
  registry.replace([])
  await t.rejects(ask({ authorization: other }), {
    code: 'invalid_client',
    reason: 'client_unknown',
  })
})

t.test('a thousand are remembered', async t => {
  const { registry, ask } = scene()
  const { recall, remember } = createProvenHeaders(registry)
  const someone = await ask({ clientId: 'public' })
  for (let n = 0; n <= 1000; n++) remember(`header ${n}`, someone)
  t.equal(recall('header 0'), undefined)
  t.equal(recall('header 1'), someone)
  t.equal(recall('header 1000'), someone)
})

t.test(
  'a server whose clients are reloaded refuses the secret of before at once',
  async t => {
    const server = await serverOn(t, 'SQLite')
    const ask = async (secret: string) =>
      (await server.post('/introspect', { token: 'x' }, basic('orders-api', secret)))
        .statusCode
    t.same(
      [await ask(API_SECRET), await ask(API_SECRET), await ask('wrong')],
      [200, 200, 401],
    )
    server.clients.replace(
      CLIENTS.map(each =>
        each.id === 'orders-api' ? { ...each, secrets: [line('next')] } : each,
      ),
    )
    t.same([await ask(API_SECRET), await ask('next')], [401, 200])
  },
)
