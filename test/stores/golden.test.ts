// What earlier releases have left in a store is read as they meant it: the dumps in test/golden/ never
// change.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLocalJWKSet, decodeJwt, importJWK, jwtVerify, SignJWT } from 'jose'
import { inflateSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { userTag } from '../../src/base/ids.ts'
import { NO_DEVICE } from '../../src/stores/ports/families.ts'
import { API_SECRET, buildTestApp, type TestApp } from '../support/app.ts'
import {
  dumpRedis,
  expectedOf,
  GOLDEN,
  GOLDEN_STORES,
  goldenKeys,
  goldenReleases,
  loadRedis,
  loadSqlite,
  type Expected,
  type GoldenAccount,
  type GoldenKey,
  type GoldenSession,
  type GoldenStore,
} from '../support/golden.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const HOUR_MS = 3_600_000

t.test('the dumps are what they were', async t => {
  for (const release of goldenReleases()) {
    const sums = readFileSync(join(GOLDEN, release, 'SHA256SUMS'), 'utf8')
    const lines = sums.split('\n').filter(Boolean)
    t.equal(lines.length, 2 * GOLDEN_STORES.length, `${release}: nothing is missing`)
    for (const line of lines) {
      const [sum, file = ''] = line.split('  ')
      const found = createHash('sha256').update(readFileSync(join(GOLDEN, release, file)))
      t.equal(found.digest('hex'), sum, `${release}/${file}`)
    }
  }
})

for (const release of goldenReleases()) {
  for (const store of GOLDEN_STORES) {
    t.test(`what release ${release} has left in ${store}`, async t => {
      const expected = expectedOf(release, store)
      const server = await serverOn(t, { release, store, expected })

      await t.test('the store is the one that it was', async t => {
        const { verifiers } = await server.store.sightings.load()
        t.match(verifiers, [{ userAgent: 'node' }], 'verifiers that were seen')
        if (store === 'sqlite') return
        const mark = (keys: GoldenKey[]) => keys.find(({ key }) => key === 'lk:epoch:0')
        t.match(mark(goldenKeys(release)), { text: /./ })
        t.same(
          mark(await dumpRedis(server.storeUrl)),
          mark(goldenKeys(release)),
          'its mark',
        )
      })

      await t.test('every living session is listed, of no known device', async t => {
        const living = expected.sessions.filter(({ refusedFor }) => !refusedFor)
        const lists = expected.accounts.map(({ sub }) =>
          server.store.families.list(userTag(sub)),
        )
        const listed = (await Promise.all(lists)).flat()
        for (const { sid, what } of living) {
          const found = listed.find(session => session.sid === sid)
          t.match(found, { device: NO_DEVICE, lastUsedAt: Number }, what)
        }
        t.ok(living.length > 0)
      })

      await t.test('no session is lost, and none comes back', async t => {
        for (const session of expected.sessions) await checkSession(t, server, session)
      })

      await t.test('access tokens are as alive as they were', async t => {
        await until(() => server.status.sync().then(() => true))
        for (const { what, token, active } of expected.accessTokens) {
          t.match(await introspect(server, token), { active }, what)
          t.equal(await isInStatusList(server, token), !active, `${what}: status list`)
        }
      })

      await t.test('the keys verify what they have signed, and sign', async t => {
        const { keys } = (await server.app.inject('/.well-known/jwks.json')).json()
        t.same(keys, expected.jwks.keys, 'none came, none went')
        const options = {
          currentDate: new Date(expected.takenAt),
          issuer: expected.issuer,
        }
        const { access_token: fresh } = await logIn(server, {
          ...expected.throttled,
          name: 'alice',
        })
        for (const token of [fresh, ...expected.accessTokens.map(({ token }) => token)]) {
          await t.resolves(jwtVerify(token, createLocalJWKSet({ keys }), options))
        }
      })

      await t.test('every account logs in, as who it was', async t => {
        for (const { sub, roles, scopes, ...account } of expected.accounts) {
          const { name } = account
          const { access_token: token } = await logIn(server, account)
          t.match(decodeJwt(token), { sub, ...(roles.length > 0 && { roles }) }, name)
          if (scopes === null) continue
          t.same(String(decodeJwt(token)['scope']).split(' '), scopes)
        }
      })

      await t.test('who was locked out stays so, and guessing stays delayed', async t => {
        for (const account of expected.lockedOut) {
          t.match(await logIn(server, account), { error: 'invalid_grant' }, account.name)
        }
        const { status, ...throttled } = expected.throttled
        t.match(await logIn(server, throttled), { status })
        t.match(server.lines.join('\n'), /login\.throttled/)
        server.clock.advance(HOUR_MS)
        t.match(await logIn(server, throttled), { status: 200 }, 'an hour later')
      })
    })
  }
}

interface GoldenServer extends TestApp {
  readonly expected: Expected
  readonly storeUrl: string
}

interface Found {
  readonly release: string
  readonly store: GoldenStore
  readonly expected: Expected
}

/** Today's server on a copy of the dump, at the instant at which it was taken. */
async function serverOn(
  t: Test,
  { release, store, expected }: Found,
): Promise<GoldenServer> {
  const { issuer, secret, takenAt } = expected
  const redis = store === 'redis' ? await startRedis() : undefined
  t.teardown(() => redis?.stop())
  if (redis !== undefined) await loadRedis(release, redis.url)
  const storeUrl = redis?.url ?? loadSqlite(release, t.testdir())
  const server = await buildTestApp({
    storeUrl,
    issuer,
    secrets: [secret],
    now: takenAt,
    lossPeriodMs: HOUR_MS,
  })
  t.teardown(() => server.close())
  // A store that a busy machine makes wait is asked again, as clients do.
  const post: TestApp['post'] = async (...request) => {
    let answer = await server.post(...request)
    await until(async () => {
      if (answer.statusCode === 503) answer = await server.post(...request)
      return answer.statusCode !== 503
    })
    return answer
  }
  return { ...server, post, expected, storeUrl }
}

async function checkSession(
  t: Test,
  server: GoldenServer,
  { what, clientId, refreshToken, sid, isBound, refusedFor }: GoldenSession,
): Promise<void> {
  const refresh = async (token: string, withProof = isBound) =>
    server.post(
      '/token',
      {
        grant_type: 'refresh_token',
        client_id: clientId,
        refresh_token: token,
        ...(clientId === 'web' && { client_secret: 'web-secret' }),
      },
      withProof ? { dpop: await proofOf(server.expected) } : {},
    )
  const before = server.lines.length
  if (isBound) t.match((await refresh(refreshToken, false)).json(), { error: /./ }, what)
  const answer = await refresh(refreshToken)
  if (refusedFor !== undefined) {
    t.match(answer.json(), { error: 'invalid_grant' }, what)
    t.match(server.lines.slice(before).join('\n'), refusedFor, `${what}: ${refusedFor}`)
    return
  }
  t.equal(answer.statusCode, 200, `${what}: ${answer.body}`)
  t.equal(decodeJwt(answer.json().access_token)['sid'], sid, 'the same session')
  t.equal((await refresh(answer.json().refresh_token)).statusCode, 200, 'and again')
}

let proofs = 0

async function proofOf({ proofKey, issuer, takenAt }: Expected): Promise<string> {
  const { d, ...jwk } = proofKey
  proofs += 1
  return new SignJWT({ jti: `proof-${proofs}`, htm: 'POST', htu: `${issuer}/token` })
    .setIssuedAt(Math.floor(takenAt / 1000))
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
    .sign(await importJWK(proofKey, 'ES256'))
}

async function logIn(
  server: TestApp,
  { name: username, password }: Pick<GoldenAccount, 'name' | 'password'>,
): Promise<{ status: number; error?: string; access_token: string }> {
  const form = { grant_type: 'password', client_id: 'mobile', username, password }
  const answer = await server.post('/token', form)
  return { status: answer.statusCode, ...answer.json() }
}

async function introspect(server: TestApp, token: string): Promise<{ active: boolean }> {
  const asking = { client_id: 'orders-api', client_secret: API_SECRET }
  return (await server.post('/introspect', { token, ...asking })).json()
}

/** Whether a verifier finds the token revoked. */
async function isInStatusList(server: TestApp, token: string): Promise<boolean> {
  const { idx, uri } = Object(decodeJwt(token)['status']).status_list
  const answer = await server.app.inject({
    url: new URL(uri).pathname,
    headers: { accept: 'application/statuslist+jwt' },
  })
  const { lst } = Object(decodeJwt(answer.body)['status_list'])
  const bytes = inflateSync(Buffer.from(lst, 'base64url'))
  return ((Number(bytes[idx >> 3]) >> (idx & 7)) & 1) === 1
}
