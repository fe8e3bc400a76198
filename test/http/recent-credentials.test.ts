// What proves itself spends nothing of its address's limit, and an address that has spent it learns nothing
// about a secret.
import t from 'tap'
import { basic, serverOn, STORES } from '../conformance/helpers.ts'
import { API_SECRET } from '../support/app.ts'

const right = basic('orders-api', API_SECRET)
const wrong = (guess: number) => basic('orders-api', `guess ${guess}`)

for (const store of STORES) {
  t.test(`on ${store}`, async t => {
    t.test('no secret is looked at once the limit is spent', async t => {
      const server = await serverOn(t, store)
      server.live.max = 60
      const ask = async (headers: Record<string, string>) =>
        (await server.post('/introspect', { token: 'x' }, headers)).statusCode
      const guesses: number[] = []
      for (let guess = 0; guess < 150; guess++) guesses.push(await ask(wrong(guess)))
      t.same(guesses, [...Array(60).fill(401), ...Array(90).fill(429)])
      t.equal(await ask(right), 429, 'the right one neither')
    })

    t.test('a client that has just proved itself from there goes on', async t => {
      const server = await serverOn(t, store)
      server.live.max = 10
      const ask = async (headers: Record<string, string>) =>
        (await server.post('/introspect', { token: 'x' }, headers)).statusCode
      t.equal(await ask(right), 200)
      for (let guess = 0; guess < 20; guess++) await ask(wrong(guess))
      t.equal(await ask(wrong(20)), 429)
      t.equal(await ask(right), 200)
    })

    t.test('refreshes of one office are limited by session', async t => {
      const server = await serverOn(t, store)
      const sessions = []
      for (let user = 0; user < 10; user++) sessions.push(await server.login())
      server.live.max = 5
      server.live.maxPerSession = 2
      for (const { refresh_token: token } of sessions) {
        t.equal((await server.refresh(token)).statusCode, 200)
      }
      const [{ refresh_token: again } = { refresh_token: '' }] = sessions
      t.equal((await server.refresh(again)).statusCode, 200)
      t.match(await server.refresh(again), { statusCode: 429 })
    })

    t.test('nor an assertion or a secret in the form', async t => {
      const server = await serverOn(t, store)
      server.live.max = 5
      const ask = async (form: Record<string, string>) =>
        (await server.post('/introspect', { token: 'x', ...form })).statusCode
      const credentials = [
        { client_assertion: 'no.such.assertion' },
        { client_id: 'orders-api', client_secret: 'a guess' },
      ]
      for (let i = 0; i < 5; i++) t.not(await ask(credentials[i % 2] ?? {}), 429)
      for (const form of credentials) await ask(form)
      for (const form of credentials) t.equal(await ask(form), 429)
    })

    t.test('a client that authenticates has a limit of its own', async t => {
      const server = await serverOn(t, store)
      server.live.max = 2
      server.live.maxPerClient = 10
      const statuses = []
      for (let i = 0; i < 11; i++) {
        statuses.push(
          (await server.post('/introspect', { token: 'x' }, right)).statusCode,
        )
      }
      t.same(statuses, [...Array(10).fill(200), 429])
    })
  })
}
