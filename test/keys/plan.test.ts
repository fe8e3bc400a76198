import fc from 'fast-check'
import t from 'tap'
import { planRetirement, planRing, planRotation, signerAt, SKEW_MS, type Planned } from '../../src/keys/plan.ts'
import type { StoredKey } from '../../src/stores/ports.ts'

const DAY = 86_400_000
const policy = { algorithm: 'ES256', rotateEveryMs: 90 * DAY, publishAheadMs: 7 * DAY, accessTtlMs: 600_000 }
const REST = 600_000 + SKEW_MS
const T = 1_000 * DAY

/** Carries a plan out, with names instead of keys. */
let made = 0
const store = (planned: readonly Planned[]): StoredKey[] => planned
  .map(key => 'kid' in key ? key : { kid: `key${++made}`, publicJwk: {}, sealed: '', ...key })
  .toSorted((a, b) => a.signFrom - b.signFrom)
const start = (at = T) => store(planRing([], at, policy))
const kids = (ring: readonly StoredKey[]) => ring.map(({ kid }) => kid)
const get = (ring: readonly StoredKey[], index: number): StoredKey => {
  const key = ring[index]
  if (key === undefined) throw new Error(`no key ${index}`)
  return key
}

t.test('the first start makes a key that signs at once, and publishes the next', async t => {
  t.same(planRing([], T, policy), [
    { alg: 'ES256', publishAt: T, signFrom: T, signUntil: T + 90 * DAY, removeAt: T + 90 * DAY + REST },
    { alg: 'ES256', publishAt: T, signFrom: T + 90 * DAY, signUntil: T + 180 * DAY, removeAt: T + 180 * DAY + REST },
  ])
})

t.test('what is planned needs no other plan', async t => {
  const ring = start()
  const again = planRing(ring, T + DAY, policy)
  t.equal(again.length, 2)
  t.ok(again.every((key, index) => key === ring[index]), 'the very same objects')
})

t.test('the next key signs when its time comes, another is published, and the last goes with its last token', async t => {
  const ring = start()
  const [first, second] = kids(ring)
  const turn = T + 90 * DAY
  t.equal(signerAt(ring, turn - 1)?.kid, first)
  t.equal(signerAt(ring, turn)?.kid, second)
  const turned = store(planRing(ring, turn, policy))
  t.equal(turned.length, 3)
  t.match(turned[2], { publishAt: turn, signFrom: T + 180 * DAY })
  t.same(kids(store(planRing(turned, turn + REST - 1, policy))), kids(turned))
  t.same(kids(store(planRing(turned, turn + REST, policy))), kids(turned).slice(1))
})

t.test('a successor that comes late is published for long enough: the signer goes on until then', async t => {
  const alone = start().slice(0, 1)
  const late = T + 88 * DAY
  const ring = store(planRing(alone, late, policy))
  t.match(ring, [
    { kid: kids(alone)[0], signUntil: late + 7 * DAY, removeAt: late + 7 * DAY + REST },
    { publishAt: late, signFrom: late + 7 * DAY },
  ])
})

t.test('keys that sign for a shorter time than they are published ahead change later', async t => {
  t.match(planRing([], T, { ...policy, rotateEveryMs: DAY }), [{ signUntil: T + 7 * DAY, removeAt: T + 7 * DAY + REST }, { signFrom: T + 7 * DAY }])
})

t.test('after a time longer than any key lives it starts anew', async t => {
  const later = T + 400 * DAY
  const ring = planRing(start(), later, policy)
  t.match(ring, [{ signFrom: later }, { publishAt: later, signFrom: later + 90 * DAY }])
  t.notOk(ring.some(key => 'kid' in key))
})

t.test('another algorithm comes with the next key', async t => {
  const ring = start()
  const [first, second] = kids(ring)
  const rsa = { ...policy, algorithm: 'RS256' }
  const changed = store(planRing(ring, T + DAY, rsa))
  t.match(changed, [{ kid: first, alg: 'ES256' }, { alg: 'RS256', publishAt: T + DAY, signFrom: T + 90 * DAY }])
  t.equal(changed.length, 2)
  const near = store(planRing(ring, T + 84 * DAY, rsa))
  t.same(kids(near), [first, second], 'but not when verifiers would have no time to learn it')
  t.match(planRing(ring, T + 90 * DAY, rsa), [{ kid: second }, { kid: first }, { alg: 'RS256', signFrom: T + 180 * DAY }], 'then it follows after')
})

t.test('tokens that live longer keep their key longer', async t => {
  const ring = start()
  const longer = store(planRing(ring, T + DAY, { ...policy, accessTtlMs: DAY }))
  t.match(longer, [{ removeAt: T + 91 * DAY + SKEW_MS }, { removeAt: T + 181 * DAY + SKEW_MS }])
  t.same(planRing(longer, T + DAY, policy), longer, 'a shorter life takes nothing back')
  const turned = planRing(ring, T + 90 * DAY, { ...policy, accessTtlMs: DAY })
  t.match(turned.find(key => 'kid' in key && key.kid === kids(ring)[0]), { removeAt: T + 90 * DAY + REST }, 'a key that signs no more has nothing to wait for')
})

