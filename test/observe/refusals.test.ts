// Clients that don't prove who they are, in the audit log: whom they claimed to be, from where and how, and
// that no number of them fills the disk.
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import type { Event } from '../../src/base/events/events.ts'
import { foldRefusals } from '../../src/observe/fold-refusals.ts'
import { audited, basic, rawBasic, serverOn } from '../conformance/helpers.ts'
import { buildTestApp } from '../support/app.ts'
import { until } from '../support/until.ts'

const SECRET = 'web-secret'
const LONG_ID = 'x'.repeat(100)
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const base64url = (text: string) => Buffer.from(text).toString('base64url')
const unsigned = (claims: unknown) =>
  `${base64url('{"alg":"ES256"}')}.${base64url(JSON.stringify(claims))}.x`

const refusals: ReadonlyArray<{
  name: string
  headers?: Record<string, string>
  params?: Record<string, string>
  event: Record<string, unknown>
}> = [
  {
    name: 'a wrong secret in the header',
    headers: basic('web', 'guess'),
    event: {
      reason: 'client_secret_wrong',
      method: 'client_secret_basic',
      clientId: 'web',
    },
  },
  {
    name: 'a wrong secret in the body',
    params: { client_id: 'web', client_secret: 'guess' },
    event: {
      reason: 'client_secret_wrong',
      method: 'client_secret_post',
      clientId: 'web',
    },
  },
  {
    name: 'an unknown public client',
    params: { client_id: 'nobody' },
    event: { reason: 'client_unknown', method: 'none', clientId: 'nobody' },
  },
  {
    name: 'no client at all',
    event: { reason: 'client_missing', method: 'none', clientId: undefined },
  },
  {
    name: 'an assertion in the name of a client without keys',
    params: {
      client_assertion: unsigned({ sub: 'web' }),
      client_assertion_type: JWT_BEARER,
    },
    event: {
      reason: 'assertion_not_allowed',
      method: 'private_key_jwt',
      clientId: 'web',
    },
  },
  {
    name: 'an assertion that names something else than a client',
    params: {
      client_assertion: unsigned({ sub: { id: 'web' } }),
      client_assertion_type: JWT_BEARER,
    },
    event: { method: 'private_key_jwt', clientId: undefined },
  },
  {
    name: 'an assertion that nobody can read',
    params: {
      client_assertion: 'x',
      client_assertion_type: JWT_BEARER,
      client_id: 'web',
    },
    event: {
      reason: 'assertion_malformed',
      method: 'private_key_jwt',
      clientId: 'web',
    },
  },
  {
    name: 'a header that nobody can read',
    headers: { authorization: 'Basic ***' },
    params: { client_id: 'web' },
    event: {
      reason: 'malformed_request',
      method: 'client_secret_basic',
      clientId: 'web',
    },
  },
  {
    name: 'an id that would break the line, or pass for another',
    params: {
      client_assertion: unsigned({ sub: 'a\n\u001B[31m\u009B\u202Eb\\💩\uD800' }),
      client_assertion_type: JWT_BEARER,
    },
    event: {
      clientId: 'a\\u{a}\\u{1b}[31m\\u{9b}\\u{202e}b\\u{5c}\\u{1f4a9}\\u{d800}',
    },
  },
  {
    name: 'another alphabet that looks like ours',
    headers: rawBasic('%d1%85eb:guess'),
    event: { clientId: '\\u{445}eb' },
  },
  {
    name: 'an id without an end',
    params: { client_id: LONG_ID, client_secret: 'guess' },
    event: { clientId: `${'x'.repeat(64)}...` },
  },
  {
    name: 'an id that nobody has, and that looks like a secret',
    params: { client_id: '3q2-7wAAqZk4mY0hS9dN2bVtR8xLc5pJ1fG6uEiOaBk' },
    event: { clientId: '3q2-7wAA...' },
  },
  {
    name: 'an id that nobody has, of many words',
    params: { client_id: 'orders-service-of-the-7th-floor' },
    event: { clientId: 'orders-service-of-the-7th-floor' },
  },
  {
    name: 'id and secret swapped: a secret is never logged',
    headers: basic(SECRET, 'web'),
    event: {
      reason: 'client_unknown',
      method: 'client_secret_basic',
      clientId: undefined,
    },
  },
]

