// A proxy that http.trustedProxies doesn't name is noticed: by a metric, and once in the log.
import t, { type Test } from 'tap'
import { createProxyDetector, ENOUGH } from '../../src/http/callers/missing-proxy.ts'
import { serverOn } from '../conformance/helpers.ts'
import type { TestAppOptions } from '../support/app.ts'

const PROXY = '10.0.0.7'
const USER = '203.0.113.9'
const FORWARDED = { 'x-forwarded-for': USER }

/** A watch, how to send it many requests, and the addresses that it found. */
function watchWith(...trustedProxies: string[]) {
  const found: string[] = []
  const watch = createProxyDetector({
    trustedProxies,
    report: address => {
      found.push(address)
    },
  })
  const send = (
    count: number,
    addresses: ReadonlyArray<string | undefined>,
    headers: Record<string, unknown> = {},
  ) => {
    for (let i = 0; i < count; i++) {
      watch.note({ address: addresses[i % addresses.length], headers })
    }
    return watch.isProxyMissing()
  }
  return { send, found }
}

t.test('all requests come from one private address', async t => {
  for (const address of [
    PROXY,
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.1.1',
    '::1',
    'fd00::1',
    'fe80::1',
    '::ffff:10.0.0.7',
  ]) {
    const { send, found } = watchWith()
    t.notOk(send(ENOUGH - 1, [address]), `${address}: not enough yet`)
    t.ok(send(1, [address]), address)
    t.ok(send(ENOUGH, [address]))
    t.same(found, [address], 'found once')
  }
})

t.test('several proxies that say for whom they ask', async t => {
  const { send } = watchWith()
  t.ok(send(ENOUGH, [PROXY, '10.0.0.8', '10.0.0.9'], FORWARDED))
  t.notOk(send(1, ['10.0.0.8']), 'one of them without: no proxies')
  t.notOk(send(ENOUGH - 2, ['10.0.0.8']), 'that one begins anew')
  t.ok(send(1, ['10.0.0.8']))
  const apart = watchWith()
  t.notOk(apart.send(3 * ENOUGH, [PROXY, '10.0.0.8']), 'two users of one company')
})

t.test('what is as it should be is never taken for that', async t => {
  for (const [name, trusted, addresses, headers] of [
    ['users of the Internet', [], [USER, '2001:db8::1'], {}],
    ['one of them', [], [USER], {}],
    ['one among many private ones', [], [...Array(ENOUGH - 1).fill(PROXY), USER], {}],
    ['a proxy that is named', [PROXY], [PROXY], FORWARDED],
    ['a range of them', ['10.0.0.0/28'], [PROXY, '10.0.0.8'], FORWARDED],
    ['a back end that names its users', [], [PROXY], { 'latchkey-forwarded-for': USER }],
    ['connections that have ended', [], [undefined], {}],
  ] as const) {
    const { send, found } = watchWith(...trusted)
    t.notOk(send(3 * ENOUGH, addresses, headers), name)
    t.same(found, [], name)
  }
})

t.test('another proxy than the one that is named; once it is, all is well', async t => {
  const { send, found } = watchWith('10.0.0.8')
  t.ok(send(ENOUGH, [PROXY], FORWARDED))
  t.notOk(send(1, ['10.0.0.8'], FORWARDED))
  t.ok(send(ENOUGH, [PROXY], FORWARDED))
  t.same(found, [PROXY], 'found once')
})

/** What a server says after enough requests for tokens from one address. */
async function saidOf(t: Test, options: TestAppOptions) {
  const server = await serverOn(t, 'SQLite', { ...options, logLevel: 'warn' })
  const { pathname } = new URL(options.issuer ?? 'https://id.example.com')
  const send = (method: 'GET' | 'POST', url: string, remoteAddress: string) =>
    server.app.inject({ method, url, remoteAddress })
  for (let i = 0; i < ENOUGH; i++) {
    await send('POST', i % 2 === 0 ? '/token' : `${pathname}/token`, PROXY)
    if (i % 50 === 0) await send('GET', '/userinfo', USER)
  }
  const [, value] =
    /^latchkey_proxy_untrusted (\d)$/m.exec(await server.metrics.render()) ?? []
  const warnings = server.lines.filter(line => line.includes('http.trustedProxies'))
  return { value, warnings }
}

t.test('a server shows it and logs it once, by its requests for tokens', async t => {
  const { value, warnings } = await saidOf(t, { issuer: 'https://id.example.com/auth' })
  t.equal(value, '1')
  t.equal(warnings.length, 1)
  t.match(JSON.parse(String(warnings)), {
    level: 40,
    address: PROXY,
    msg: /not in http\.trustedProxies/,
  })
})

t.test('where the issuer is this machine nothing is said', async t => {
  const said = await saidOf(t, { issuer: 'http://localhost:3000/auth' })
  t.same(said, { value: '0', warnings: [] })
})
