// Status lists apart from HTTP: the encoding, the indices, the memory and its repair, the documents.
import { inflateSync } from 'node:zlib'
import { StatusList } from '@sd-jwt/jwt-status-list'
import t from 'tap'
import {
  BLOCK_SIZE,
  LIST_SIZE,
  type StatusBlock,
  type KnownOfList,
  type StatusNews,
} from '../../src/stores/ports/status-lists.ts'
import { createDocumentOf } from '../../src/status-lists/documents.ts'
import { encodeBits, indicesOf, setBit } from '../../src/status-lists/encode.ts'
import { createTakeStatusEntry } from '../../src/status-lists/indices.ts'
import { createStatusMemory } from '../../src/status-lists/memory.ts'
import { createStatusService } from '../../src/status-lists/service.ts'
import { createHandClock } from '../support/clock.ts'

const HOUR = 3_600_000
const TTL = 600_000

// Appendix C of the draft has the same list with two, four and eight bits, which we never make.
const VECTORS: ReadonlyArray<{
  readonly name: string
  readonly lst: string
  readonly size: number
  readonly set: readonly number[]
}> = [
  {
    name: '§4.1',
    lst: 'eNrbuRgAAhcBXQ',
    size: 16,
    set: [0, 3, 4, 5, 7, 8, 9, 13, 15],
  },
  {
    name: 'Appendix C.1',
    lst:
      'eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAA' +
      'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAA' +
      'vhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAA' +
      'AACAZC8L2AEb',
    size: LIST_SIZE,
    set: [
      0, 1993, 25_460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534,
      1_000_345,
    ],
  },
]

for (const { name, lst, size, set } of VECTORS) {
  t.test(`the draft's vector of ${name}`, async t => {
    const bytes = new Uint8Array(inflateSync(Buffer.from(lst, 'base64url')))
    t.equal(bytes.length, size / 8)
    t.same(indicesOf(bytes), set, 'is read')
    const ours = new Uint8Array(size / 8)
    for (const idx of set) t.equal(setBit(ours, idx), true)
    t.same(ours, bytes, 'and written')
    t.same(
      new Uint8Array(inflateSync(Buffer.from(encodeBits(ours), 'base64url'))),
      bytes,
      'the compression is our own, what comes out is the same',
    )
    t.match(encodeBits(ours), /^[\w-]+$/)
    t.same(
      indicesOf(
        Uint8Array.from(
          StatusList.decompressStatusList(encodeBits(ours), 1).encodeStatusList(),
        ),
      ),
      set,
      'a library reads ours',
    )
  })
}

t.test('a bit is set once, and none beyond the list', async t => {
  const bits = new Uint8Array(2)
  t.same(
    [setBit(bits, 9), setBit(bits, 9), setBit(bits, 16), setBit(bits, 15)],
    [true, false, false, true],
  )
  t.same(indicesOf(bits), [9, 15])
})

/** Leases blocks one after the other, when it is told to. */
function lessor() {
  const asked: Array<{
    hour: number
    grant: (first?: number) => void
    refuse: () => void
  }> = []
  const lease = (hour: number) =>
    new Promise<StatusBlock>((resolve, reject) => {
      const first = asked.length * BLOCK_SIZE
      asked.push({
        hour,
        grant: () => {
          resolve({ list: `${hour}-a`, first })
        },
        refuse: () => {
          reject(new Error('away'))
        },
      })
    })
  return { asked, lease }
}

const since = () => 0
const turn = () => new Promise(resolve => setImmediate(resolve))

