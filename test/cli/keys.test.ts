// latchkey keys: what it shows, what it asks, what it does. Beside it a "server" that holds the ring and sees
// verifiers.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { abandonLostKeys } from '../../src/keys/abandon.ts'
import { createKeyRing } from '../../src/keys/ring.ts'
import { createSealer, type Sealer } from '../../src/keys/seal.ts'
import { EMPTY_RING } from '../../src/stores/ports/documents/keys.ts'
import { createKnownSecrets } from '../../src/keys/known-secrets.ts'
import { createSightings } from '../../src/keys/verifiers/sightings.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { createHandClock } from '../support/clock.ts'
import { commandLine, SECRET } from '../support/command-line.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const NEW_SECRET = 'n'.repeat(43)
const THIRD_SECRET = 'u'.repeat(43)
const CLIENTS = [
  'clients:',
  '  - { id: mobile, grants: [password], audience: [https://orders, https://mail], refreshAbsolute: 120d }',
  '  - { id: orders-api, audience: [https://orders] }',
]

/** A ring that began `age` ago, as a server has it. */
async function ringOf(
  store: Store,
  { age = 0, secrets = [SECRET] }: { age?: number; secrets?: string[] } = {},
) {
  const clock = createHandClock(Date.now() - age)
  const ring = createKeyRing({
    keys: store.keys,
    secrets,
    now: async () => clock(),
    policy: () => ({
      algorithm: 'ES256',
      rotateEveryMs: 90 * DAY,
      publishAheadMs: 7 * DAY,
      accessTtlMs: 1_200_000,
    }),
    emit: () => {},
    monotonic: clock,
  })
  await ring.load()
  return ring
}

const setUp = (t: Test, secrets?: string[]) =>
  commandLine(t, { ...(secrets !== undefined && { secrets }), more: CLIENTS })

t.test('the keys are listed; reading them makes none', async t => {
  const { latchkey, withStore } = setUp(t)
  t.match(await latchkey('keys list'), { code: 0, out: '' })
  t.equal(await withStore(async store => (await store.keys.load()).version), 0)
  const [first, second] = await withStore(async store => (await ringOf(store)).describe())
  t.match(await latchkey('keys list --json'), {
    code: 0,
    records: [
      {
        kid: first?.kid,
        state: 'signing',
        line: 'main',
        isElsewhere: false,
      },
      { kid: second?.kid, state: 'published' },
    ],
  })
  t.match(
    (await latchkey('keys list')).out,
    / {2}ES256 {2}main {2}signing {2}signs \S+Z to \S+Z, removed \S+Z\n/,
  )
})

t.test('a rotation waits until verifiers can know the key', async t => {
  const { latchkey, withStore } = setUp(t)
  const [first, second] = await withStore(async store =>
    (await ringOf(store, { age: 3 * DAY })).describe(),
  )
  const soon = await latchkey('keys rotate --json')
  t.match(soon, {
    code: 0,
    records: [
      { kid: first?.kid, state: 'signing' },
      { kid: second?.kid, state: 'published' },
    ],
    err: /keys.changed.*"actor":"cli:/,
  })
  t.equal(
    soon.records[0]?.['signUntil'],
    new Date((first?.publishAt ?? 0) + 7 * DAY).toISOString(),
  )
  t.match(await latchkey('keys rotate --line RS256'), {
    code: 1,
    err: 'latchkey: next key missing\n',
  })
})

