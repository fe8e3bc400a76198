// What /docs gives to its page: the client, the scopes, forms that begin empty.
import t, { type Test } from 'tap'
import { sendFilledIn } from '../../src/http/public/openapi/docs.ts'
import {
  withComponents,
  withUsedTags,
} from '../../src/http/public/openapi/openapi-document.ts'
import { buildTestApp, client } from '../support/app.ts'

async function pageOf(t: Test, ids: readonly string[]) {
  const { app, close } = await buildTestApp({
    docs: true,
    clients: ids.map(id => client(id)),
  })
  t.teardown(close)
  const get = async (url: string) => (await app.inject(url)).body
  return {
    script: await get('/docs/static/swagger-initializer.js'),
    drawn: JSON.parse(await get('/docs/json')),
    again: JSON.parse(await get('/docs/json')),
    published: JSON.parse(await get('/openapi.json')),
  }
}

t.test('the client is filled in where there is just one to choose', async t => {
  t.match((await pageOf(t, ['mobile'])).script, '"clientId":"mobile"')
  t.match((await pageOf(t, ['mobile', 'tablet'])).script, '"clientId":""')
})

t.test(
  'the forms of the page begin empty, the published document is as it was',
  async t => {
    const { drawn, again, published } = await pageOf(t, ['mobile'])
    const fieldsOf = (document: any) =>
      document.components.schemas.TokenRequest.properties
    t.match(fieldsOf(drawn), { username: { example: '' }, resource: { example: [] } })
    const bodies = Object.keys(
      drawn.paths['/token'].post.requestBody.content['application/x-www-form-urlencoded'],
    )
    t.same(bodies, ['schema'], 'no example fills a field')
    t.same(again, drawn)
    t.notOk('example' in fieldsOf(published).username)
    t.same(Object.keys(published.components.securitySchemes.user.flows.password.scopes), [
      'orders:read',
      'orders:write',
      'profile',
    ])
  },
)

t.test('what people try on the page goes well as it is filled in', async t => {
  const fieldsOf = (document: any) => document.components.schemas.TokenRequest.properties
  const one = await pageOf(t, ['mobile'])
  t.match(fieldsOf(one.drawn), {
    grant_type: { example: 'password' },
    client_id: { example: 'mobile' },
  })
  t.match(fieldsOf((await pageOf(t, ['mobile', 'tablet'])).drawn), {
    grant_type: { example: 'password' },
    client_id: { example: '' },
  })
  const examples = ({ paths }: any, path: string) =>
    paths[path].get.parameters.map(({ example }: any) => example)
  t.same(examples(one.drawn, '/verify'), ['https://orders.example.com', undefined])
  t.same(examples(one.drawn, '/.well-known/jwks.json'), [undefined], 'all keys')
  t.same(examples(one.published, '/.well-known/jwks.json'), ['RS256'])
})

t.test("the page has one form to log in, and no client's own", async t => {
  const { drawn, published } = await pageOf(t, ['mobile'])
  const schemesOf = (document: any) => Object.keys(document.components.securitySchemes)
  t.same(schemesOf(published), ['user', 'client'])
  t.same(schemesOf(drawn), ['user'])
  t.same(drawn.paths['/introspect'].post.security, [{ user: [] }])
  t.same(drawn.paths['/token'].post.security, [{}])
  t.same(published.paths['/token'].post.security, [{ client: [] }, {}])
})

t.test('the document has no chapter without an operation', async t => {
  const { published } = await pageOf(t, ['mobile'])
  t.same(
    published.tags.map(({ name }: { name: string }) => name),
    ['OAuth 2.0', 'Discovery'],
  )
  const used = withUsedTags({
    tags: [{ name: 'A' }],
    paths: { '/': { get: { tags: ['A'] } } },
  })
  t.same(used.tags, [{ name: 'A' }])
  t.same(withUsedTags({}), { tags: undefined })
})

t.test('a title stands for one schema of the document', async t => {
  const answer = (schema: object) => ({ content: { 'application/json': { schema } } })
  const one = { title: 'One', type: 'object' }
  const document = withComponents({ paths: { '/a': answer(one), '/b': answer(one) } })
  const $ref = '#/components/schemas/One'
  t.same(document.paths, { '/a': answer({ $ref }), '/b': answer({ $ref }) })
  t.match(document, { components: { schemas: { One: one } } })
  const two = { ...one, description: 'another' }
  t.throws(
    () => withComponents({ paths: { '/a': answer(one), '/b': answer(two) } }),
    /two schemas .* are called One/,
  )
})

t.test('the first page links to the docs where they are served', async t => {
  for (const docs of [true, false]) {
    const { app, close } = await buildTestApp({
      docs,
      issuer: 'https://id.example.com/a&b',
    })
    t.teardown(close)
    for (const url of ['/', '/a&b/']) {
      const { statusCode, body } = await app.inject(url)
      t.equal(statusCode, 200)
      t.match(body, '<a href="/a&amp;b/.well-known/jwks.json">')
      t.equal(body.includes('<a href="/a&amp;b/docs">'), docs)
    }
  }
})

t.test('what the page sends holds no empty parameter', async t => {
  t.same(sendFilledIn({ body: 'a=1&b=&c=x%3D&d=' }), {
    body: 'a=1&c=x%3D',
    credentials: 'omit',
  })
  t.same(sendFilledIn({}), { credentials: 'omit' }, 'a request without a body')
  t.same(sendFilledIn({ body: 7 }), { body: 7, credentials: 'omit' })
})
