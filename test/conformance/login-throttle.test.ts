// Too many failed logins, as a client and an attacker see them: 429 `slow_down`, the same for names that
// don't exist, and nothing else suffers.
import t from 'tap'
import { PASSWORD } from '../support/app.ts'
import { audited, refused, serverOn, STORES } from './helpers.ts'

const THROTTLED = { status: 429, error: 'slow_down' }
const WRONG = { status: 400, error: 'invalid_grant' }

for (const store of STORES) {
  t.test(`failed logins on ${store}`, async t => {
    const server = await serverOn(t, store)
    server.live.logins = {
      perName: 3,
      perNetwork: 1000,
      perPassword: 1000,
      maxDelay: 900_000,
      knownFor: 86_400_000,
    }
    const login = (
      username: string,
      password: string,
      remoteAddress: string,
      headers = {},
    ) =>
      server.app.inject({
        method: 'POST',
        url: '/token',
        remoteAddress,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        payload: new URLSearchParams({
          grant_type: 'password',
          client_id: 'mobile',
          username,
          password,
        }).toString(),
      })
    let guesses = 0
    const guess = (username: string, from: string, headers = {}) => {
      guesses += 1
      return login(username, `wrong guess ${guesses}`, from, headers)
    }
    const { refresh_token: session } = await server.login()

    t.test(
      'after so many of one name from one network, 429 with Retry-After; an unknown name is answered alike',
      async t => {
        const answers = []
        for (const [name, from] of [
          ['alice', '198.51.100.1'],
          ['nobody', '203.0.113.1'],
        ] as const) {
          for (let failure = 0; failure < 3; failure++) {
            refused(t, await guess(name, from), WRONG)
          }
          const answer = await guess(name, from)
          refused(t, answer, THROTTLED)
          t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
          // What tells the time, and which request it was, differs between any two.
          const {
            date,
            'ratelimit-reset': reset,
            'x-request-id': id,
            ...headers
          } = answer.headers
          t.match([reset, id], [/^\d+$/, /./])
          answers.push({ headers, body: answer.body })
        }
        t.same(answers[0], answers[1])
      },
    )

    t.test(
      "the whole network is meant, the right password doesn't help, and no header buys a way out",
      async t => {
        refused(t, await login('alice', PASSWORD, '198.51.100.77'), THROTTLED)
        refused(
          t,
          await guess('ALICE', '198.51.100.1', {
            'x-forwarded-for': '192.0.2.99',
            forwarded: 'for=192.0.2.99',
          }),
          THROTTLED,
        )
      },
    )

    t.test('other networks, other names and refreshes go on', async t => {
      t.equal((await login('alice', PASSWORD, '192.0.2.50')).statusCode, 200)
      refused(t, await guess('somebody', '198.51.100.1'), WRONG)
      t.equal((await server.refresh(session)).statusCode, 200)
    })

    t.test(
      'when the time is over the right password gets in, and is told to nobody else',
      async t => {
        server.clock.advance(900_000)
        t.equal((await login('alice', PASSWORD, '198.51.100.1')).statusCode, 200)
        const [alice, nobody] = audited(server, /^login\.throttled$/)
        t.match(alice, {
          clientId: 'mobile',
          username: /^h:/,
          network: '198.51.100.0/24',
          sub: (await server.accounts.find('alice'))?.sub,
        })
        t.match(nobody, { username: /^h:/, network: '203.0.113.0/24' })
        t.notOk('sub' in Object(nobody), 'where nobody has the name there is no account')
        t.notOk(
          server.lines.some(line => line.includes('wrong guess')),
          'but no password',
        )
      },
    )
  })
}