t.test('indices', async t => {
  const clock = createHandClock()
  clock.advance(HOUR - (clock() % HOUR))
  const hour = clock() / HOUR

  await t.test(
    'only the first token waits; the next block is there before this one ends',
    async t => {
      const { asked, lease } = lessor()
      let leased = 0
      const take = createTakeStatusEntry({
        lists: { lease },
        since,
        clock,
        leased: () => {
          leased += 1
        },
      })
      const first = take(TTL)
      t.type(first, Promise)
      asked[0]?.grant()
      const entries = [await first]
      for (let count = 1; count < BLOCK_SIZE; count++) {
        const entry = take(TTL)
        if (entry instanceof Promise) throw new Error(`token ${count} had to wait`)
        entries.push(entry)
      }
      t.same(
        asked.map(({ hour }) => hour),
        [hour, hour],
        'half-way the next one is asked for, once',
      )
      t.same(
        entries.map(({ idx }) => idx).toSorted((a, b) => a - b),
        Array.from({ length: BLOCK_SIZE }, (_, index) => index),
        'each index once',
      )
      t.notSame(
        entries.map(({ idx }) => idx),
        entries.map(({ idx }) => idx).toSorted((a, b) => a - b),
        'in no order',
      )
      t.match(entries[0], { list: `${hour}-a`, forMs: TTL })
      asked[1]?.grant()
      await turn()
      t.match(take(TTL), { idx: Number })
      t.equal(leased, 2)
    },
  )

  await t.test(
    'tokens that wait share a block, and ask for another when it is not enough',
    async t => {
      const { asked, lease } = lessor()
      const take = createTakeStatusEntry({ lists: { lease }, since, clock })
      const waiting = Array.from({ length: BLOCK_SIZE + 1 }, async () => take(TTL))
      t.equal(asked.length, 1)
      asked[0]?.grant()
      await turn()
      t.equal(asked.length, 2)
      asked[1]?.grant()
      t.equal(
        new Set((await Promise.all(waiting)).map(({ idx }) => idx)).size,
        BLOCK_SIZE + 1,
      )
    },
  )

  await t.test(
    'a store that is away is told to who waits, and asked again by the next one',
    async t => {
      const { asked, lease } = lessor()
      const take = createTakeStatusEntry({ lists: { lease }, since, clock })
      const first = take(TTL)
      asked[0]?.refuse()
      await t.rejects(Promise.resolve(first), { message: 'away' })
      const second = take(TTL)
      asked[1]?.grant()
      t.match(await second, { idx: Number })
      for (let count = 1; count <= BLOCK_SIZE / 2; count++) take(TTL)
      asked[2]?.refuse()
      await turn()
      take(TTL)
      t.equal(asked.length, 4, 'also in the background')
    },
  )

  await t.test(
    "the next hour's first block is there before the hour turns; a longer life has another list",
    async t => {
      const { asked, lease } = lessor()
      const take = createTakeStatusEntry({ lists: { lease }, since, clock })
      const begin = clock()
      const first = take(TTL)
      asked[0]?.grant()
      await first
      clock.advance(50 * 60_000 - 59_000)
      t.match(take(TTL), { list: `${hour}-a` })
      t.same(
        asked.map(({ hour }) => hour),
        [hour, hour + 1],
      )
      take(TTL)
      t.equal(asked.length, 2)
      asked[1]?.grant()
      await turn()
      clock.advance(60_000)
      t.match(take(TTL), { list: `${hour + 1}-a` }, 'nobody waits')
      clock.advance(begin + 3 * HOUR - clock())
      const later = take(TTL)
      t.equal(asked.at(-1)?.hour, hour + 3)
      asked.at(-1)?.grant()
      t.match(await later, { list: `${hour + 3}-a` })
    },
  )
})

/** A store that tells what it is told to tell. */
function telling() {
  const kept = new Map<string, number[]>()
  const put: Array<ReadonlyMap<string, readonly number[]>> = []
  return {
    kept,
    put,
    async read(known: ReadonlyMap<string, KnownOfList>): Promise<StatusNews[]> {
      return [...kept].map(([list, all]) => {
        const from = known.get(list)?.revoked ?? 0
        return {
          list,
          count: all.length,
          revoked: all.slice(all.length < from ? 0 : from),
          ownedCount: 0,
          owned: [],
        }
      })
    },
    async revoke(revoked: ReadonlyMap<string, readonly number[]>) {
      put.push(revoked)
      for (const [list, indices] of revoked) {
        kept.set(list, [...new Set([...(kept.get(list) ?? []), ...indices])])
      }
    },
  }
}

t.test('memory', async t => {
  const clock = createHandClock()
  const hour = Math.floor(clock() / HOUR)
  const [a, b] = [`${hour}-a`, `${hour}-b`]

  await t.test('takes in what is new, once', async t => {
    const store = telling()
    const memory = createStatusMemory({ lists: store, clock })
    t.equal(memory.syncedAt(), -Infinity)
    store.kept.set(a, [5])
    store.kept.set('1-a', [5])
    await Promise.all([memory.sync(), memory.sync()])
    t.match(memory.find(a), { revoked: 1, bits: Uint8Array })
    t.equal(memory.find('1-a'), undefined, 'but no list whose tokens have expired')
    store.kept.set(a, [5, 6])
    store.kept.set(b, [])
    await memory.sync()
    t.same(
      memory.all().map(({ list, revoked }) => [list, revoked]),
      [
        [a, 2],
        [b, 0],
      ],
    )
    t.equal(memory.find(b)?.bits, undefined)
    t.equal(memory.syncedAt(), clock())
    t.same(store.put, [])
  })

  await t.test(
    'puts back what the store has lost: bits, a list with bits, a list without',
    async t => {
      const store = telling()
      const memory = createStatusMemory({ lists: store, clock })
      store.kept.set(a, [5, 6, 7])
      store.kept.set(b, [])
      await memory.sync()
      store.kept.set(a, [6])
      store.kept.delete(b)
      await memory.sync()
      t.same(store.put, [
        new Map([
          [a, [5, 6, 7]],
          [b, []],
        ]),
      ])
      t.same(store.kept.get(a)?.toSorted(), [5, 6, 7])
      store.kept.clear()
      await memory.sync()
      t.same(
        store.kept,
        new Map([
          [a, [5, 6, 7]],
          [b, []],
        ]),
      )
      await memory.sync()
      t.equal(store.put.length, 2, 'once')
      t.equal(memory.find(a)?.revoked, 3)
    },
  )

  await t.test("a list goes with its tokens, and isn't put back then", async t => {
    const store = telling()
    const memory = createStatusMemory({ lists: store, clock })
    store.kept.set(a, [5])
    await memory.sync()
    clock.advance(2 * HOUR)
    store.kept.clear()
    await memory.sync()
    t.same([memory.all(), store.put], [[], []])
  })
})

