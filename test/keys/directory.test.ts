// Keys from files: what is read, when it signs, and what happens when the folder changes.
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyPairKeyObjectResult,
} from 'node:crypto'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { SKEW_MS } from '../../src/keys/schedule/instants.ts'
import { openDirectory, type Files } from '../../src/keys/external/directory.ts'
import { openSource } from '../../src/keys/external/open-key-source.ts'
import { planExternal, UNTIL_REPLACED } from '../../src/keys/schedule/plan-external.ts'
import { createKeyRing, type KeyRing } from '../../src/keys/ring.ts'
import type { ExternalKey, KeySource } from '../../src/keys/external/key-source.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createHandClock } from '../support/clock.ts'
import { commandLine } from '../support/command-line.ts'
import { withEvenPrime } from '../support/damaged-keys.ts'
import { configOf, startInProcess } from '../support/in-process.ts'
import { addUser, login, ORDERS } from '../support/server.ts'
import { until } from '../support/until.ts'

const DAY = 86_400_000
const REST = 600_000 + SKEW_MS
const policy = {
  algorithm: 'ES256',
  rotateEveryMs: 90 * DAY,
  publishAheadMs: 7 * DAY,
  accessTtlMs: 600_000,
}
const SECRETS = [Buffer.alloc(32, 1).toString('base64url')]

const pemOf = ({ privateKey }: KeyPairKeyObjectResult) =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const ec = () => pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
const RSA = pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }))
const jwkOf = (pem: string, more = {}) =>
  JSON.stringify({ ...createPrivateKey(pem).export({ format: 'jwk' }), ...more })

t.test('PEM and JWK files are read, other files are not', async t => {
  const directory = t.testdir({
    'a.pem': ec(),
    'b.key': generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .privateKey.export({ type: 'sec1', format: 'pem' })
      .toString(),
    'c.jwk': jwkOf(pemOf(generateKeyPairSync('ed25519')), {
      kid: 'ignored',
      alg: 'Ed25519',
    }),
    'd.json': ` ${jwkOf(RSA, { alg: 'PS256' })}`,
    'e.pem': RSA,
    'tls.crt': 'something else',
    '..data': { 'f.pem': ec() },
    '.hidden.pem': 'x',
  })
  const source = await openDirectory({
    directory,
    algorithms: ['ES256', 'RS256', 'PS256'],
  })
  t.match(
    source.keys().map(({ name, alg }) => `${name} ${alg}`),
    ['a.pem ES256', 'b.key ES256', 'c.jwk EdDSA', 'd.json PS256', 'e.pem RS256'],
  )
  for (const { kid, signing } of source.keys()) {
    t.match(kid, /^[\w-]{43}$/)
    t.match(signing, { privateKey: /^-----BEGIN PRIVATE KEY-----/ })
  }
  t.same(
    source.keys().map(({ publicJwk }) => Object.keys(publicJwk).join()),
    ['crv,kty,x,y', 'crv,kty,x,y', 'crv,kty,x', 'e,kty,n', 'e,kty,n'],
  )
  await source.close()
  t.match(
    (
      await openDirectory({
        directory: t.testdir({ 'a.pem': RSA }),
        algorithms: ['ES256'],
      })
    ).keys(),
    [{ alg: 'RS256' }],
  )
})

