// A refresh token of a newer release, which runs beside this one: no endpoint takes it for a dead one.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { API_SECRET, buildTestApp, ISSUER } from '../support/app.ts'
import { newerToken } from '../support/newer-token.ts'

const secrets = [randomBytes(32).toString('base64url')]
const unavailable = { error: 'temporarily_unavailable' }

t.test(
  'a refresh token of a newer release is 503 everywhere, a forged one is not',
  async t => {
    const server = await buildTestApp({ secrets, issuer: ISSUER })
    t.teardown(() => server.close())
    const asked = async (token: string) => ({
      refresh: await server.refresh(token),
      revocation: await server.post('/revoke', { token, client_id: 'mobile' }),
      introspection: await server.post('/introspect', {
        token,
        client_id: 'orders-api',
        client_secret: API_SECRET,
      }),
    })
    for (const [what, answer] of Object.entries(
      await asked(newerToken({ secrets, issuer: ISSUER })),
    )) {
      t.equal(answer.statusCode, 503, what)
      t.match(answer.json(), unavailable, what)
    }
    const stranger = [randomBytes(32).toString('base64url')]
    const forged = await asked(newerToken({ secrets: stranger, issuer: ISSUER }))
    t.match(forged.refresh.json(), { error: 'invalid_grant' })
    t.equal(forged.revocation.statusCode, 200)
    t.match(forged.introspection.json(), { active: false })
  },
)
