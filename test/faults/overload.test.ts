// More than a server can do: it says so at once, and what takes too long is given up.
import { setTimeout as wait } from 'node:timers/promises'
import fastify from 'fastify'
import t from 'tap'
import { setErrorHandler } from '../../src/http/request/error-handler.ts'
import { limitInFlight } from '../../src/http/request/in-flight-limit.ts'
import { refused } from '../conformance/helpers.ts'
import { buildTestApp, type TestApp } from '../support/app.ts'
import { openRaw } from '../support/raw-connection.ts'
import { until } from '../support/until.ts'

/** Makes the ends of sessions wait until they are told to go on. */
function holdEnds({ store }: Pick<TestApp, 'store'>) {
  const gate = Promise.withResolvers<void>()
  const { end } = store.families
  let [begun, ended] = [0, 0]
  Object.assign(store.families, {
    end: async (...args: Parameters<typeof end>) => {
      begun += 1
      await gate.promise
      return end(...args).finally(() => {
        ended += 1
      })
    },
  })
  return {
    begun: () => begun,
    ended: () => ended,
    release: () => {
      gate.resolve()
    },
  }
}

t.test(
  'beyond the bound: 503 at once, and JWKS goes on; then there is room again',
  async t => {
    const server = await buildTestApp({ maxInFlight: 3 })
    t.teardown(() => server.close())
    const gate = holdEnds(server)
    const { refresh_token: token } = await server.login()
    const slow = Array.from({ length: 3 }, () =>
      server.post('/revoke', { client_id: 'mobile', token }),
    )
    await until(() => gate.begun() === 3)
    for (const request of [
      () => server.refresh(token),
      () => server.post('/introspect', { token }),
      () => server.app.inject('/userinfo'),
    ]) {
      const answer = await request()
      refused(t, answer, { status: 503, error: 'temporarily_unavailable' })
      t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
    }
    t.equal((await server.app.inject('/.well-known/jwks.json')).statusCode, 200)
    t.ok(server.lines.some(line => line.includes('"reason":"overloaded"')))
    gate.release()
    for (const answer of await Promise.all(slow)) t.equal(answer.statusCode, 200)
    // Every one of them gave its place back, those that were refused took none.
    for (let i = 0; i < 10; i++) {
      t.equal(
        (await server.app.inject('/.well-known/oauth-authorization-server')).statusCode,
        200,
      )
    }
  },
)

t.test('what takes too long is answered 503, once', async t => {
  const server = await buildTestApp({ answerTimeout: 3_000 })
  t.teardown(() => server.close())
  const gate = holdEnds(server)
  const { refresh_token: token } = await server.login()
  // Nothing else keeps this process alive meanwhile.
  const alive = setInterval(() => {}, 1000)
  const answer = await server
    .post('/revoke', { client_id: 'mobile', token })
    .finally(() => clearInterval(alive))
  refused(t, answer, { status: 503, error: 'temporarily_unavailable' })
  t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
  t.ok(server.lines.some(line => line.includes('"reason":"answer_too_late"')))
  gate.release()
  await until(() => gate.ended() === 1)
  await server.app.inject('/.well-known/jwks.json')
  t.notOk(
    server.lines.some(line => JSON.parse(line).level >= 50),
    'the work that ends after all is no fault',
  )
})

t.test('who goes away, or sends slowly, keeps no place', async t => {
  const server = await buildTestApp({ maxInFlight: 1 })
  t.teardown(() => server.close())
  await server.app.listen({ host: '127.0.0.1', port: 0 })
  const port = Number(new URL(server.app.listeningOrigin).port)
  const { refresh_token: token } = await server.login()
  const head =
    'POST /revoke HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n'
  const slow = await openRaw({ port }, `${head}content-length: 100\r\n\r\nclient_id=`)
  await wait(50)
  t.equal(
    (await server.refresh(token)).statusCode,
    200,
    'beside one that is still sending',
  )
  slow.destroy()

  const gate = holdEnds(server)
  const body = `client_id=mobile&token=${token}`
  const gone = await openRaw(
    { port },
    `${head}content-length: ${body.length}\r\n\r\n${body}`,
  )
  await until(() => gate.begun() === 1)
  t.equal((await server.refresh(token)).statusCode, 503)
  gone.destroy()
  t.ok(await until(async () => (await server.refresh(token)).statusCode === 200))
  gate.release()
})

t.test('nothing is worked on for a caller who has left', async t => {
  const reached: string[] = []
  const statuses: number[] = []
  const app = fastify()
  t.teardown(() => app.close())
  setErrorHandler(app)
  app.addHook('onRequest', async request => {
    if (request.url === '/left') request.socket.destroy()
  })
  app.addHook('onSend', async (_request, reply) => {
    statuses.push(reply.statusCode)
  })
  limitInFlight(app, { maxInFlight: 1, answerTimeout: 10_000 })
  app.get('/*', async ({ url }) => {
    reached.push(url)
    return url
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  await t.rejects(fetch(`${url}/left`))
  t.equal((await fetch(`${url}/here`)).status, 200)
  t.strictSame(reached, ['/here'])
  t.strictSame(statuses, [499, 200], 'which counts as no fault of ours')
})
