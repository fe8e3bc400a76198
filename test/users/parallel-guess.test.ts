// Many guesses at one name at once: a try is counted before it is looked at, so no more are looked at than
// the allowance and what was under way.
import t from 'tap'
import { STORES } from '../conformance/helpers.ts'
import { ALLOWANCE, attacked } from '../support/attacked.ts'

/** Turns at a time of the tests' server: its concurrency, and one that talks to the store meanwhile. */
const SLOTS = 3

for (const store of STORES) {
  t.test(`1,000 guesses at one name at once, on ${store}`, async t => {
    const { server, send, logIn, looks } = await attacked(t, store, { connections: 200 })
    // A thousand sockets would ask more of the machine than of the server: these come by none.
    const inject: typeof send = async (name, password) => {
      const answer = await server.post('/token', {
        grant_type: 'password',
        client_id: 'mobile',
        username: name,
        password,
      })
      return { status: answer.statusCode, headers: answer.headers }
    }
    for (const { name, guesses, by } of [
      { name: 'alice', guesses: 1000, by: inject },
      { name: 'nobody', guesses: 200, by: inject },
      { name: 'somebody', guesses: 200, by: send },
    ]) {
      looks.count = 0
      const answers = await Promise.all(
        Array.from({ length: guesses }, (_, index) => by(name, `guess ${index}`)),
      )
      const counts = Object.groupBy(answers, ({ status }) => status)
      t.comment(
        `${name}: ${looks.count} looked at; ${Object.entries(counts)
          .map(([status, list]) => `${status}: ${list?.length}`)
          .join(', ')}`,
      )
      t.ok(
        looks.count >= 1 && looks.count <= ALLOWANCE + SLOTS,
        `${looks.count} passwords of ${name} were looked at`,
      )
      t.ok(
        (counts[400]?.length ?? 0) <= looks.count,
        'nobody is told that a password is wrong that was not looked at',
      )
      t.same(
        Object.keys(counts).filter(status => !['400', '429', '503'].includes(status)),
        [],
      )
      t.ok(
        answers.every(
          ({ status, headers }) =>
            status === 400 || /^[1-9]\d*$/.test(String(headers['retry-after'])),
        ),
        'who is not looked at is told when to come again',
      )
      // On a busy machine some waited in vain: their tries are left.
      for (let index = 0; index < ALLOWANCE; index++) {
        await logIn(name, `one more ${index}`)
      }
      t.match(await logIn(name, 'the last one'), { status: 429, error: 'slow_down' })
      t.ok(looks.count <= ALLOWANCE + SLOTS)
    }
  })
}
