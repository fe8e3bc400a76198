// An answer that is on its way has no deadline any more: however slowly it goes, it ends whole.
import { PassThrough } from 'node:stream'
import fastify from 'fastify'
import t from 'tap'
import { setErrorHandler } from '../../src/http/request/error-handler.ts'
import { limitInFlight } from '../../src/http/request/in-flight-limit.ts'

t.test('an answer that has begun outlives answerTimeout', async t => {
  const lines: string[] = []
  const app = fastify({
    logger: {
      level: 'warn',
      stream: {
        write(line) {
          lines.push(line)
        },
      },
    },
  })
  t.teardown(() => app.close())
  setErrorHandler(app)
  limitInFlight(app, { maxInFlight: 2, answerTimeout: 100 })
  const download = new PassThrough()
  app.get('/slow', (_request, reply) => reply.send(download))
  app.get('/never', () => new Promise<never>(() => {}))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })

  download.write('the beginning, ')
  const answer = await fetch(`${url}/slow`)
  t.equal(answer.status, 200)
  // It came later: where its time is up, the other's is, too.
  t.equal((await fetch(`${url}/never`)).status, 503)
  download.end('and the end')
  t.equal(await answer.text(), 'the beginning, and the end')
  t.notMatch(lines.join(''), /ALREADY_SENT|HEADERS_SENT/)
})
