// The benches start, measure and print: nobody would notice before the next release that they don't. No
// figure is looked at.
import t from 'tap'
import { runChild } from '../support/children.ts'

const bench = (name: string) => new URL(`../../bench/${name}`, import.meta.url).pathname

/** Its cells: CPU or requests a second of both, and their ratio or that it isn't resolved. */
const rowOf = (name: string) =>
  new RegExp(
    `^\\| ${name} +\\| +[\\d.]+ µs \\| +[\\d.]+ µs \\| +([\\d.]+|not resolved) \\| +[\\d.]+ to [\\d.]+ \\|`,
    'm',
  )
const SHORT = '--rounds 1 --warm-up 1 --starts 1 --requests 40 --connections 2'.split(' ')

t.test(
  'npm run bench prints each endpoint beside its floor, and the bytes of a family',
  async t => {
    const { stdout } = await runChild(process.execPath, [
      bench('bench.ts'),
      ...SHORT,
      '--hashes',
      '2',
      '--refreshes',
      '20',
    ])
    for (const name of [
      'refresh',
      'refresh, floor with a limit',
      'introspection',
      'introspection, first sight',
      'JWKS',
      'password',
    ]) {
      t.match(stdout, rowOf(name), name)
    }
    t.match(stdout, /pinned/, 'where everybody ran')
    t.match(stdout, /^bytes per family: \d+ all in .* after 20 refreshes: \d+$/m)
  },
)

t.test('npm run bench -- --sqlite says by how much the event loop was late', async t => {
  const { stdout } = await runChild(process.execPath, [
    bench('bench.ts'),
    ...SHORT,
    '--no-pin',
    '--sqlite',
    '--beside',
    '.',
    '--only',
    'refresh',
  ])
  t.match(stdout, rowOf('refresh'))
  t.match(stdout, 'nothing is pinned: --no-pin')
  t.match(stdout, /^event loop under load, p99 of each start: [\d.]+ ms \(< 20 ms \w+/m)
})

t.test('npm run bench:cores prints several processes beside one', async t => {
  const { stdout } = await runChild(process.execPath, [bench('cores.ts'), ...SHORT])
  for (const name of ['refresh', 'introspection', 'jwks']) t.match(stdout, rowOf(name))
})

t.test('npm run bench:memory prints what the image and a checkout take', async t => {
  const { stdout } = await runChild(process.execPath, [
    bench('memory.ts'),
    ...'--image --beside . --rounds 1 --commands 1 --requests 40 --connections 2'.split(
      ' ',
    ),
  ])
  for (const name of ['idle, RSS', 'under load, RSS, peak', 'users list, CPU, s']) {
    t.match(stdout, new RegExp(`^\\| ${name} +\\| +[\\d.]+ \\| +[\\d.]+ \\|$`, 'm'))
  }
})

t.test('npm run bench:peers prints refreshes beside other servers', async t => {
  const { stdout } = await runChild(process.execPath, [bench('peers.ts'), ...SHORT])
  for (const name of [
    'node-oauth2-server, jsonwebtoken',
    'node-oauth2-server, fast-jwt',
    'oidc-provider',
  ]) {
    t.match(stdout, rowOf(`refresh beside ${name}`), name)
  }
})

t.test('npm run bench -- --profile says where the time goes', async t => {
  const { stdout } = await runChild(process.execPath, [
    bench('bench.ts'),
    '--profile',
    'jwks',
    '--requests',
    '40',
    '--connections',
    '2',
  ])
  t.match(stdout, /^\| fastify +\| +[\d.]+ µs \| +[\d.]+ µs \|$/m)
})

t.test(
  'npm run bench:logins prints what a storm does to others, and its share of the bare rate',
  async t => {
    const { stdout } = await runChild(process.execPath, [
      bench('login-storm.ts'),
      '--rounds',
      '1',
      '--seconds',
      '3',
      '--hashes',
      '5',
      '--rate',
      '5',
      '--connections',
      '8',
    ])
    for (const name of ['refresh', 'introspection', 'jwks']) {
      t.match(
        stdout,
        new RegExp(
          `^\\| ${name} +\\|( +[\\d.]+ ms \\|){2} +[\\d.]+ \\| +[\\d.]+ to [\\d.]+ \\| +[<≤].* [01] of 1`,
          'm',
        ),
        name,
      )
    }
    t.match(
      stdout,
      /^logins a second, medians: [\d.]+, bare argon2 on all cores [\d.]+; ratio [\d.]+ /m,
    )
    t.match(stdout, /^answers: 200 × \d+/m)
  },
)

t.test(
  'npm run bench:admin prints what the management listener costs refreshes',
  async t => {
    const { stdout } = await runChild(process.execPath, [
      bench('admin-beside.ts'),
      '--rounds',
      '1',
      '--seconds',
      '1',
      '--rate',
      '20',
      '--accounts',
      '120',
    ])
    for (const store of ['redis', 'sqlite']) {
      t.match(stdout, new RegExp(`^\\| ${store} +\\|( +[\\d.]+ \\|){5}`, 'm'), store)
    }
  },
)

t.test('npm run bench:scale prints what status lists cost of a second', async t => {
  const args = [bench('scale.ts'), '1000', '100', '3', '2']
  const { stdout } = await runChild(process.execPath, args)
  t.match(stdout, '1000 sessions, 100 tokens and 2 ended sessions a second, 3 s: ')
  for (const name of ['indices for new tokens', 'ending sessions', 'making lists']) {
    t.match(stdout, RegExp(`^${name}: [\\d.]+ ms of CPU a second$`, 'm'))
  }
  t.match(stdout, /^[\d.]+ documents a second, [\d.]+ kB each/m)
})

t.test('npm run bench:accounts prints the cost of each call on both stores', async t => {
  const { stdout } = await runChild(process.execPath, [bench('accounts.ts'), '500'])
  for (const store of ['Redis', 'SQLite']) t.match(stdout, `${store}, 500 accounts`)
  t.equal(
    stdout.match(/^\| a .+\| +[\d.]+ \| +[\d.]+ \| +[\d.]+ \| +met \|$/gm)?.length,
    8,
  )
  t.match(stdout, /^a walk over the index: .*; largest key: lk:\S+, [\d.]+ MB$/m)
  t.match(stdout, /^the file: \d+ MB, \d+ bytes per account$/m)
})
