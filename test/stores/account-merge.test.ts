// How what the shards of the index of accounts have becomes one order.
import fc from 'fast-check'
import t from 'tap'
import { compareEntries, mergeShards } from '../../src/stores/redis/people/index/merge.ts'

const inBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

t.test('the order is that of bytes, also beyond U+FFFF', async t => {
  const texts = ['', 'a', 'a\0', 'ab', 'é', '\uD7FF', '\uE000', '\uFFFF', '\u{10000}']
  for (const a of texts) {
    for (const b of texts) {
      const found = Math.sign(compareEntries(a, b))
      t.equal(found, inBytes(a, b), JSON.stringify([a, b]))
    }
  }
})

t.test('what is merged is the beginning of all, as far as it is known', async () => {
  const shards = fc.array(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 9 }), {
    maxLength: 8,
  })
  const numbers = { most: fc.integer({ min: 1, max: 6 }), limit: fc.nat(30) }
  fc.assert(
    fc.property(shards, fc.record(numbers), (found, { most, limit }) => {
      // An entry of one shard is in no other.
      const whole = found.map((texts, shard) =>
        texts.map((text, place) => `${text}\0${shard} ${place}`).toSorted(inBytes),
      )
      const all = whole.flat().toSorted(inBytes)
      const known = whole.map(shard => shard.slice(0, most))
      const { entries, isLast } = mergeShards(known, { most, limit })
      const last = entries.at(-1)
      const isFull = entries.length === limit
      const isCut = known.some(shard => shard.length === most && shard.at(-1) === last)
      const isWhole = entries.length === all.length
      return (
        JSON.stringify(entries) === JSON.stringify(all.slice(0, entries.length)) &&
        entries.length <= limit &&
        (isFull || isCut || isWhole) &&
        isLast === (isWhole && !known.some(shard => shard.length === most))
      )
    }),
  )
})
