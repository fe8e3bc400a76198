// What a request costs Redis: commands are counted by the server itself, over the real HTTP surface.
import { Redis } from 'ioredis'
import t from 'tap'
import { createRefreshTokenCodec } from '../../src/tokens/refresh-token.ts'
import { basic } from '../conformance/helpers.ts'
import { API_SECRET, buildTestApp, ISSUER, PASSWORD } from '../support/app.ts'
import { startRedis } from '../support/redis.ts'

const SECRETS = ['r'.repeat(43)]
// The rate limit's own, told apart by its key; and what only the test asks.
const LIMIT = /"lk:rate:/

const redis = await startRedis()
const server = await buildTestApp({ storeUrl: redis.url, secrets: SECRETS })
const admin = new Redis(redis.port)
t.teardown(async () => {
  admin.disconnect()
  await server.close()
  await redis.stop()
})

/** The commands that came over the wire while `work` ran: what a script calls inside is no round trip. */
async function commandsOf (work: () => Promise<unknown>): Promise<{ limit: string[], store: string[] }> {
  const monitor = await admin.monitor()
  const seen: string[] = []
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua') seen.push(args.map(arg => JSON.stringify(arg)).join(' '))
  })
  await work()
  // A mark of our own: when it is seen, all before it was.
  await admin.echo('done')
  for (let attempts = 200; !seen.some(line => line.includes('"done"')); attempts--) {
    if (attempts === 0) throw new Error('the monitor is silent')
    await new Promise(resolve => { setImmediate(resolve) })
    await admin.ping()
  }
  monitor.disconnect()
  const commands = seen.filter(line => !/^"(echo|ping|monitor|info|client|auth|select|hello)"/i.test(line))
  return { limit: commands.filter(line => LIMIT.test(line)), store: commands.filter(line => !LIMIT.test(line)) }
}

t.test('each kind of request costs what docs/performance.md says', async t => {
  const { refresh_token: first } = await server.login()
  let token = (await server.refresh(first)).json().refresh_token
  const access = (await server.login()).access_token
  // Each script has been sent once: later calls name it by its hash.
  for (const presented of [access, token]) await server.introspect(presented)
  const api = basic('orders-api', API_SECRET)

  t.test('refresh: one round trip, beside the rate limit\'s one', async t => {
    const { limit, store } = await commandsOf(async () => {
      const answer = await server.refresh(token)
      t.equal(answer.statusCode, 200)
      token = answer.json().refresh_token
    })
    t.equal(store.length, 1, store.join('\n'))
    t.match(store[0], /^"evalsha"/)
    t.equal(limit.length, 1, limit.join('\n'))
  })

  t.test('introspection by a client with a secret: one, and none for the rate limit', async t => {
    for (const [name, presented] of [['an access token', access], ['a refresh token', token]]) {
      const { limit, store } = await commandsOf(async () => {
        const answer = await server.post('/introspect', { token: String(presented) }, api)
        t.equal(answer.statusCode, 200)
      })
      t.equal(store.length, 1, `${name}: ${store.join('\n')}`)
      t.equal(limit.length, 0)
    }
  })

  t.test('a token that is none of ours: none', async t => {
    const forged = createRefreshTokenCodec({ issuer: ISSUER, secrets: ['z'.repeat(43)] }).encode({ userTag: 'a'.repeat(22), familyId: Buffer.alloc(16), generation: 1 })
    for (const bad of [forged, 'rt_', `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`, access]) {
      const { store } = await commandsOf(async () => { t.equal((await server.refresh(bad)).statusCode, 400) })
      t.same(store, [], bad.slice(0, 8))
    }
    const { store } = await commandsOf(async () => { t.same(await server.introspect(forged), { active: false }) })
    t.same(store, [])
  })

  t.test('JWKS and metadata: none', async t => {
    const { limit, store } = await commandsOf(async () => {
      for (const url of ['/.well-known/jwks.json', '/.well-known/oauth-authorization-server']) t.equal((await server.app.inject(url)).statusCode, 200)
    })
    t.same([...limit, ...store], [])
  })

  t.test('a family costs at most 400 bytes, and no more when it is old', async t => {
    const families = async () => (await admin.keys('lk:*:f:*')).toSorted()
    const before = await families()
    const { refresh_token: fresh } = (await server.post('/token', { grant_type: 'password', client_id: 'mobile', username: 'alice', password: PASSWORD })).json()
    const [key = ''] = (await families()).filter(name => !before.includes(name))
    const young = Number(await admin.memory('USAGE', key, 'SAMPLES', 0))
    t.ok(young > 0 && young <= 400, `${young} bytes`)
    let held = fresh
    // The full form is by hand, in `npm run bench`.
    for (let exchange = 0; exchange < 300; exchange++) held = (await server.refresh(held)).json().refresh_token
    t.equal(Number(await admin.memory('USAGE', key, 'SAMPLES', 0)), young)
  })
})