t.test('a refusal names whom the request claimed, from where and how', async t => {
  const server = await serverOn(t, 'SQLite')
  for (const [index, { name, headers = {}, params = {}, event }] of refusals.entries()) {
    const answer = await server.app.inject({
      method: 'POST',
      url: '/introspect',
      remoteAddress: `198.51.${index}.7`,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      payload: new URLSearchParams({ token: 'x', ...params }).toString(),
    })
    t.ok([400, 401].includes(answer.statusCode), `${name}: ${answer.statusCode}`)
    const [last] = audited(server, /^client\.refused$/).slice(-1)
    t.match(last, { network: `198.51.${index}.0/24` }, name)
    for (const [key, value] of Object.entries(event)) {
      t.same(last?.[key], value, `${name}: ${key}`)
    }
  }
  t.equal(audited(server, /^client\.refused$/).length, refusals.length)
  t.notOk(
    server.lines.some(line => line.includes(SECRET)),
    'no line holds the secret',
  )
})

t.test('after a reload the new secrets are known as such', async t => {
  const server = await serverOn(t, 'SQLite')
  server.clients.replace([])
  await server.post('/introspect', { token: 'x' }, basic(SECRET, 'web'))
  t.match(audited(server, /^client\.refused$/), [{ clientId: SECRET }])
})

t.test('150 wrong secrets of one network are four lines', async t => {
  const server = await buildTestApp()
  for (let guess = 0; guess < 150; guess++) {
    await server.post('/introspect', { token: 'x' }, basic('web', `guess ${guess}`))
    server.clock.advance(100)
  }
  t.equal(audited(server, /^client\.refused$/).length, 3)
  await server.close()
  const [first, , third, folded] = audited(server, /^client\.refused$/)
  t.notOk('count' in Object(first) || 'count' in Object(third))
  t.match(folded, { clientId: 'web', reason: 'client_secret_wrong', count: 147 })
  t.equal(Number(folded?.['lastAt']) - Number(folded?.['firstAt']), 146 * 100)
  t.match(
    await server.metrics.render(),
    /^latchkey_audit_events_total\{type="client\.refused",reason="client_secret_wrong"\} 150$/m,
    'the metric counts each',
  )
})

type Refusal = Extract<Event, { type: 'client.refused' }>
const refusal = (more: Partial<Refusal> = {}): Refusal => ({
  type: 'client.refused',
  reason: 'client_secret_wrong',
  method: 'client_secret_basic',
  network: '192.0.2.0/24',
  clientId: 'web',
  ...more,
})

function setUp(options: { foldMs?: number; most?: number } = {}) {
  const events: Event[] = []
  let now = 1000
  const folded = foldRefusals({
    emit: event => events.push(event),
    clock: () => (now += 1),
    ...options,
  })
  return { events, ...folded }
}

const three = (emit: (event: Event) => void, more: Partial<Refusal> = {}) => {
  for (let i = 0; i < 3; i++) emit(refusal(more))
}

t.test('what is not the same is not folded, but ids that somebody made up are', t => {
  const { events, emit, close } = setUp()
  three(emit)
  three(emit, { clientId: 'mobile' })
  three(emit, { network: '192.0.3.0/24' })
  three(emit, { reason: 'assertion_invalid' })
  emit({ type: 'password.upgraded', sub: 'x' })
  t.equal(events.length, 13)
  for (let id = 0; id < 100; id++) {
    emit(refusal({ reason: 'client_unknown', clientId: `made up ${id}` }))
  }
  emit(refusal())
  t.equal(events.length, 16)
  close()
  t.match(events.slice(16), [
    { clientId: 'web', count: 1 },
    { reason: 'client_unknown', count: 97, clientId: undefined },
  ])
  close()
  t.equal(events.length, 18, 'and nothing twice')
  t.end()
})

t.test('what goes on is one line in each span, and ends with it', async t => {
  const { events, emit } = setUp({ foldMs: 20 })
  three(emit)
  emit(refusal())
  await until(() => events.length === 4)
  emit(refusal())
  emit(refusal())
  await until(() => events.length >= 5)
  t.match(events.slice(2), [{ count: undefined }, { count: 1 }, {}])
  await until(async () => {
    await wait(60)
    const before = events.length
    emit(refusal())
    return events.length > before && !('count' in Object(events.at(-1)))
  })
  t.pass('after a quiet span the next one is written at once')
})

t.test('no more of them are told apart than there is room for', t => {
  const { events, emit } = setUp({ most: 2 })
  three(emit)
  emit(refusal())
  three(emit, { network: '192.0.3.0/24' })
  t.equal(events.length, 6)
  emit(refusal({ network: '192.0.4.0/24' }))
  t.match(events.slice(6), [{ network: '192.0.4.0/24' }, { count: 1 }])
  emit(refusal({ network: '192.0.5.0/24' }))
  t.equal(events.length, 9, 'nothing is written of a fold that holds nothing')
  t.end()
})