t.test('a rotation at once says what it breaks, and asks', async t => {
  const { latchkey, withStore } = setUp(t)
  const keys = await withStore(async store => {
    const ring = await ringOf(store, { age: 3 * DAY })
    const clock = createHandClock(Date.now() - 4 * DAY)
    const sightings = createSightings({ sightings: store.sightings, clock })
    sightings.fetched({
      clientId: 'orders-api',
      userAgent: 'a',
      address: '10.0.0.1',
      conditional: true,
    })
    clock.advance(12 * HOUR)
    sightings.fetched({
      clientId: 'orders-api',
      userAgent: 'a',
      address: '10.0.0.1',
      conditional: true,
    })
    sightings.fetched({
      clientId: null,
      userAgent: 'b',
      address: '10.0.0.2',
      conditional: false,
    })
    for (let i = 0; i < 2; i++) {
      sightings.fetched({
        clientId: null,
        userAgent: 'c',
        address: '10.0.0.4',
        conditional: true,
      })
      clock.advance(6 * HOUR)
    }
    clock.advance(3 * DAY)
    sightings.fetched({
      clientId: null,
      userAgent: 'knows',
      address: '10.0.0.3',
      conditional: false,
    })
    await sightings.flush()
    return ring.describe()
  })
  const [first, second] = keys
  t.match(
    await latchkey('keys rotate --now --json'),
    { code: 1, err: /"error":"confirmation_missing"/ },
    'nobody is there to ask',
  )
  const refused = await latchkey('keys rotate --now', 'no\n', { isTTY: true })
  t.match(refused, {
    code: 1,
    err: /^Type yes to go on: latchkey: not confirmed: nothing was changed\n$/,
  })
  t.match(
    refused.out,
    [
      'No token dies: those of the keys that sign now verify until they expire.',
      `${second?.kid} has been published for 3d.`,
      'orders-api has not fetched the keys since then: it may refuse new tokens until it does ' +
        '(somebody who says that they are it was seen every 12h, at most 12h, from 10.0.0.1).',
      'c at 10.0.0.4 has not fetched the keys since then: it may refuse new tokens until it does ' +
        '(usually every 6h, at most 6h).',
      'b at 10.0.0.2 has not fetched the keys since then: it may refuse new tokens until it does ' +
        '(it was seen once).',
      'Verifiers that have never been seen are not counted',
    ].join('\n'),
  )
  t.match((await latchkey('keys list --json')).records[0], {
    kid: first?.kid,
    state: 'signing',
  })

  const rotated = await latchkey('keys rotate --now', 'yes\n', { isTTY: true })
  t.match(rotated, {
    code: 0,
    out: `${second?.kid}  ES256  main  signing`,
    err: /keys.changed.*"actor":"cli:/,
  })
  t.match(await latchkey('keys rotate --now --yes --line main --json'), {
    code: 0,
    records: [
      { record: 'impact' },
      { text: / has been published for \ds\./ },
      {},
      {},
      {},
      {},
      {},
      { state: String },
      { state: String },
      { state: String },
      { state: String },
    ],
  })
})

t.test('what a stranger does in the name of a client is not counted on', async t => {
  const { latchkey, withStore } = setUp(t)
  await withStore(async store => {
    const ring = await ringOf(store, { age: 3 * DAY })
    const clock = createHandClock(Date.now() - 2 * DAY)
    const sightings = createSightings({ sightings: store.sightings, clock })
    // Fetches every minute: by its times no verifier could be better.
    for (const address of [
      '10.0.0.1',
      '203.0.113.9',
      '203.0.113.9',
      '10.0.0.1',
      '203.0.113.9',
    ]) {
      sightings.fetched({
        clientId: 'orders-api',
        userAgent: 'curl',
        address,
        conditional: true,
      })
      clock.advance(60_000)
    }
    await sightings.flush()
    return ring
  })
  const { out } = await latchkey('keys status')
  t.match(
    out,
    /audience https:\/\/orders: somebody who says that they are its verifier orders-api was seen\n/,
  )
  t.match(
    out,
    /verifier somebody who says that they are orders-api: every 1m, .*\(curl at 10.0.0.1, 203.0.113.9\)/,
  )
  t.match(
    (await latchkey('keys status --json')).records.filter(
      ({ record }) => record === 'verifier',
    ),
    [{ name: 'orders-api', isClaimed: true, addresses: ['10.0.0.1', '203.0.113.9'] }],
  )
  t.match(
    (await latchkey('keys rotate --now', 'no\n', { isTTY: true })).out,
    'Somebody who says that they are orders-api has fetched the keys since then, from 10.0.0.1, ' +
      '203.0.113.9. Nothing proves it: orders-api may refuse new tokens, too.\n',
  )
  const [signing] = (await latchkey('keys list --json')).records
  t.match(
    (
      await latchkey(`keys retire --switch-after 20m -- ${signing?.['kid']}`, 'no\n', {
        isTTY: true,
      })
    ).out,
    'orders-api may refuse tokens of the fresh key until then',
    'though somebody fetches them every minute',
  )
})

