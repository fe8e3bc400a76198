// Every route of SCIM, and every wrong kind of caller.
import t from 'tap'
import { STORES } from '../../../conformance/helpers.ts'
import { client, CLIENTS, ISSUER, ORDERS, sha256Line } from '../../../support/app.ts'
import { GROUP, PATCH_OP, scimOn, USER } from '../../../support/scim.ts'
import { READS, WRITES } from './routes.ts'

const SEARCH = { schemas: ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'] }

const BODIES: Readonly<Record<string, object>> = {
  '/Users': { schemas: [USER], userName: 'intruder' },
  '/Groups': { schemas: [GROUP], displayName: 'intruders' },
  '/Users/x': { schemas: [PATCH_OP], Operations: [{ op: 'remove', path: 'name' }] },
}

for (const store of STORES) {
  t.test(`on ${store}`, async t => {
    const machine = (id: string, scopes: string[], audience: string[]) =>
      client(id, {
        secrets: [sha256Line(`${id}-secret`)],
        grants: ['client_credentials'],
        scopes,
        audience,
      })
    const { call, server } = await scimOn(t, store, {
      clients: [
        ...CLIENTS,
        client('console', { scopes: ['scim', 'profile'], audience: [ISSUER] }),
        machine('hr', ['scim'], []),
        machine('reading', ['scim.read'], []),
        machine('elsewhere', ['scim'], [ORDERS]),
        machine('other', ['orders:read'], []),
      ],
    })
    const tokenOf = async (id: string): Promise<string> =>
      (
        await server.post('/token', {
          grant_type: 'client_credentials',
          client_id: id,
          client_secret: `${id}-secret`,
        })
      ).json().access_token
    const revoked = await tokenOf('hr')
    await server.post('/revoke', {
      token: revoked,
      client_id: 'hr',
      client_secret: 'hr-secret',
    })
    const user = (await server.login({ client_id: 'console', scope: 'scim' }))
      .access_token
    const wrong: ReadonlyArray<[name: string, authorization: string, status: number]> = [
      ['nothing', '', 401],
      ['another scheme', 'Basic aHI6aHI=', 401],
      ['nonsense', 'Bearer nonsense', 401],
      ['a static token of nobody', `Bearer lks_${'x'.repeat(43)}`, 401],
      ['a revoked token', `Bearer ${revoked}`, 401],
      ['a token for another audience', `Bearer ${await tokenOf('elsewhere')}`, 401],
      ['a token of another scope', `Bearer ${await tokenOf('other')}`, 403],
      ["a user's token", `Bearer ${user}`, 403],
    ]
    const ask = async (
      [method, path]: readonly ['GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', string],
      authorization?: string,
    ) =>
      call(method, path, {
        as: 'reader',
        headers: { ...(authorization !== undefined && { authorization }) },
        ...(method !== 'GET' && { body: BODIES[path] ?? SEARCH }),
      })
    for (const route of [...READS, ...WRITES]) {
      for (const [name, authorization, status] of wrong) {
        const answer = await ask(route, authorization)
        t.equal(answer.statusCode, status, `${route.join(' ')}: ${name}`)
        t.type(answer.headers['www-authenticate'], 'string')
      }
    }
    const reading = `Bearer ${await tokenOf('reading')}`
    for (const [name, authorization] of [
      ['a machine that reads', reading],
      ['a static token that reads', undefined],
    ] as const) {
      for (const route of WRITES) {
        const answer = await ask(route, authorization)
        t.equal(answer.statusCode, 403, `${route.join(' ')}: ${name}`)
        t.match(answer.headers['www-authenticate'], /insufficient_scope/)
      }
      for (const route of READS) {
        const answer = await ask(route, authorization)
        t.notOk([401, 403].includes(answer.statusCode), `${route.join(' ')}: ${name}`)
      }
    }
    const expired = `Bearer ${await tokenOf('hr')}`
    server.clock.advance(3_600_000)
    for (const route of [...READS, ...WRITES]) {
      t.equal((await ask(route, expired)).statusCode, 401, `${route.join(' ')}: expired`)
    }
    t.equal((await call('GET', '/Users')).json().totalResults, 1, 'nobody was added')
  })
}