t.test("a file that can't sign here is named, and nothing of it is told", async t => {
  const secret = 'c2VjcmV0IHNlY3JldCBzZWNyZXQ'
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rows: [name: string, text: string, message: RegExp][] = [
    ['garbage', secret, /a.pem holds no private key as PEM or JWK/],
    ['broken JSON', `{ "d": "${secret}`, /holds no private key/],
    [
      'a symmetric key',
      JSON.stringify({ kty: 'oct', k: secret }),
      /holds no private key/,
    ],
    [
      'a public key',
      publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      /holds no private key/,
    ],
    [
      'another curve',
      pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' })),
      /a.pem holds no key for ES256/,
    ],
    [
      'a short RSA key',
      pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 })),
      /holds no key for ES256/,
    ],
    ['another algorithm', jwkOf(ec(), { alg: 'ES384' }), /holds no key for ES256/],
    [
      'an algorithm of another type',
      jwkOf(ec(), { alg: 'RS256' }),
      /holds no key for ES256/,
    ],
    [
      'an EdDSA key that is none',
      jwkOf(ec(), { alg: 'EdDSA' }),
      /holds no key for ES256/,
    ],
    [
      'the curve of Bitcoin',
      pemOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })),
      /holds no key for ES256/,
    ],
    ['Ed448', pemOf(generateKeyPairSync('ed448')), /holds no key for ES256/],
    ...[
      () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      () => generateKeyPairSync('ed25519'),
    ].map((make): [string, string, RegExp] => {
      const { d } = make().privateKey.export({ format: 'jwk' })
      return [
        'the private half of another key',
        jwkOf(pemOf(make()), { d }),
        /a.pem don't belong together/,
      ]
    }),
    [
      'numbers that contradict each other',
      JSON.stringify({ ...withEvenPrime(createPrivateKey(RSA)), alg: 'RS256' }),
      /a.pem don't belong together/,
    ],
    [
      'an algorithm that is no text',
      jwkOf(pemOf(generateKeyPairSync('x25519')), { alg: 1 }),
      /holds no key for ES256/,
    ],
  ]
  for (const [name, text, message] of rows) {
    const directory = t.testdir({ 'a.pem': text })
    const error = await openDirectory({ directory, algorithms: ['ES256'] }).then(
      () => undefined,
      (error: unknown) => error,
    )
    t.match(error, { message }, name)
    t.notMatch(String(error), secret)
  }
  await t.rejects(openSource({ directory: '/nowhere/at/all' }, policy), {
    code: 'ENOENT',
  })
  t.equal(await openSource({}, policy), undefined)
})

/** Keys by name, and a source that a test changes. */
function handSource(...names: string[]) {
  const all = new Map<string, ExternalKey>()
  const keyOf = (name: string): ExternalKey => {
    const [alg = 'ES256'] = /(?<=-)RS256$/.exec(name) ?? []
    return {
      name,
      kid: `kid of ${name}`,
      alg,
      publicJwk: { kty: 'EC' },
      signing: { privateKey: name },
    }
  }
  const list = (names: readonly string[]) =>
    names
      .map(name => all.get(name) ?? all.set(name, keyOf(name)).get(name))
      .filter(key => key !== undefined)
  return list(names)
}

const EMPTY = { keys: [], gone: [] }
const T = 1_000 * DAY

t.test(
  'the first key signs at once, a newer one after it was published for long enough',
  async t => {
    const first = planExternal(EMPTY, T, { policy, present: handSource('2026') })
    t.match(first, {
      keys: [
        {
          kid: 'kid of 2026',
          line: 'main',
          sealed: null,
          publishAt: T,
          signFrom: T,
          signUntil: UNTIL_REPLACED,
        },
      ],
      gone: [],
    })
    const both = planExternal(first, T + DAY, {
      policy,
      present: handSource('2027', '2026'),
    })
    t.match(both.keys, [
      {
        kid: 'kid of 2026',
        signFrom: T,
        signUntil: T + 8 * DAY,
        removeAt: T + 8 * DAY + REST,
      },
      {
        kid: 'kid of 2027',
        publishAt: T + DAY,
        signFrom: T + 8 * DAY,
        signUntil: UNTIL_REPLACED,
      },
    ])
    t.same(
      planExternal(both, T + 2 * DAY, { policy, present: handSource('2027', '2026') })
        .keys,
      both.keys,
      'planning again changes nothing',
    )

    const later = T + 8 * DAY + REST
    const gone = planExternal(both, later, {
      policy,
      present: handSource('2027', '2026'),
    })
    t.match(gone, { keys: [{ kid: 'kid of 2027' }], gone: ['kid of 2026'] })
    t.equal(gone.keys.length, 1)
    t.same(
      planExternal(gone, later + DAY, { policy, present: handSource('2027', '2026') }),
      gone,
      'a file that stays behind brings nothing back',
    )
  },
)

