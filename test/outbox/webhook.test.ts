// The webhook over real sockets: signed so that the Standard Webhooks library of npm verifies it, and what is
// made of receivers that are slow, lie, redirect or are not to be asked at all.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import t, { type Test } from 'tap'
import { createPostForStatus } from '../../src/clients/guarded-post.ts'
import { DeliveryFailed } from '../../src/outbox/delivery.ts'
import { createWebhook, type WebhookSettings } from '../../src/outbox/webhook.ts'
import { SOON_MS } from '../support/until.ts'
import { receiver, someMessage } from './support.ts'

const secret = () => `whsec_${randomBytes(32).toString('base64')}`
const [FIRST, SECOND] = [secret(), secret()]
const never = () => new AbortController().signal

function senderTo(url: string, changes: Partial<WebhookSettings> = {}, now = Date.now) {
  return createWebhook({
    settings: () => ({
      url,
      secrets: [FIRST],
      allowPrivate: true,
      attributes: ['tenant', 'nothing'],
      ...changes,
    }),
    post: createPostForStatus({ timeoutMs: SOON_MS }),
    clock: now,
  })
}

async function failsWith(t: Test, sending: Promise<void>, message: RegExp | string) {
  await t.rejects(sending, { name: 'DeliveryFailed', message, isFinal: false })
}

t.test('the library verifies what was sent, under each of two secrets', async t => {
  const hook = await receiver(t)
  await senderTo(hook.url, { secrets: [FIRST, SECOND] })(someMessage(), never())
  const [{ headers, body } = { headers: {}, body: '' }] = hook.hooks
  const signed = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, String(value)]),
  )
  for (const each of [FIRST, SECOND]) {
    t.strictSame(new Webhook(each).verify(body, signed), {
      type: 'ticket.recovery',
      timestamp: '2026-11-29T04:00:00.000Z',
      data: {
        sub: 'sub-of-alice',
        name: 'alice',
        email: 'alice@example.com',
        locale: 'de',
        network: '192.0.2.0/24',
        ticket: 'tk_canary',
        code: '12345678',
        expiresAt: '2026-11-29T04:30:00.000Z',
        attributes: { tenant: 'acme' },
      },
    })
  }
  t.equal(headers['content-type'], 'application/json')
  t.equal(headers['webhook-id'], 'msg_1')
  const webhook = new Webhook(FIRST)
  t.throws(() => new Webhook(secret()).verify(body, signed), 'another secret')
  t.throws(() => webhook.verify(body.replace('alice', 'mallory'), signed), 'another body')
  t.throws(
    () => webhook.verify(body, { ...signed, 'webhook-id': 'msg_2' }),
    'another message',
  )
})

t.test('a replayed webhook is old, and its id says that it was there', async t => {
  const hook = await receiver(t)
  const send = senderTo(hook.url, {}, () => Date.now() - 10 * 60_000)
  await send(someMessage(), never())
  await send(someMessage(), never())
  const [first, second] = hook.hooks
  t.equal(first?.headers['webhook-id'], second?.headers['webhook-id'])
  const signed = { ...first?.headers } as Record<string, string>
  t.throws(() => new Webhook(FIRST).verify(first?.body ?? '', signed), /too old/)
})

t.test('what carries no ticket and is about nobody any more says less', async t => {
  const hook = await receiver(t)
  const gone = {
    type: 'account.deleted',
    ticket: undefined,
    email: undefined,
    attributes: {},
  } as const
  await senderTo(hook.url)(someMessage({ ...gone, sid: 'sid-1' }), never())
  t.strictSame(JSON.parse(String(hook.hooks[0]?.body)).data, {
    sub: 'sub-of-alice',
    name: 'alice',
    locale: 'de',
    network: '192.0.2.0/24',
    sid: 'sid-1',
    attributes: {},
  })
})

t.test('anything but 2xx has not arrived; nobody follows a redirect', async t => {
  const hook = await receiver(t)
  const elsewhere = await receiver(t)
  const send = senderTo(hook.url)
  for (const status of [301, 302, 307, 308, 400, 404, 429, 500, 503]) {
    hook.answer = response => {
      response.writeHead(status, { location: elsewhere.url }).end('no')
    }
    await failsWith(t, send(someMessage(), never()), `status ${status}`)
  }
  t.equal(elsewhere.hooks.length, 0)
  for (const status of [200, 201, 202, 299]) {
    hook.answer = response => {
      response.writeHead(status).end('x'.repeat(100_000))
    }
    await send(someMessage(), never())
  }
})

t.test(
  'a body that never ends, or is shorter than it says, is not waited for',
  async t => {
    const hook = await receiver(t)
    const send = senderTo(hook.url)
    hook.answer = response => {
      response.writeHead(200).write('and so on')
    }
    await send(someMessage(), never())
    hook.answer = response => {
      response.writeHead(200, { 'content-length': '1000' }).write('short')
      setImmediate(() => response.destroy())
    }
    await send(someMessage(), never())
  },
)

t.test('who does not answer is not waited for', async t => {
  const hook = await receiver(t)
  hook.answer = () => {}
  const timeout = AbortSignal.timeout(50)
  await failsWith(t, senderTo(hook.url)(someMessage(), timeout), /^no answer: /)
})

t.test('a head without end, and what is no HTTP, are no answer', async t => {
  const answers = [`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`, 'hello\r\n\r\n', '']
  for (const answer of answers) {
    const server = createServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end(answer))
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    const sending = senderTo(`http://127.0.0.1:${port}/`)(someMessage(), never())
    await failsWith(t, sending, /^no answer: /)
  }
})

t.test('private addresses are asked only where that is allowed', async t => {
  const hook = await receiver(t)
  const guarded = { allowPrivate: false }
  const refused = /^no answer: the address is not allowed$/
  const { port } = new URL(hook.url)
  await failsWith(t, senderTo(hook.url, guarded)(someMessage(), never()), refused)
  for (const host of ['localhost', '[::1]', '169.254.169.254', '10.0.0.1', '0.0.0.0']) {
    const sending = senderTo(`http://${host}:${port}/`, guarded)(someMessage(), never())
    await failsWith(t, sending, refused)
  }
  t.equal(hook.hooks.length, 0)
})

t.test('nobody there is a failure, which names no ticket and no address', async t => {
  const error = await senderTo('http://127.0.0.1:1/')(someMessage(), never()).then(
    () => undefined,
    (error: unknown) => error,
  )
  t.ok(error instanceof DeliveryFailed)
  t.equal(String(error), 'DeliveryFailed: no answer: ECONNREFUSED')
  t.notMatch(JSON.stringify(error), /canary|alice/)
})
