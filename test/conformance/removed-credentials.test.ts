// A client's own tokens die with the credential by which it got them: at introspection, and in the status
// lists, whichever servers read the new configuration first.
import { randomBytes, randomUUID } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import * as jose from 'jose'
import t, { type Test } from 'tap'
import {
  API_SECRET,
  buildTestApp,
  client,
  CLIENTS,
  ISSUER,
  sha256Line,
  type TestApp,
} from '../support/app.ts'
import { startRedis } from '../support/redis.ts'
import { STORES, type StoreName } from './helpers.ts'

const ALONE = { grants: ['client_credentials'] }
const ASSERTED = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const SECRETS = [randomBytes(32).toString('base64url')]

const makeKey = async () => {
  const pair = await jose.generateKeyPair('ES256', { extractable: true })
  return {
    privateKey: pair.privateKey,
    jwk: { ...(await jose.exportJWK(pair.publicKey)), use: 'sig' },
  }
}
const [first, second] = await Promise.all([makeKey(), makeKey()])

const withSecrets = (...secrets: string[]) =>
  client('machine', { ...ALONE, secrets: secrets.map(sha256Line) })
const withKeys = (...keys: (typeof first)[]) =>
  client('signer', { ...ALONE, keys: keys.map(({ jwk }) => jwk) })
const others = CLIENTS.filter(({ id }) => id !== 'machine')

/** Makes servers of several configurations on one store. */
async function sharedStore(t: Test, store: StoreName) {
  const redis = store === 'Redis' ? await startRedis() : undefined
  const storeUrl = redis?.url ?? `sqlite:${t.testdir({})}/latchkey.db`
  const servers: TestApp[] = []
  t.teardown(async () => {
    for (const server of servers) await server.close()
    await redis?.stop()
  })
  return async (clients: typeof CLIENTS, now: number) => {
    const server = await buildTestApp({ storeUrl, secrets: SECRETS, clients, now })
    servers.push(server)
    return server
  }
}

async function tokenOf(
  { post }: TestApp,
  proof: Record<string, string>,
): Promise<string> {
  const answer = await post('/token', { grant_type: 'client_credentials', ...proof })
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json().access_token
}

const bySecret = (server: TestApp, secret: string) =>
  tokenOf(server, { client_id: 'machine', client_secret: secret })

async function byKey(server: TestApp, { privateKey }: typeof first) {
  const exp = Math.floor(server.clock() / 1000) + 60
  const claims = { iss: 'signer', sub: 'signer', aud: ISSUER, jti: randomUUID(), exp }
  return tokenOf(server, {
    client_assertion_type: ASSERTED,
    client_assertion: await new jose.SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256' })
      .sign(privateKey),
  })
}

/** What the upkeep does twice a second; the second reading has what the first one has revoked. */
async function syncTwice({ status }: TestApp): Promise<void> {
  await status.sync()
  await status.sync()
}

async function isActive({ post }: TestApp, token: string): Promise<boolean> {
  const api = { client_id: 'orders-api', client_secret: API_SECRET }
  return (await post('/introspect', { token, ...api })).json().active
}

/** Whether a verifier that has fetched the list takes the token. */
async function isTaken({ app }: TestApp, token: string): Promise<boolean> {
  const { status } = jose.decodeJwt<{
    status: { status_list: { idx: number; uri: string } }
  }>(token)
  const { idx, uri } = status.status_list
  const { body } = await app.inject(uri.slice(ISSUER.length))
  const { status_list: list } = jose.decodeJwt<{ status_list: { lst: string } }>(body)
  const bits = inflateSync(Buffer.from(list.lst, 'base64url'))
  return (bits.readUInt8(idx >> 3) & (1 << (idx & 7))) === 0
}

for (const store of STORES) {
  t.test(`on ${store}`, async t => {
    await t.test('a token dies with its secret or key, and no other does', async t => {
      const start = await sharedStore(t, store)
      const all = [...others, withSecrets('one', 'two'), withKeys(first, second)]
      const server = await start(all, 1_800_000_000_000)
      const { access_token: user } = await server.login()
      const tokens = {
        one: await bySecret(server, 'one'),
        two: await bySecret(server, 'two'),
        first: await byKey(server, first),
        second: await byKey(server, second),
        user,
      }
      const stateBy = async (
        judge: (server: TestApp, token: string) => Promise<boolean>,
      ) =>
        Object.fromEntries(
          await Promise.all(
            Object.entries(tokens).map(async ([name, token]) => [
              name,
              await judge(server, token),
            ]),
          ),
        )
      const living = { one: true, two: true, first: true, second: true, user: true }
      await syncTwice(server)
      t.same(await stateBy(isActive), living)
      t.same(await stateBy(isTaken), living)

      server.clock.advance(1000)
      server.clients.replace([...others, withSecrets('two', 'three'), withKeys(second)])
      const left = { ...living, one: false, first: false }
      t.same(await stateBy(isActive), left, 'at once')
      await syncTwice(server)
      t.same(await stateBy(isTaken), left)

      server.clock.advance(1000)
      server.clients.replace([...others, withSecrets('two')])
      await syncTwice(server)
      t.same(await stateBy(isTaken), { ...left, second: false }, 'and with its client')

      // What is dead stays dead, and the next token is none of a block that died.
      server.clock.advance(1000)
      server.clients.replace(all)
      await syncTwice(server)
      t.match(await stateBy(isActive), { one: false, first: false, two: true })
      const next = await bySecret(server, 'one')
      await syncTwice(server)
      t.same([await isActive(server, next), await isTaken(server, next)], [true, true])
    })

    await t.test('a client that loses the grant loses its tokens', async t => {
      const start = await sharedStore(t, store)
      const server = await start([...others, withSecrets('one')], 1_800_000_000_000)
      const token = await bySecret(server, 'one')
      await syncTwice(server)
      server.clock.advance(1000)
      server.clients.replace([...others, { ...withSecrets('one'), grants: ['password'] }])
      t.equal(await isActive(server, token), false)
      await syncTwice(server)
      t.equal(await isTaken(server, token), false)
    })

    await t.test('the server that has read its configuration last says so', async t => {
      const start = await sharedStore(t, store)
      const [at, clients] = [1_800_000_000_000, [...others, withSecrets('one')]]
      const before = await start(others, at)
      const server = await start(clients, at + 10_000)
      const token = await bySecret(server, 'one')
      for (const each of [before, server]) await syncTwice(each)
      t.equal(await isTaken(server, token), true, 'an older one does not know the client')

      // A reload that changes no credential says nothing of what is newer.
      before.clock.advance(20_000)
      before.clients.replace([...others].reverse())
      for (const each of [before, server]) await syncTwice(each)
      t.equal(await isTaken(server, token), true)

      const after = await start(others, at + 30_000)
      for (const each of [after, server]) await syncTwice(each)
      t.same(
        [await isActive(server, token), await isTaken(server, token)],
        [false, false],
      )

      server.clock.advance(30_000)
      server.clients.replace([...others, withSecrets('one', 'two')])
      const again = await bySecret(server, 'one')
      for (const each of [after, server]) await syncTwice(each)
      t.same([await isActive(server, again), await isTaken(server, again)], [true, true])
    })
  })
}
