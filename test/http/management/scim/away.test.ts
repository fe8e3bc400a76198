// A store that is away: every route of SCIM that needs it says so, and when to come again.
import t from 'tap'
import { STORES } from '../../../conformance/helpers.ts'
import { GROUP, PATCH_OP, scimOn, USER } from '../../../support/scim.ts'
import { READS, WRITES } from './routes.ts'

const SEARCH = { schemas: ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'] }
const PATCH = {
  schemas: [PATCH_OP],
  Operations: [{ op: 'add', path: 'displayName', value: 'x' }],
}

const BODIES: Readonly<Record<string, object>> = {
  '/Users': { schemas: [USER], userName: 'bob', password: 'a long one of his own' },
  '/Users/x': { schemas: [USER], userName: 'bob' },
  '/Groups': { schemas: [GROUP], displayName: 'staff' },
  '/Groups/x': { schemas: [GROUP], displayName: 'staff' },
}

/** What SCIM says of itself, nobody has to look up; and a static token is no user. */
const KNOWN = /^\/(ServiceProviderConfig|ResourceTypes|Schemas|openapi|Me)/

for (const store of STORES) {
  t.test(`on ${store}`, async t => {
    const { call, server } = await scimOn(t, store)
    await server.store.close()
    for (const [method, path] of [...READS, ...WRITES]) {
      const body = method === 'PATCH' ? PATCH : (BODIES[path] ?? SEARCH)
      const answer = await call(method, path, method === 'GET' ? {} : { body })
      const route = `${method} ${path}`
      if (KNOWN.test(path)) {
        t.ok(answer.statusCode < 500, route)
        continue
      }
      t.equal(answer.statusCode, 503, `${route}: ${answer.body}`)
      t.equal(answer.headers['retry-after'], '1', route)
      t.match(answer.json(), { status: '503' }, route)
    }
  })
}