t.test('several files at the first start sign in the order of their names', async t => {
  t.match(planExternal(EMPTY, T, { policy, present: handSource('c', 'a', 'b') }).keys, [
    { kid: 'kid of a', signFrom: T, signUntil: T + 7 * DAY },
    { kid: 'kid of b', signFrom: T + 7 * DAY, signUntil: T + 7 * DAY },
    { kid: 'kid of c', signFrom: T + 7 * DAY, signUntil: UNTIL_REPLACED },
  ])
})

t.test(
  "an audience's algorithm has its own keys; those of no algorithm that is asked for are left",
  async t => {
    const both = { ...policy, audienceAlgorithms: ['RS256'] }
    const fresh = planExternal(EMPTY, T, {
      policy: both,
      present: handSource('a', 'b-RS256'),
    })
    t.match(
      fresh.keys,
      [
        { line: 'main', signFrom: T },
        { line: 'RS256', signFrom: T },
      ],
      'in a new ring both begin at once',
    )
    const main = planExternal(EMPTY, T, { policy, present: handSource('a', 'b-RS256') })
    t.match(main.keys, [{ line: 'main', alg: 'ES256' }])
    t.equal(main.keys.length, 1)
    t.match(
      planExternal(main, T + DAY, { policy: both, present: handSource('a', 'b-RS256') })
        .keys,
      [{}, { line: 'RS256', signFrom: T + 8 * DAY }],
      'later the new line waits',
    )
  },
)

/** A store, a clock and servers whose keys are what a test says. */
function setUp(t: Test) {
  const clock = createHandClock()
  const store = createSqliteStore({ file: ':memory:', clock })
  t.teardown(() => store.close())
  const server = (source?: KeySource) =>
    createKeyRing({
      keys: store.keys,
      secrets: SECRETS,
      now: store.now,
      policy: () => policy,
      emit: () => {},
      monotonic: clock,
      source,
    })
  return { clock, store, server }
}

const PEMS = [ec(), ec(), ec()]
const [A = '', B = '', C = ''] = PEMS

/** A source that shows what it is told to. */
async function shows(t: Test, ...pems: string[]) {
  const read = async (...pems: string[]) =>
    (
      await openDirectory({
        directory: t.testdir(
          Object.fromEntries(pems.map(pem => [`${PEMS.indexOf(pem)}.pem`, pem])),
        ),
        algorithms: ['ES256'],
      })
    ).keys()
  let keys = await read(...pems)
  const source: KeySource = { keys: () => keys, watch() {}, async close() {} }
  return {
    source,
    async set(...next: string[]) {
      keys = await read(...next)
    },
    kids: async (...pems: string[]) => (await read(...pems)).map(({ kid }) => kid),
  }
}

const signs = (ring: KeyRing) => ring.signingKey().kid

t.test(
  'a server whose folder is late stands in with the key before, as long as it has to',
  async t => {
    const { clock, server } = setUp(t)
    const [early, late] = [await shows(t, A), await shows(t, A)]
    const [kidA = '', kidB = ''] = await early.kids(A, B)
    const [one, two] = [server(early.source), server(late.source)]
    await one.load()
    await two.load()
    t.same([signs(one), signs(two)], [kidA, kidA])
    clock.advance(DAY)
    await early.set(A, B)
    await one.load()
    await two.load()
    t.same(
      two.published().map(({ kid }) => kid),
      [kidA, kidB],
      'both publish it',
    )
    clock.advance(7 * DAY)
    for (const ring of [one, two]) await ring.load()
    t.same([signs(one), signs(two)], [kidB, kidA])
    clock.advance(60_000)
    for (const ring of [two, one]) await ring.load()
    for (let hour = 0; hour < 48; hour++) {
      clock.advance(3_600_000)
      for (const ring of [two, one]) await ring.load()
      t.ok(one.verificationKey(signs(two)), 'its tokens verify everywhere')
    }
    await late.set(A, B)
    await two.load()
    t.equal(signs(two), kidB)
    for (let hour = 0; hour < 3; hour++) {
      clock.advance(3_600_000)
      await one.load()
    }
    t.same(
      one.published().map(({ kid }) => kid),
      [kidB],
      'and then the old one goes',
    )
  },
)

