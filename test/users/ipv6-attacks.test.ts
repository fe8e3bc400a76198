// Attacks from a whole IPv6 network, of which its owner has as many /64s as they like: how many guesses are
// looked at, and who gets in meanwhile.
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { STORES } from '../conformance/helpers.ts'
import { PASSWORD } from '../support/app.ts'
import { ALLOWANCE, attacked } from '../support/attacked.ts'

const FROM_PROXY = { trustedProxies: ['127.0.0.0/8'] }

const from = (address: string) => ({ 'x-forwarded-for': address })

/** An address in one of the /64s of a /48, spread over its /56s. */
const inSite = (number: number, host = 1) =>
  `2001:db8:7:${(number * 257).toString(16)}::${host.toString(16)}`

for (const store of STORES) {
  t.test(`60 /64s of one /48 guess at one name, on ${store}`, async t => {
    const { server, logIn, looks } = await attacked(t, store, FROM_PROXY)
    await logIn('alice', PASSWORD, from('2001:db8:7:ffff::1'))
    looks.count = 0
    for (let guess = 0; guess < 6; guess++) {
      await Promise.all(
        Array.from({ length: 60 }, (_, network) =>
          logIn(
            'alice',
            `guess ${guess} of ${network}`,
            from(inSite(network, guess + 1)),
          ),
        ),
      )
    }
    t.ok(looks.count >= ALLOWANCE && looks.count <= 4 * ALLOWANCE, `${looks.count} looks`)

    looks.count = 0
    for (let guess = 0; guess < 30; guess++) {
      await logIn('bob', `guess ${guess}`, from(`2001:db8:8:${(guess % 3) + 1}::1`))
    }
    t.equal(looks.count, 2 * ALLOWANCE, 'of one /56 it is less')

    t.equal(
      (await logIn('alice', PASSWORD, from('2001:db8:7:ffff::2'))).status,
      200,
      'the owner gets in from home, in the same /48',
    )
    t.equal((await logIn('alice', PASSWORD, from('2001:db8:9::1'))).status, 200)
    t.equal(
      (await logIn('alice', 'one more', from(inSite(61)))).status,
      429,
      'a /64 that was never seen is no way out',
    )
    server.clock.advance(24 * 60 * 60_000)
    t.equal((await logIn('alice', 'one more', from(inSite(61)))).status, 400)
  })

  t.test(`a whole /48 guesses at many names, on ${store}`, async t => {
    const { server, logIn, looks } = await attacked(t, store, FROM_PROXY)
    server.live.logins = { ...server.live.logins, perNetwork: 10 }
    for (let guess = 0; guess < 60; guess++) {
      await logIn(`user-${guess}`, `guess ${guess}`, from(inSite(guess)))
    }
    t.equal(looks.count, 40)
  })
}

const USERS = 14
const HASH_MS = 20
const NETWORKS = 100

/**
 * Many networks ask without a pause, each for a name of its own, while users log in at home. Resolves to how
 * many of those got in, each at the first try.
 */
async function logInBeside(
  t: Test,
  addressOf: (network: number) => string,
): Promise<number> {
  const { server, send, logIn } = await attacked(t, 'SQLite', {
    ...FROM_PROXY,
    connections: 2 * NETWORKS,
    hashMs: HASH_MS,
    queue: 32,
    maxWait: 1500,
  })
  const users = Array.from({ length: USERS }, (_, index) => ({
    name: `user-${index}`,
    home: from(`192.0.${index + 100}.7`),
  }))
  for (const { name, home } of users) {
    await server.accounts.add({ name, password: PASSWORD, scopes: null, roles: [] })
    t.equal((await logIn(name, PASSWORD, home)).status, 200)
  }
  const attack = { goesOn: true, asked: 0 }
  const attackers = Array.from({ length: NETWORKS }, async (_, network) => {
    while (attack.goesOn) {
      attack.asked += 1
      await send(
        `name-${attack.asked}`,
        `guess ${attack.asked}`,
        from(addressOf(network)),
      )
      await wait(10)
    }
  })
  await wait(500)
  let gotIn = 0
  for (const { name, home } of users) {
    const { status } = await send(name, PASSWORD, home)
    if (status === 200) gotIn += 1
    else t.equal(status, 503, 'nobody is told that the password is wrong')
  }
  attack.goesOn = false
  await Promise.all(attackers)
  t.comment(`${gotIn} of ${USERS} got in beside ${attack.asked} guesses`)
  return gotIn
}

for (const [attack, addressOf] of [
  [`${NETWORKS} /64s of one /48`, (network: number) => inSite(network)],
  [`${NETWORKS} /48s`, (network: number) => `2001:db8:${(network + 1).toString(16)}::1`],
  [`${NETWORKS} networks of IPv4`, (network: number) => `10.0.${network}.1`],
] as const) {
  t.test(`known users get in beside an attack from ${attack}`, async t => {
    const most = 0.9 * USERS
    let gotIn = 0
    // A machine that others hold up may let a login wait for too long.
    for (let tries = 0; tries < 3 && gotIn < most; tries++) {
      gotIn = await logInBeside(t, addressOf)
    }
    t.ok(gotIn >= most, `${gotIn} of ${USERS}`)
  })
}
