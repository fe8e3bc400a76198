// Clocks that differ: the server's, by which tokens are dated, and the store's, by which families and
// revocations are judged.
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { STORES, serverOn } from '../conformance/helpers.ts'

const HOUR = 3_600_000

for (const store of STORES) {
  for (const [name, storeAheadMs] of [
    ['behind', -HOUR],
    ['ahead', HOUR],
  ] as const) {
    t.test(
      `${store}, its clock an hour ${name}: nobody is logged out, and a revoked access token stays dead`,
      async t => {
        const server = await serverOn(t, store, { storeAheadMs })
        const { access_token: access, refresh_token: token } = await server.login()
        t.match(await server.introspect(access), { active: true })
        const refreshed = await server.refresh(token)
        t.equal(refreshed.statusCode, 200)
        t.equal(refreshed.json().expires_in, 600)

        t.equal(
          (await server.post('/revoke', { client_id: 'mobile', token: access }))
            .statusCode,
          200,
        )
        // Another revocation takes expired ones along in SQLite; in Redis they go by themselves.
        await server.post('/revoke', {
          client_id: 'mobile',
          token: refreshed.json().access_token,
        })
        await wait(20)
        t.same(await server.introspect(access), { active: false })
        t.equal(
          (await server.refresh(refreshed.json().refresh_token)).statusCode,
          200,
          'the session lives on',
        )
      },
    )
  }
}
