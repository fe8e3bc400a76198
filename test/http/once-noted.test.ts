// An answer waits for what its own request has to tell, and for no other's, whatever ids their callers chose.
import fastify from 'fastify'
import t from 'tap'
import type { Origin } from '../../src/base/events/events.ts'
import { answerOnceNoted } from '../../src/http/request/answer-once-noted.ts'

t.test('an answer waits for the notes of its own request alone', async t => {
  const app = fastify({ genReqId: () => 'the same' })
  t.teardown(() => app.close())
  const noting = Promise.withResolvers<void>()
  let busy: Origin | undefined
  answerOnceNoted(app, {
    isBusyFor: request => request === busy,
    settled: () => noting.promise,
  })
  app.get('/slow', async request => {
    busy = request
    return 'slow'
  })
  app.get('/other', async () => 'other')
  let isAnswered = false
  const slow = app.inject('/slow').then(({ body }) => {
    isAnswered = true
    return body
  })
  t.equal((await app.inject('/other')).body, 'other')
  t.ok(busy, 'while the first one waits')
  t.notOk(isAnswered)
  noting.resolve()
  t.equal(await slow, 'slow')
})

t.test('an unsendable answer that had to wait is an error of its request', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  answerOnceNoted(app, { isBusyFor: () => true, settled: async () => {} })
  app.get('/', async (_request, reply) => {
    reply.header('x-broken', 'two\nlines')
    return 'never'
  })
  // No injection: only a real answer refuses such a header.
  const response = await fetch(await app.listen({ host: '127.0.0.1', port: 0 }))
  t.equal(response.status, 500)
})