t.test('a key that leaked is retired, and it is said what dies', async t => {
  const { latchkey, withStore } = setUp(t)
  const keys = await withStore(async store => {
    const ring = await ringOf(store, { age: 3 * DAY })
    const sightings = createSightings({
      sightings: store.sightings,
      clock: () => Date.now(),
    })
    for (let i = 0; i < 3; i++) {
      sightings.signed(ring.signingKey().kid, Math.floor(Date.now() / 1000) + 600)
    }
    sightings.fetched({
      clientId: 'orders-api',
      userAgent: 'a',
      address: '10.0.0.1',
      conditional: true,
    })
    await sightings.flush()
    return ring.describe()
  })
  const [first, second] = keys
  t.match(await latchkey('keys retire nosuchkey --yes'), {
    code: 1,
    err: /^latchkey: key unknown: the ring has no key \S+ \(latchkey keys list\)\n$/,
  })
  t.match(await latchkey(`keys retire -- ${first?.kid}`), {
    code: 1,
    err: /^latchkey: confirmation missing: .*--yes answers\n$/,
  })
  const retired = await latchkey(`keys retire --yes --switch-after 20m -- ${first?.kid}`)
  t.equal(retired.code, 0)
  t.match(
    retired.out,
    [
      `About 3 living tokens of ${first?.kid} die. Sessions live on: a refresh gives a token of another key.`,
      `A fresh key signs after 20m: it makes verifiers fetch the keys again, and so forget ${first?.kid}.`,
      `orders-api may believe ${first?.kid} until it fetches the keys again (somebody who says that ` +
        'they are it was seen once, from 10.0.0.1).',
      'orders-api may refuse tokens of the fresh key until then',
    ].join('\n'),
  )
  const { records } = await latchkey('keys list --json')
  t.match(records, [
    { kid: second?.kid, state: 'signing' },
    { state: 'published' },
    { state: 'published' },
  ])
  t.equal(
    Date.parse(String(records[1]?.['signFrom'])) -
      Date.parse(String(records[1]?.['publishAt'])),
    20 * 60_000,
  )
})

