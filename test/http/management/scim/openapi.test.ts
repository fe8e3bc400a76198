// The OpenAPI document of SCIM: it has every route and no other, what users have as configured now, and every
// schema that it names.
import t from 'tap'
import { SCIM_PATH } from '../../../../src/http/management/scim/scim-form.ts'
import { EXTENSION, scimOn } from '../../../support/scim.ts'
import { READS, WRITES } from './routes.ts'

/** The routes below SCIM's path in the tree that the framework prints. */
function routesIn(tree: string): readonly string[] {
  const lines = [...tree.matchAll(/^([│ ]*)[├└]── (\S+) \((.+)\)$/gmu)]
  let parent = ''
  return lines.flatMap(([, depth, part = '', methods = '']) => {
    if (depth === '') parent = part
    const path = depth === '' ? part : `${parent}${part}`
    if (!path.startsWith(SCIM_PATH)) return []
    const written = path.slice(SCIM_PATH.length).replace(':id', '{id}')
    const named = methods.split(', ').filter(method => method !== 'HEAD')
    return named.map(method => `${method} ${written}`)
  })
}

t.test('every route of SCIM is in its document, and no other', async t => {
  const { call, server } = await scimOn(t, 'SQLite')
  const answer = await call('GET', '/openapi.json', { as: 'reader' })
  t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
  const document = answer.json()
  t.equal(document.openapi, '3.1.0')
  const described = Object.entries<object>(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map(method => `${method.toUpperCase()} ${path}`),
  )
  const served = [...READS, ...WRITES]
    .map(([method, path]) => {
      const [, kind, id] = path.split('/')
      const isById = id !== undefined && id !== '.search'
      return `${method} ${isById ? `/${kind}/{id}` : path}`
    })
    .filter(route => !route.endsWith('openapi.json'))
  t.strictSame(described.toSorted(), served.toSorted())
  const registered = routesIn(server.management.printRoutes({ commonPrefix: false }))
  t.strictSame(
    registered.toSorted(),
    [...described, 'GET /openapi.json'].toSorted(),
    'the server has no route that neither list knows',
  )

  const ids = Object.values<Record<string, { operationId: string }>>(
    document.paths,
  ).flatMap(item => Object.values(item).map(({ operationId }) => operationId))
  t.equal(new Set(ids).size, ids.length, 'each operation has a name of its own')
  const schemas = Object.keys(document.components.schemas)
  const named = new Set(
    [...answer.body.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name),
  )
  t.strictSame([...named].toSorted(), schemas.toSorted())
})

t.test('users have what is configured', async t => {
  const { call, server } = await scimOn(t, 'SQLite')
  const userOf = async () =>
    (await call('GET', '/openapi.json')).json().components.schemas.User
  const user = await userOf()
  t.match(user, {
    required: ['schemas', 'userName'],
    properties: {
      id: { type: 'string', readOnly: true },
      password: { type: 'string', writeOnly: true },
      active: { type: 'boolean' },
      emails: { type: 'array', items: { type: 'object' } },
      meta: { properties: { created: { format: 'date-time' } } },
      [EXTENSION]: { properties: { seats: { type: 'integer' } } },
    },
  })
  server.live.attributes = {}
  const { properties } = await userOf()
  t.notOk('emails' in properties)
  t.notOk('seats' in properties[EXTENSION].properties)
})
