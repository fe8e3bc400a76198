// Python's clients and verifiers, none of them ours, against the real process on both stores.
import { setTimeout as wait } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import t from 'tap'
import { proves } from '../support/interop.ts'
import { python, runPython } from '../support/python.ts'
import {
  API_SECRET,
  CLIENTS,
  login,
  ORDERS,
  PASSWORD,
  postForm,
  sha256Line,
  startLatchkey,
  STORES,
  USER,
} from '../support/server.ts'

const interpreter = await python()
// As `latchkey clients secret` makes them: these clients don't form-encode what they send by Basic (RFC 6749
// §2.3.1).
const PYTHON_SECRET = 'Vx3-0hZ2kq_7bJr9'.repeat(3).slice(0, 43)
const SCOPE = 'profile orders:read orders:write'

for (const { name, make } of STORES) {
  t.test(`on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const clients = [
      ...CLIENTS,
      { ...CLIENTS[0], id: 'python', secrets: [sha256Line(PYTHON_SECRET)] },
    ]
    const server = await startLatchkey({ storeUrl: store.url, config: { clients } })
    t.teardown(() => server.stop())
    const { access_token: token } = await login(server)
    const env = {
      LATCHKEY_URL: server.url,
      USERNAME: USER,
      PASSWORD,
      CLIENT_ID: 'python',
      CLIENT_SECRET: PYTHON_SECRET,
      API_SECRET,
      AUDIENCE: ORDERS,
      TOKEN: token,
      // Both libraries insist on https, but on loopback there is none.
      OAUTHLIB_INSECURE_TRANSPORT: '1',
      AUTHLIB_INSECURE_TRANSPORT: '1',
    }
    const run = (script: string) =>
      runPython(interpreter, `test/interop/python/${script}.py`, env)

    t.test(
      'requests-oauthlib logs in, calls, refreshes and is told why it is refused',
      async t => {
        proves(t, 'requests-oauthlib', 'login', 'refresh')
        t.same(await run('requests_oauthlib_client'), {
          public: {
            type: 'Bearer',
            scope: ['profile'],
            expires_in: 600,
            name: USER,
            rotated: true,
          },
          basic: {
            type: 'Bearer',
            scope: SCOPE.split(' '),
            expires_in: 600,
            rotated: true,
          },
          post: { type: 'Bearer', scope: SCOPE.split(' '), expires_in: 600 },
          automatic: { status: 200, rotated: [true] },
          wrong: { error: 'invalid_grant', status: 400 },
        })
      },
    )

    t.test('Authlib logs in, calls, refreshes, introspects and revokes', async t => {
      proves(t, 'Authlib', 'login', 'refresh', 'revoke', 'introspect')
      const journey = {
        type: 'Bearer',
        scope: 'profile orders:read',
        userinfo: 200,
        rotated: true,
        revoked: 200,
        refused: 'invalid_grant',
      }
      t.same(await run('authlib_client'), {
        none: journey,
        client_secret_basic: journey,
        client_secret_post: journey,
        introspection: {
          alive: true,
          client: 'mobile',
          dead: { active: false },
          unknown: { active: false },
        },
        wrong: 'invalid_grant',
      })
    })

    t.test('ten lines with zlib read the status lists', async t => {
      proves(t, "Python's zlib", 'status list')
      const revoked = await login(server)
      const [first, other] = [revoked.access_token, (await login(server)).access_token]
      const read = () =>
        runPython(interpreter, 'test/interop/python/status_list.py', {
          ...env,
          TOKENS: JSON.stringify([first, other]),
        })
      t.same(await read(), [false, false])
      t.equal(
        (
          await postForm(`${server.url}/revoke`, {
            token: revoked.refresh_token,
            client_id: 'mobile',
          })
        ).status,
        200,
      )
      await wait(1000)
      t.same(await read(), [true, false])
    })

    t.test(
      'PyJWT and Authlib verify our token through JWKS and refuse what is not for them',
      async t => {
        proves(t, 'PyJWT', 'verify')
        proves(t, 'Authlib', 'verify')
        const claims = decodeJwt(token)
        t.same(await run('pyjwt_verifier'), {
          issuer: server.url,
          pyjwt: {
            good: claims,
            tampered: 'InvalidSignatureError',
            audience: 'InvalidAudienceError',
            issuer: 'InvalidIssuerError',
          },
          authlib: {
            good: claims,
            tampered: 'invalid_token',
            audience: 'invalid_token',
            issuer: 'invalid_token',
          },
        })
      },
    )
  })
}