t.test(
  'a key that is put in the place of another signs at once: somebody has to',
  async t => {
    const { clock, server } = setUp(t)
    const files = await shows(t, A)
    const ring = server(files.source)
    await ring.load()
    clock.advance(DAY)
    await files.set(B)
    await ring.load()
    const [kidA = '', kidB = ''] = await files.kids(A, B)
    t.equal(signs(ring), kidB)
    t.ok(ring.verificationKey(kidA), 'tokens of the one before verify')
    await files.set()
    await t.rejects(ring.load(), /no key to sign with/)
    t.ok(ring.verificationKey(kidB))
  },
)

t.test('keys are rotated and retired by hand', async t => {
  const { clock, server } = setUp(t)
  const files = await shows(t, A)
  const [kidA = '', kidB = '', kidC = ''] = await files.kids(A, B, C)
  const ring = server(files.source)
  await ring.load()
  t.same(await ring.rotate({ atOnce: true }), {
    kind: 'refused',
    reason: 'next_key_missing',
  })
  t.same(await ring.retire(kidA), { kind: 'refused', reason: 'key_alone' })
  clock.advance(DAY)
  await files.set(A, B)
  await ring.load()
  clock.advance(DAY)
  t.same(await ring.rotate({ atOnce: false }), { kind: 'done' })
  t.equal(signs(ring), kidA, 'gently: when verifiers know it')
  t.same(await ring.rotate({ atOnce: true, line: 'RS256' }), {
    kind: 'refused',
    reason: 'next_key_missing',
  })
  t.same(await ring.rotate({ atOnce: true }), { kind: 'done' })
  t.equal(signs(ring), kidB)

  await files.set(A, B, C)
  await ring.load()
  clock.advance(60_000)
  t.same(await ring.retire(kidB), { kind: 'done' })
  t.equal(signs(ring), kidC, 'the next one signs')
  t.equal(ring.verificationKey(kidB), undefined)
  await ring.load()
  t.equal(ring.verificationKey(kidB), undefined, "its file doesn't bring it back")
  t.same(await ring.retire(kidA), { kind: 'done' })
  t.equal(signs(ring), kidC, "one that signs no more takes nobody's place")
})

t.test('a retired key without a next one is followed by the one before it', async t => {
  const { clock, server } = setUp(t)
  const files = await shows(t, A, B)
  const [kidA = '', kidB = ''] = await files.kids(A, B)
  const ring = server(files.source)
  await ring.load()
  clock.advance(7 * DAY + 60_000)
  await ring.load()
  t.equal(signs(ring), kidB)
  t.same(await ring.retire(kidB), { kind: 'done' })
  t.equal(signs(ring), kidA)
  clock.advance(DAY)
  await ring.load()
  t.ok(ring.verificationKey(kidA))
})

t.test("from the ring's own keys to files and back", async t => {
  const { clock, server } = setUp(t)
  const own = server()
  await own.load()
  const [, next] = own.describe()
  const files = await shows(t)
  const [kidA = ''] = await files.kids(A)
  const external = server(files.source)
  clock.advance(175 * DAY)
  await external.load()
  t.equal(external.describe().length, 1, 'the ring makes none any more')
  await files.set(A)
  await external.load()
  t.equal(signs(external), next?.kid, 'the old key signs until the new one is known')
  clock.advance(6 * DAY)
  await external.load()
  t.equal(signs(external), next?.kid, 'beyond its own time')
  clock.advance(DAY)
  await external.load()
  t.equal(signs(external), kidA)
  clock.advance(100 * DAY)
  await external.load()
  t.equal(signs(external), kidA, "whatever of the ring's own would be due")

  const back = server()
  await back.load()
  t.equal(back.describe().find(({ state }) => state === 'signing')?.isElsewhere, false)
  t.ok(back.verificationKey(kidA), 'tokens of the file verify')
})

