// What a bench may say of what it measured.
import t from 'tap'
import { inChangingOrder } from '../bench/trial.ts'
import { goalText, intervalOf, median, noiseOf, ratioText } from '../bench/verdict.ts'

/** Always the same numbers, from 0 to 1. */
function steps(): () => number {
  let last = 0
  return () => {
    last = (last + 0.37) % 1
    return last
  }
}
const of = (...starts: number[][]) => intervalOf(starts, median, steps())

t.test('a ratio that chance could give, too, is no number', t => {
  const clear = of([1.8, 1.9, 1.86], [1.82, 1.88, 1.86])
  t.equal(ratioText(clear, noiseOf(of([0.98, 1.01, 1], [1.02, 0.99, 1]))), '1.86')
  const near = of([1.08, 1.1, 1.09], [1.1, 1.07, 1.09])
  t.equal(ratioText(near, noiseOf(of([0.99, 1, 1.01]))), '1.09')
  t.equal(ratioText(near, noiseOf(of([1.15, 1.16, 1.14]))), 'not resolved')
  t.equal(ratioText(near, noiseOf(of([0.86, 0.85, 0.87]))), 'not resolved')
  t.end()
})

t.test('starts that disagree make the interval wide', t => {
  const alike = of([1.2, 1.21], [1.19, 1.2], [1.2, 1.2])
  const apart = of([0.9, 0.91], [1.5, 1.49], [1.2, 1.2])
  t.equal(ratioText(alike, 1), '1.20')
  t.equal(ratioText(apart, 1), 'not resolved')
  t.end()
})

t.test('a goal is met or missed only where chance leaves no doubt', t => {
  const ratio = { value: 1.5, low: 1.45, high: 1.55 }
  t.equal(goalText(ratio, 1.02, { atMost: 1.6 }), '≤ 1.60 met')
  t.equal(goalText(ratio, 1.1, { atMost: 1.6 }), '≤ 1.60 not resolved')
  t.equal(goalText(ratio, 1.02, { atMost: 1.3 }), '≤ 1.30 MISSED')
  t.equal(goalText(ratio, 1.02, { atLeast: 1.3 }), '≥ 1.30 met')
  t.equal(goalText(ratio, 1.02, { atLeast: 1.5 }), '≥ 1.50 not resolved')
  t.equal(goalText(ratio, 1.02, { atLeast: 3 }), '≥ 3.00 MISSED')
  t.equal(goalText(ratio, 1, {}), '')
  t.end()
})

t.test('everybody is measured in each place, and named in their own', async t => {
  const names = ['a', 'b', 'c']
  const places: Record<string, Set<number>> = {}
  for (let round = 0; round < 6; round++) {
    const order: string[] = []
    const results = await inChangingOrder(names, round, async name => {
      ;(places[name] ??= new Set()).add(order.push(name))
      return name
    })
    t.same(results, names)
  }
  for (const name of names) t.equal(places[name]?.size, 3, name)
})