t.test(
  "a client's own tokens have blocks of their own, by credential and configuration",
  async t => {
    const clock = createHandClock()
    clock.advance(HOUR - (clock() % HOUR))
    const leased: unknown[] = []
    let now = 7
    const take = createTakeStatusEntry({
      lists: {
        async lease(hour, owner) {
          leased.push(owner)
          return { list: `${hour}-a`, first: (leased.length - 1) * BLOCK_SIZE }
        },
      },
      since: () => now,
      clock,
    })
    const blockOf = async (credential?: string) =>
      Math.floor((await take(TTL, credential)).idx / BLOCK_SIZE)
    t.same(
      [await blockOf(), await blockOf('a'), await blockOf('b'), await blockOf('a')],
      [0, 1, 2, 1],
    )
    now = 8
    t.same([await blockOf('a'), await blockOf(), await blockOf('a')], [3, 0, 3])
    t.same(leased, [
      undefined,
      { credential: 'a', since: 7 },
      { credential: 'b', since: 7 },
      { credential: 'a', since: 8 },
    ])
  },
)

t.test("a list that can't be signed is tried anew by who asks next", async t => {
  const clock = createHandClock()
  const list = `${Math.floor(clock() / HOUR)}-a`
  let [works, isGone] = [false, false]
  const memory = {
    find: (name: string) =>
      isGone && name === list
        ? undefined
        : { list: name, bits: undefined, revoked: 0, owners: new Map() },
    syncedAt: clock,
    sync: async () => {},
  }
  const documentOf = createDocumentOf({
    issuer: 'https://id.example.com',
    uriOf: name => name,
    ttl: 1500,
    memory,
    async sign(claims) {
      if (!works) throw new Error('the token is away')
      return `signed ${Object(claims).ttl}`
    },
    kid: () => 'kid',
    clock,
  })
  await t.rejects(documentOf(list), { message: 'the token is away' })
  works = true
  t.match(await documentOf(list), { jwt: 'signed 1' })
  isGone = true
  t.equal(await documentOf(list), undefined)
  t.match(
    await documentOf(`${list}b`),
    { jwt: 'signed 1' },
    'and one that has gone is forgotten',
  )
})

t.test(
  'a list is compressed once for all algorithms, until a token is revoked',
  async t => {
    const clock = createHandClock()
    const list = `${Math.floor(clock() / HOUR)}-a`
    const bits = new Uint8Array(2 ** 17)
    let revoked = 1
    const documentOf = createDocumentOf({
      issuer: 'https://id.example.com',
      uriOf: (name, algorithm) => `${name} ${algorithm}`,
      ttl: 1500,
      memory: {
        find: name => ({ list: name, bits, revoked, owners: new Map() }),
        syncedAt: clock,
        sync: async () => {},
      },
      sign: claims => String(Object(claims).status_list.lst),
      kid: () => 'kid',
      clock,
    })
    const first = await documentOf(list)
    // Had it been compressed anew, this would be seen.
    bits[0] = 1
    t.same(await documentOf(list, 'RS256'), first)
    clock.advance(400_000)
    t.same(await documentOf(list), first, 'signed anew, and not compressed')
    revoked = 2
    t.notSame(await documentOf(list), first)
    t.same(await documentOf(list), await documentOf(list, 'RS256'))
  },
)

t.test('a claim of another issuer names none of our lists', async t => {
  const { entryOf, uriOf, isRevoked } = createStatusService({
    issuer: 'https://id.example.com/',
    status: { enabled: true, ttl: 10_000 },
    lists: { ...telling(), lease: async () => ({ list: '1-a', first: 0 }) },
    keys: {
      signingKey: () => {
        throw new Error('none')
      },
    },
    credentials: { since, isGone: () => false },
    signed() {},
    clock: createHandClock(),
    metrics: { countStatusLease() {}, observeStatusRebuild() {} },
  })
  t.equal(uriOf('1-a'), 'https://id.example.com/status/1-a')
  t.same(entryOf({ idx: 4, uri: 'https://id.example.com/status/1-a' }), {
    list: '1-a',
    idx: 4,
  })
  t.equal(uriOf('1-a', 'RS256'), 'https://id.example.com/status/1-a?alg=RS256')
  t.same(entryOf({ idx: 4, uri: 'https://id.example.com/status/1-a?alg=RS256' }), {
    list: '1-a',
    idx: 4,
  })
  const elsewhere = { idx: 4, uri: 'https://elsewhere.example.com/status/1-a' }
  t.equal(entryOf(elsewhere), undefined)
  t.equal(isRevoked(elsewhere), false, 'nor is it known to be revoked')
})