t.test('a rotation by hand lets the next key sign at once', async t => {
  const ring = start()
  const [first, second] = kids(ring)
  const at = T + 10 * DAY
  const rotated = store(planRotation(ring, at, policy))
  t.match(rotated, [
    { kid: first, signFrom: T, signUntil: at, removeAt: at + REST },
    { kid: second, publishAt: T, signFrom: at, signUntil: at + 90 * DAY, removeAt: at + 90 * DAY + REST },
    { publishAt: at, signFrom: at + 90 * DAY },
  ])
  t.equal(signerAt(rotated, at)?.kid, second)
  const twice = store(planRotation(rotated, at, policy))
  t.equal(signerAt(twice, at)?.kid, kids(rotated)[2], 'also twice in the same instant')
  t.equal(twice.length, 4)
})

t.test('a rotation by hand takes the key that verifiers know, though the algorithm has changed since', async t => {
  const ring = start()
  t.match(planRotation(ring, T + DAY, { ...policy, algorithm: 'RS256' }), [{ kid: kids(ring)[1], alg: 'ES256', signFrom: T + DAY }, {}, { alg: 'RS256' }])
})

t.test('a rotation that finds no next key makes one, and leaves it time to become known', async t => {
  const ring = start()
  const turn = T + 90 * DAY
  t.match(planRotation(ring, turn, policy), [{ kid: kids(ring)[1], signUntil: T + 180 * DAY }, {}, { publishAt: turn, signFrom: T + 180 * DAY }])
})

t.test('a retired key is gone', async t => {
  const ring = start()
  const [first = '', second = ''] = kids(ring)
  const at = T + DAY
  const withoutActive = store(planRetirement(ring, first, at, policy))
  t.match(withoutActive, [{ kid: second, signFrom: at, signUntil: at + 90 * DAY }, { signFrom: at + 90 * DAY }])
  t.equal(withoutActive.length, 2)
  const withoutNext = store(planRetirement(ring, second, at, policy))
  t.match(withoutNext, [{ kid: first, signUntil: T + 90 * DAY }, { publishAt: at, signFrom: T + 90 * DAY }])
  const rotated = store(planRotation(ring, at, policy))
  t.same(kids(store(planRetirement(rotated, first, at, policy))), kids(rotated).slice(1))
})

t.test('somebody signs whatever the clock says', async t => {
  const ring = start()
  const [first, second] = kids(ring)
  t.equal(signerAt([], T), undefined)
  t.equal(signerAt(ring, T - DAY)?.kid, first, 'before all keys: the first')
  t.equal(signerAt(ring, T + 500 * DAY)?.kid, second, 'after all keys: the last')
  t.match(planRing(ring, T - DAY, policy), [{ kid: first, signFrom: T - DAY }, { kid: second }], 'a clock that was set back')
})

t.test('at every moment of any life one key signs that was published ahead, and every token can be verified', async () => {
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 60 * DAY }),
    act: fc.constantFrom('load', 'load', 'load', 'rotate', 'retire'),
    algorithm: fc.constantFrom('ES256', 'RS256'),
  })
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), steps => {
    let now = T
    let ring = start()
    for (const { waitMs, act, algorithm } of steps) {
      const before = ring
      const signed = signerAt(before, now)
      const lastToken = now + policy.accessTtlMs
      now += waitMs
      const today = { ...policy, algorithm }
      if (act === 'load') ring = store(planRing(before, now, today))
      else if (act === 'rotate') ring = store(planRotation(before, now, today))
      else ring = store(planRetirement(before, get(before, waitMs % before.length).kid, now, today))

      const signing = ring.filter(key => key.signFrom <= now && now < key.signUntil)
      if (signing.length !== 1) throw new Error(`${signing.length} keys sign`)
      const signer = get(signing, 0)
      const next = ring.filter(key => key.signFrom > now)
      if (next.length !== 1 || next[0]?.signFrom !== signer.signUntil) throw new Error('no successor that begins where the signer ends')
      if (get(next, 0).signFrom - get(next, 0).publishAt < policy.publishAheadMs) throw new Error('a key was published too late')
      if (act !== 'retire' && signed !== undefined && now < signed.removeAt && !kids(before).includes(signer.kid)) throw new Error('an unknown key signs')
      if (act !== 'retire' && now <= lastToken && signed !== undefined && !kids(ring).includes(signed.kid)) throw new Error('a living token lost its key')
      if (act === 'load' && planRing(ring, now, today).some(key => !('kid' in key && ring.includes(key)))) throw new Error('planning again changes something')
    }
  }), { numRuns: 500 })
})