t.test(
  'a folder is read again when it is swapped, and kept when it is spoilt',
  async t => {
    const directory = t.testdir({
      one: { 'a.pem': A },
      two: { 'a.pem': A, 'b.pem': B },
      bad: { 'a.pem': 'x' },
      mixed: { 'a.jwk': jwkOf(A, { d: JSON.parse(jwkOf(B)).d }) },
    })
    const link = (name: string) => {
      symlinkSync(name, join(directory, 'next'))
      renameSync(join(directory, 'next'), join(directory, 'keys'))
    }
    link('one')
    const source = await openDirectory({
      directory: join(directory, 'keys'),
      algorithms: ['ES256'],
      intervalMs: 10,
    })
    const faults: unknown[] = []
    source.watch(error => faults.push(error))
    t.teardown(() => source.close())
    const before = source.keys()
    await wait(50)
    t.equal(source.keys(), before, 'the very same list until something changes')
    link('two')
    await until(() => source.keys().length === 2)
    link('bad')
    // A look that begins before the swap and ends after it finds a file gone: that is no fault of the key.
    const isReported = (what: string) =>
      until(() => faults.some(fault => String(fault).includes(what)))
    t.ok(await isReported('a.pem holds no private key'))
    t.equal(source.keys().length, 2)
    link('mixed')
    t.ok(await isReported("the two halves of the key in a.jwk don't belong together"))
    t.equal(source.keys().length, 2, 'keys that sign nothing good replace none')
    const reported = faults.length
    rmSync(join(directory, 'keys'))
    await until(() => faults.length > reported)
    mkdirSync(join(directory, 'keys'))
    writeFileSync(join(directory, 'keys', 'c.pem'), C)
    await until(() => source.keys().length === 1)
  },
)

for (const step of ['stat', 'readFile'] as const) {
  t.test(`a folder that is swapped before its files' ${step} is no fault`, async t => {
    const directory = t.testdir({ one: { 'a.pem': A }, two: { 'b.pem': B } })
    const link = (name: string) => {
      symlinkSync(name, join(directory, 'next'))
      renameSync(join(directory, 'next'), join(directory, 'keys'))
    }
    link('one')
    let isSwapping = false
    const swapBefore = (called: string) => {
      if (!isSwapping || called !== step) return
      isSwapping = false
      link('two')
    }
    const files: Files = {
      readdir: fs.readdir,
      stat(path) {
        swapBefore('stat')
        return fs.stat(path)
      },
      readFile(path, encoding) {
        swapBefore('readFile')
        return fs.readFile(path, encoding)
      },
    }
    const source = await openDirectory({
      directory: join(directory, 'keys'),
      algorithms: ['ES256'],
      intervalMs: 10,
      files,
    })
    t.teardown(() => source.close())
    const faults: unknown[] = []
    source.watch(error => faults.push(error))
    t.match(source.keys(), [{ name: 'a.pem' }])
    isSwapping = true
    // A change, so that the look goes on to the files themselves.
    writeFileSync(join(directory, 'c.pem'), C)
    renameSync(join(directory, 'c.pem'), join(directory, 'one', 'c.pem'))
    await until(() => source.keys()[0]?.name === 'b.pem')
    t.same(faults, [])
    rmSync(join(directory, 'keys'))
    await until(() => faults.length > 0)
    t.match(faults[0], /ENOENT/, 'a folder that stays away is one')
  })
}

t.test(
  'a server takes its keys from the folder that the configuration names, and so does the command line',
  async t => {
    const directory = join(t.testdirName, 'keys')
    const { latchkey, storeUrl } = commandLine(t, {
      more: [`keys: { directory: ${JSON.stringify(directory)} }`],
    })
    mkdirSync(directory)
    writeFileSync(join(directory, 'a.pem'), A)
    writeFileSync(join(directory, 'b.pem'), RSA)
    await addUser(storeUrl)
    const server = await startInProcess(t, {
      config: configOf(storeUrl, {
        keys: { directory },
        audiences: { [ORDERS]: { algorithm: 'RS256' } },
      }),
    })
    const [listed] = (await latchkey('keys list --json')).records
    t.match(listed, {
      isElsewhere: true,
      state: 'signing',
      line: 'main',
      signUntil: '9998-12-31T00:00:00.000Z',
    })
    const { access_token: token } = await login(server)
    t.match(
      JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString()),
      { alg: 'RS256' },
    )
    writeFileSync(join(directory, 'a.pem'), 'spoilt')
    await until(() =>
      server.lines.some(line =>
        line.includes('the keys that are kept elsewhere could not be read'),
      ),
    )
    t.match(await latchkey('keys status'), {
      code: 1,
      err: /a.pem holds no private key as PEM or JWK/,
    })
  },
)
