// What grants say of themselves, and who reads it: the endpoint, the configuration, the metadata, the
// metrics.
import t from 'tap'
import { Type } from 'typebox'
import { ConfigSchema } from '../../src/config/schema.ts'
import { createClientRegistry } from '../../src/clients/registry.ts'
import { GRANTS, REPEATABLE_PARAMETERS } from '../../src/grants/all.ts'
import { defineGrant } from '../../src/grants/descriptor.ts'
import type { Form } from '../../src/oauth/form.ts'
import { buildTestApp, client as settingsOf } from '../support/app.ts'

const types = GRANTS.map(({ type }) => type)

t.test('every grant is known wherever grants are listed', async t => {
  const { app, metrics, close } = await buildTestApp()
  t.teardown(close)
  const { anyOf } = ConfigSchema.properties.clients.items.properties.grants.items
  t.same(
    anyOf.map(literal => literal.const),
    types,
    'the configuration takes it',
  )
  const metadata = (await app.inject('/.well-known/openid-configuration')).json()
  t.same(metadata.grant_types_supported, types)
  const counts = await metrics.render()
  for (const { label } of GRANTS) {
    t.match(
      counts,
      `latchkey_grants_total{grant="${label}",outcome="issued",reason=""} 0`,
    )
  }
})

t.test(
  'each example holds the required parameters of its grant, and no other',
  async t => {
    for (const { type, parameters, example } of GRANTS) {
      const { grant_type: named, client_id: clientId, ...own } = example
      t.equal(named, type)
      t.type(clientId, 'string')
      for (const name of Object.keys(own)) t.ok(name in parameters, `${type}: ${name}`)
      for (const [name, schema] of Object.entries(parameters)) {
        t.ok(Type.IsOptional(schema) || name in own, `${type}: ${name}`)
      }
    }
  },
)

t.test('a parameter may repeat where its schema is an array', async t => {
  t.same(REPEATABLE_PARAMETERS, ['resource'])
})

t.test('a grant gets the parameters that its schema says', async t => {
  const taken: Form[] = []
  const [client] = createClientRegistry([settingsOf('mobile')]).all()
  if (client === undefined) throw new Error('no client')
  const grant = defineGrant({
    type: 'urn:example:grant',
    label: 'example',
    summary: 'An example.',
    parameters: {
      code: Type.String(),
      scope: Type.Optional(Type.String()),
      part: Type.Optional(Type.Array(Type.String())),
    },
    example: {},
    allows: () => true,
    create: () => async request => {
      taken.push(request.params)
      return { access_token: 'a', token_type: 'Bearer', expires_in: 1 }
    },
  }).create({})
  const run = (params: Form) =>
    grant({
      client,
      credential: () => undefined,
      params,
      refreshToken: undefined,
      jkt: undefined,
      address: '192.0.2.7',
      clientGone: () => new AbortController().signal,
      origin: { id: '1', headers: {} },
    })
  await run({ code: 'c', part: ['a', 'b'], other: 'o' })
  t.same(taken, [{ code: 'c', part: ['a', 'b'], other: 'o' }])
  const refused = { code: 'invalid_request', status: 400 }
  await t.rejects(run({ scope: 's' }), {
    ...refused,
    message: 'the parameter code is missing',
  })
  await t.rejects(run({ code: 'c', scope: ['a', 'b'] }), {
    ...refused,
    message: 'a parameter is repeated',
  })
  t.equal(taken.length, 1)
})
