// Attacks on passwords over HTTP: many spellings, forged addresses, many networks. What counts is how many
// guesses are looked at.
import t from 'tap'
import { STORES } from '../conformance/helpers.ts'
import { PASSWORD } from '../support/app.ts'
import { ALLOWANCE, attacked, besiege } from '../support/attacked.ts'

const subOf = (token = '') =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub

for (const store of STORES) {
  t.test(`200 spellings of one name have one count, on ${store}`, async t => {
    const { logIn, looks } = await attacked(t, store)
    const spellings = ['a', 'A', 'ａ', 'Ⓐ', '𝐚'].flatMap(a =>
      ['l', 'L', 'ｌ', 'ⓛ', '𝓵'].flatMap(l =>
        ['i', 'I', 'ｉ', 'ı'].flatMap(i => [`${a}${l}${i}ce`, `${a}${l}${i}ＣＥ`]),
      ),
    )
    t.equal(new Set(spellings).size, 200)
    const statuses: number[] = []
    for (const [index, name] of spellings.entries()) {
      statuses.push((await logIn(name, `guess ${index}`)).status)
    }
    t.same(statuses, [...Array(ALLOWANCE).fill(400), ...Array(200 - ALLOWANCE).fill(429)])
    t.equal(looks.count, ALLOWANCE)
  })

  t.test(
    `a forged address changes nothing, a trusted proxy's word counts, on ${store}`,
    async t => {
      const forged = (index: number, more = {}) => ({
        'x-forwarded-for': `198.51.${index}.1`,
        forwarded: `for=198.51.${index}.1`,
        'latchkey-forwarded-for': `198.51.${index}.1`,
        ...more,
      })
      const untrusting = await attacked(t, store, { trustedProxies: ['10.0.0.0/8'] })
      const behindProxy = await attacked(t, store, { trustedProxies: ['127.0.0.0/8'] })
      const statuses = {
        stranger: [] as number[],
        chain: [] as number[],
        proxy: [] as number[],
      }
      for (let index = 0; index < 20; index++) {
        statuses.stranger.push(
          (await untrusting.logIn('alice', `guess ${index}`, forged(index))).status,
        )
        // What a client claims stands before what the proxy saw.
        statuses.chain.push(
          (
            await behindProxy.logIn(
              'alice',
              `guess ${index}`,
              forged(index, {
                'x-forwarded-for': `198.51.${index}.1, 203.0.113.${index}`,
              }),
            )
          ).status,
        )
      }
      for (let index = 0; index < 20; index++) {
        statuses.proxy.push(
          (await behindProxy.logIn('alice', `more ${index}`, forged(index))).status,
        )
      }
      const limited = [...Array(ALLOWANCE).fill(400), ...Array(20 - ALLOWANCE).fill(429)]
      t.same(statuses, { stranger: limited, chain: limited, proxy: Array(20).fill(400) })
      t.equal(untrusting.looks.count, ALLOWANCE)
    },
  )

  t.test(
    `a name's variants are one account with one count, or nobody's, on ${store}`,
    async t => {
      const { server, logIn, looks } = await attacked(t, store)
      await server.accounts.add({
        name: 'zoë.o',
        password: PASSWORD,
        scopes: null,
        roles: [],
      })
      const sub = subOf((await logIn('zoë.o', PASSWORD)).token)
      const [same, nobody] = [
        [
          'ZOË.O',
          'Zoe\u0308.o',
          'ｚｏë.o',
          'ZOE\u0308．Ｏ',
          'zoë.o ',
          '\u00A0zoë.o\u200E',
        ],
        [
          'zoë.o.',
          'zoë.o…',
          'zoë .o',
          'zoë.\u3000o',
          'zoë\u00A0.o',
          'zoë.o\u0300\u200D',
          'zo\u00ADë.o',
        ],
      ]
      for (const name of same) {
        t.equal(subOf((await logIn(name, PASSWORD)).token), sub, name)
      }
      for (const [index, name] of nobody.entries()) {
        const { status, error } = await logIn(name, `${PASSWORD}${index}`)
        t.match({ status, error }, { status: 400, error: 'invalid_grant' }, name)
      }
      looks.count = 0
      for (let index = 0; index < 20; index++) {
        await logIn(same[index % same.length] ?? '', `guess ${index}`)
      }
      t.equal(looks.count, ALLOWANCE)
      t.match(await logIn('zoë.o', PASSWORD), { status: 429, error: 'slow_down' })
    },
  )

  t.test(`a siege of 100 networks at one name, on ${store}`, async t => {
    const { server, logIn, looks } = await attacked(t, store, {
      trustedProxies: ['127.0.0.0/8'],
      connections: 8,
    })
    t.equal(
      (await logIn('alice', PASSWORD, { 'x-forwarded-for': '192.0.2.7' })).status,
      200,
    )
    looks.count = 0
    t.same(
      await besiege({ logIn }, { networks: 100, guesses: 7 }),
      Array(100).fill(ALLOWANCE),
      'no network got more than its allowance',
    )
    t.equal(looks.count, 100 * ALLOWANCE)
    t.equal(
      (await logIn('alice', PASSWORD, { 'x-forwarded-for': '192.0.2.99' })).status,
      200,
      'the owner gets in from home at the first try',
    )
    t.equal(
      (await logIn('alice', PASSWORD, { 'x-forwarded-for': '10.0.0.1' })).status,
      429,
    )
    server.clock.advance(86_400_000)
    t.equal(
      (await logIn('alice', PASSWORD, { 'x-forwarded-for': '10.0.0.1' })).status,
      200,
      'and from anywhere when it is over',
    )
  })
}
