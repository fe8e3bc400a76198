// The rate limit per address by a clock that is moved by hand.
import { setImmediate } from 'node:timers/promises'
import fastify from 'fastify'
import t from 'tap'
import { createClientRegistry } from '../../src/clients/registry.ts'
import { registerRateLimit } from '../../src/http/callers/limits/rate-limit.ts'
import { setErrorHandler } from '../../src/http/request/error-handler.ts'
import { invalidClient } from '../../src/oauth/errors.ts'
import { CLIENTS } from '../support/app.ts'

const WINDOW_MS = 60_000

t.test('a spent limit ends by the clock that is given', async t => {
  let now = 1000
  const limit = { max: 2, window: WINDOW_MS }
  let count = 0
  const app = fastify()
  t.teardown(() => app.close())
  setErrorHandler(app)
  const web = createClientRegistry(CLIENTS).find('web')
  let isRight = false
  let looks = 0
  const clientOf = async () => {
    looks += 1
    if (!isRight || web === undefined) throw invalidClient('client_secret_wrong')
    return web
  }
  const { unlessAuthenticated } = await registerRateLimit(app, {
    settings: {
      addressLimit: () => limit,
      clientLimit: () => limit,
      sessionLimit: () => limit,
    },
    counts: {
      async add(requests) {
        return requests.map(({ requests: more, windowMs }) => {
          count += more
          return { count, endsInMs: windowMs }
        })
      },
    },
    clientOf,
    refreshTokenOf: () => undefined,
    monotonic: () => now,
  })
  app.get('/', { preHandler: unlessAuthenticated(clientOf) }, async () => 'passed')
  const ask = async () => {
    const { statusCode } = await app.inject({
      url: '/',
      headers: { authorization: 'Basic x' },
    })
    await setImmediate()
    return statusCode
  }
  t.same([await ask(), await ask(), await ask()], [200, 200, 429])
  const before = looks
  now += WINDOW_MS - 1
  t.equal(await ask(), 429)
  t.equal(looks, before, 'no secret is looked at')
  now += 1
  isRight = true
  t.equal(await ask(), 200, 'the window has ended')
  t.ok(looks > before)
})