t.test('the status tells of turns, secrets, audiences and verifiers', async t => {
  const { latchkey, withStore } = setUp(t, [NEW_SECRET, SECRET])
  t.match(
    (await latchkey('keys status')).out,
    new RegExp(
      'secrets\\[0\\]: no key is sealed with it yet: a server with it in front does that, ' +
        'within 10 minutes; fingerprint \\S+\nsecrets\\[1\\]: seals nothing yet',
    ),
  )
  const [first, second] = await withStore(async store => {
    const ring = await ringOf(store, { age: 3 * DAY })
    const clock = createHandClock(Date.now() - 9 * DAY)
    const sightings = createSightings({ sightings: store.sightings, clock })
    const fetched = () => {
      sightings.fetched({
        clientId: 'orders-api',
        userAgent: 'jose/6',
        address: '10.0.0.1',
        conditional: true,
      })
    }
    fetched()
    clock.advance(8 * DAY)
    fetched()
    sightings.fetched({
      clientId: null,
      userAgent: 'once',
      address: '10.0.0.2',
      conditional: false,
    })
    await sightings.flush()
    return ring.describe()
  })
  const before = await latchkey('keys status')
  t.match(
    before.out,
    new RegExp(
      [
        `^key ${first?.kid}  ES256  main  signing  about 0 living tokens`,
        `key ${second?.kid}  ES256  main  published  about 0 living tokens`,
        `next turn of main: \\S+Z, in 86d; then ${second?.kid} signs`,
        'secrets\\[0\\]: no key is sealed with it yet: a server with it in front does that, ' +
          'within 10 minutes; fingerprint \\S{11}',
        `secrets\\[1\\]: still seals ${first?.kid}, ${second?.kid}: a server with another secret ` +
          'in front of it re-encrypts them; fingerprint \\S{11}',
        'audience https://orders: somebody who says that they are its verifier orders-api was seen',
        'audience https://mail: no verifier of it has said who it is',
        'verifier somebody who says that they are orders-api: every 8d, at most 8d, 2 times, last 1d ago, ' +
          'with ETag \\(jose/6 at 10.0.0.1\\)',
        'WARNING somebody who says that they are orders-api lets 8d pass between two fetches, ' +
          'longer than keys.publishAhead \\(7d\\): a turn may find it without the key',
        'verifier once at 10.0.0.2: seen once, last 1d ago, without ETag \\(once at 10.0.0.2\\)\n$',
      ].join('\n'),
    ),
  )

  await withStore(store => ringOf(store, { secrets: [NEW_SECRET, SECRET] }))
  t.match(
    (await latchkey('keys status')).out,
    new RegExp(
      'secrets\\[0\\]: seals 2 keys, and refresh tokens; fingerprint \\S+\n' +
        'secrets\\[1\\]: may go after \\S+Z, when the last session that it may have made has ended',
    ),
  )
  const { records } = await latchkey('keys status --json')
  const secret = records.filter(({ record }) => record === 'secret')
  t.match(secret, [
    { index: 0, neededUntil: null, mayGo: false },
    { index: 1, kids: [], mayGo: false },
  ])
  t.ok(
    Date.parse(String(secret[1]?.['neededUntil'])) > Date.now() + 119 * DAY,
    'the longest session of any client',
  )
  t.same(
    new Set(records.map(({ record }) => record)),
    new Set(['key', 'turn', 'secret', 'audience', 'verifier', 'warning']),
  )

  await withStore(async store => {
    const ring = await store.keys.load()
    await store.keys.save({
      ...ring,
      secrets: ring.secrets.map(({ id, since }) => ({ id, since: since - 121 * DAY })),
    })
  })
  t.match((await latchkey('keys status')).out, /secrets\[1\]: may go; fingerprint/)
})

t.test(
  'the status says when a secret may move to the front, and when it may go',
  async t => {
    const { latchkey, withStore } = setUp(t, [NEW_SECRET, SECRET, THIRD_SECRET])
    await withStore(store => ringOf(store, { age: 200 * DAY, secrets: [SECRET] }))
    const status = async () => {
      const { out, records } = await latchkey('keys status')
      return {
        text: out.split('\n').filter(line => line.startsWith('secrets[')),
        records,
      }
    }
    const runs = (...secrets: string[]) =>
      withStore(async store => {
        await store.keys.load()
        await createKnownSecrets({
          store,
          secrets,
          monotonic: Date.now,
        }).sync()
      })

    await runs(SECRET)
    t.match((await status()).text, [
      /NOT EVERY running server has it: they answer 503 to its refresh tokens; fingerprint/,
      /still seals/,
      /seals nothing yet; not every running server has it: start them with it before it moves/,
    ])
    const kids = await withStore(async store => {
      const ring = await ringOf(store, { secrets: [NEW_SECRET, SECRET] })
      const stored = await store.keys.load()
      await store.keys.save({
        ...stored,
        secrets: stored.secrets.map(({ id, since }) => ({
          id,
          since: since - 121 * DAY,
        })),
      })
      return ring.describe().length
    })
    t.match((await status()).text, [
      `secrets[0]: seals ${kids} keys, and refresh tokens; NOT EVERY`,
      /secrets\[1\]: a running server still has it in front; fingerprint/,
    ])
    await withStore(async store => {
      const { version } = await store.secretLists.load()
      await store.secretLists.save({ version, lists: [] })
    })
    await runs(NEW_SECRET, SECRET, THIRD_SECRET)
    t.match((await status()).text, [
      `secrets[0]: seals ${kids} keys, and refresh tokens; fingerprint`,
      /secrets\[1\]: may go; fingerprint/,
      /secrets\[2\]: seals nothing yet; every running server has it, so it may move to the front/,
    ])
    const { records } = await latchkey('keys status --json')
    t.match(
      records.filter(({ record }) => record === 'secret'),
      [
        { state: 'first', isEverywhere: true, mayGo: false, fingerprint: /^[\w-]{11}$/ },
        { state: 'previous', isEverywhere: true, mayGo: true },
        { state: 'next', isEverywhere: true, mayGo: false },
      ],
    )
  },
)

