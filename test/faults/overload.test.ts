// More than a server can do: it says so at once, and what takes too long is given up.
import { setTimeout as wait } from 'node:timers/promises'
import fastify from 'fastify'
import t from 'tap'
import { setErrorHandler } from '../../src/http/error-handler.ts'
import { boundWork } from '../../src/http/overload.ts'
import { refused } from '../conformance/helpers.ts'
import { buildTestApp } from '../support/app.ts'
import { openRaw } from '../support/raw-connection.ts'

/** Has the address counted when it is told to. */
function held() {
  let release = () => {}
  const until = new Promise<void>(resolve => {
    release = resolve
  })
  return {
    until,
    release: () => {
      release()
    },
  }
}

t.test(
  'beyond the bound: 503 at once, and JWKS goes on; then there is room again',
  async t => {
    const server = await buildTestApp({ maxInFlight: 3 })
    t.teardown(() => server.close())
    const gate = held()
    const { end } = server.store.families
    Object.assign(server.store.families, {
      end: async (...args: Parameters<typeof end>) => {
        await gate.until
        return end(...args)
      },
    })
    const { refresh_token: token } = await server.login()
    const slow = Array.from({ length: 3 }, () =>
      server.post('/revoke', { client_id: 'mobile', token }),
    )
    await wait(50)
    const start = performance.now()
    for (const request of [
      () => server.refresh(token),
      () => server.post('/introspect', { token }),
      () => server.app.inject('/userinfo'),
    ]) {
      const answer = await request()
      refused(t, answer, { status: 503, error: 'temporarily_unavailable' })
      t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
    }
    t.ok(performance.now() - start < 500)
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
  const server = await buildTestApp({ answerTimeout: 100 })
  t.teardown(() => server.close())
  const gate = held()
  const { end } = server.store.families
  Object.assign(server.store.families, {
    end: async (...args: Parameters<typeof end>) => {
      await gate.until
      return end(...args)
    },
  })
  const { refresh_token: token } = await server.login()
  const start = performance.now()
  // Nothing else keeps this process alive meanwhile.
  const alive = setInterval(() => {}, 1000)
  const answer = await server
    .post('/revoke', { client_id: 'mobile', token })
    .finally(() => clearInterval(alive))
  refused(t, answer, { status: 503, error: 'temporarily_unavailable' })
  t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
  t.ok(performance.now() - start < 1000)
  t.ok(server.lines.some(line => line.includes('"reason":"answer_too_late"')))
  gate.release()
  await wait(50)
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

  const gate = held()
  const { end } = server.store.families
  Object.assign(server.store.families, {
    end: async (...args: Parameters<typeof end>) => {
      await gate.until
      return end(...args)
    },
  })
  const body = `client_id=mobile&token=${token}`
  const gone = await openRaw(
    { port },
    `${head}content-length: ${body.length}\r\n\r\n${body}`,
  )
  await wait(50)
  t.equal((await server.refresh(token)).statusCode, 503)
  gone.destroy()
  await wait(50)
  t.equal((await server.refresh(token)).statusCode, 200)
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
  boundWork(app, { maxInFlight: 1, answerTimeout: 10_000 })
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
