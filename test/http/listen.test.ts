// Where a listener listens: callers by IPv6 and by IPv4 reach it, an IPv4 caller counts under one address,
// and a machine without IPv6 is listened to by IPv4 alone.
import fastify from 'fastify'
import t from 'tap'
import { decodeConfig } from '../../src/config/load.ts'
import { listen } from '../../src/http/listener/listen.ts'
import { senderOf } from '../../src/http/request/client-gone.ts'

const appOf = () => {
  const app = fastify()
  app.get('/', request => ({ sender: senderOf(request) }))
  return app
}

t.test('by default callers of both kinds reach it, each under its address', async t => {
  const { http, management } = decodeConfig({
    issuer: 'https://id.example.com',
    secrets: ['s'.repeat(43)],
    store: { url: 'sqlite:x' },
  })
  t.equal(management.host, http.host)
  const app = appOf()
  t.teardown(() => app.close())
  const url = await listen(app, { host: http.host, port: 0 })
  const { port } = new URL(url)
  t.equal(url, `http://localhost:${port}`)
  for (const [host, sender] of [
    ['127.0.0.1', '127.0.0.1'],
    ['[::1]', '::1'],
  ] as const) {
    const answer = await fetch(`http://${host}:${port}`)
    t.same(await answer.json(), { sender })
  }
})

t.test('an address that is named is the only one', async t => {
  const app = appOf()
  t.teardown(() => app.close())
  const url = await listen(app, { host: '127.0.0.1', port: 0 })
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  await t.rejects(fetch(url.replace('127.0.0.1', '[::1]')))
})

t.test("without IPv6 it listens by IPv4; any other fault is the caller's", async t => {
  const asked: unknown[] = []
  const appThat = (code: string) => ({
    listen(options: { host: string; port: number }) {
      asked.push(options.host)
      return options.host === '::'
        ? Promise.reject(Object.assign(new Error(code), { code }))
        : Promise.resolve(`http://127.0.0.1:${options.port}`)
    },
  })
  for (const code of ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL']) {
    const app: any = appThat(code)
    t.equal(await listen(app, { host: '::', port: 3000 }), 'http://127.0.0.1:3000')
  }
  t.same(asked, ['::', '0.0.0.0', '::', '0.0.0.0', '::', '0.0.0.0'])
  const busy: any = appThat('EADDRINUSE')
  await t.rejects(listen(busy, { host: '::', port: 3000 }), { code: 'EADDRINUSE' })
  // As the system itself says it: an IPv6 address that isn't ours.
  const app = appOf()
  t.teardown(() => app.close())
  await t.rejects(listen(app, { host: '2001:db8::1', port: 0 }), {
    code: 'EADDRNOTAVAIL',
  })
  t.match(
    await listen(app, { host: '127.0.0.1', port: 0 }),
    /127/,
    'and it may try again',
  )
})

t.test('an IPv4 address written as IPv6 is IPv4', t => {
  t.equal(senderOf({ ip: '::ffff:192.0.2.1' }), '192.0.2.1')
  t.equal(senderOf({ ip: '2001:db8::1' }), '2001:db8::1')
  t.equal(senderOf({}), undefined)
  t.end()
})