t.test('keys whose secret is lost are given up, and their tokens verify on', async t => {
  const before = setUp(t)
  const [first, second] = await before.withStore(async store =>
    (await ringOf(store, { age: 3 * DAY })).describe(),
  )
  t.match(await before.latchkey('keys abandon'), {
    code: 1,
    err: 'latchkey: nothing lost: every key opens\n',
  })
  const { withStore, directory, file } = before
  const other = join(directory, 'other.yaml')
  await writeFile(other, (await readFile(file, 'utf8')).replace(SECRET, NEW_SECRET))
  const latchkey = (line: string) =>
    before.latchkey(line, '', { env: { LATCHKEY_CONFIG: other } })
  t.match(await latchkey('keys status'), { code: 1, err: /run latchkey keys abandon\n$/ })
  t.match(await latchkey('keys abandon'), {
    code: 1,
    out: new RegExp(
      `No secret of this configuration opens ${first?.kid}, ${second?.kid}: `,
    ),
    err: /confirmation missing/,
  })
  await withStore(async store => {
    const server = createKnownSecrets({ store, secrets: [SECRET] })
    await server.sync()
    t.match(await latchkey('keys abandon --yes'), {
      code: 1,
      err: /^latchkey: secret elsewhere: a server that runs, or did a minute ago, has the secret/,
    })
    await server.withdraw()
  })
  const kids = [first?.kid, second?.kid]
  t.match(await latchkey('keys abandon --yes --json'), {
    code: 0,
    records: [{ record: 'impact' }, {}, {}, { outcome: 'abandoned', kids }],
  })
  const ring = await withStore(store => ringOf(store, { secrets: [NEW_SECRET] }))
  t.match(ring.describe(), [
    { kid: first?.kid, state: 'retiring' },
    { state: 'signing' },
    { state: 'published' },
  ])
  t.ok(ring.verificationKey(String(first?.kid)))
  t.not(ring.signingKey().kid, first?.kid)
  t.notOk(ring.verificationKey(String(second?.kid)), 'it has signed nothing')
})

t.test('a ring that another process changes meanwhile is looked at again', async t => {
  const [mine, lost] = [createSealer([SECRET]), createSealer([NEW_SECRET])]
  const key = (kid: string, sealer: Sealer) => ({
    ...{ kid, publishAt: 0, signFrom: 0, signUntil: 100, removeAt: 200 },
    ...{ alg: 'ES256', line: 'main', publicJwk: {}, sealed: sealer.seal(kid, 'x') },
  })
  const ringWith = (sealer: Sealer) => ({
    ...EMPTY_RING,
    keys: [key('a', mine), key('b', sealer)],
  })
  const rings = [ringWith(lost), ringWith(mine)]
  const options = {
    keys: { load: async () => rings.shift() ?? EMPTY_RING, save: async () => false },
    sealer: mine,
    now: async () => 50,
    policy: { algorithm: 'ES256', rotateEveryMs: 1, publishAheadMs: 1, accessTtlMs: 1 },
    emit: () => t.fail('nothing was changed'),
  }
  t.same(await abandonLostKeys(options), [])
  t.same(rings, [])
})
