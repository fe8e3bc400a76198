// The long form of the siege in attacks.test.ts: 10,000 guesses at one name from 100 networks, and a network
// that goes on all day. By hand: LATCHKEY_SIEGE_GUESSES=10000 npx tap --disable-coverage --timeout=36000
// test/users/siege.tools.ts
import t from 'tap'
import { STORES } from '../conformance/helpers.ts'
import { PASSWORD } from '../support/app.ts'
import { ALLOWANCE, attacked, besiege } from '../support/attacked.ts'

const NETWORKS = 100
/** Of each network. */
const GUESSES = Number(process.env['LATCHKEY_SIEGE_GUESSES'] ?? 100)
const DAY = 86_400_000
const TRIES_A_DAY = 10_000
/** The allowance, the delays of 1 s to 512 s, one try per longest delay then. */
const MOST_A_DAY = ALLOWANCE + 10 + DAY / 900_000

const HOME = '192.0.2.'

for (const store of STORES) {
  t.test(`${NETWORKS} networks with ${GUESSES} guesses each, on ${store}`, async t => {
    const { logIn, looks } = await attacked(t, store, {
      trustedProxies: ['127.0.0.0/8'],
      connections: 8,
    })
    t.equal(
      (await logIn('alice', PASSWORD, { 'x-forwarded-for': `${HOME}7` })).status,
      200,
    )
    looks.count = 0
    const startedAt = performance.now()
    const looked = await besiege({ logIn }, { networks: NETWORKS, guesses: GUESSES })
    t.comment(
      `${NETWORKS * GUESSES} guesses in ${((performance.now() - startedAt) / 1000).toFixed(0)} s: ` +
        `${looks.count} looked at, at most ${Math.max(...looked)} of a network`,
    )
    t.same(
      looked,
      Array(NETWORKS).fill(ALLOWANCE),
      'no network got more than its allowance',
    )
    t.equal(looks.count, NETWORKS * ALLOWANCE)
    t.equal(
      (await logIn('alice', PASSWORD, { 'x-forwarded-for': `${HOME}99` })).status,
      200,
      'the owner gets in from home at the first try',
    )
  })

  t.test(`a network that guesses all day long, on ${store}`, async t => {
    const { server, logIn, looks } = await attacked(t, store)
    for (let guess = 0; guess < TRIES_A_DAY; guess++) {
      await logIn('alice', `guess ${guess}`)
      server.clock.advance(DAY / TRIES_A_DAY)
    }
    t.comment(`${TRIES_A_DAY} guesses in a day: ${looks.count} looked at`)
    t.ok(
      looks.count >= ALLOWANCE && looks.count <= MOST_A_DAY,
      `${looks.count} of at most ${MOST_A_DAY}`,
    )
  })
}
