// Counts per window: a limit is spent until its window ends, and no longer.
import t from 'tap'
import { createWindowCounts } from '../src/base/counts/window-counts.ts'

t.test('what is spent is free again when its window is over', async t => {
  let now = 0
  const counts = createWindowCounts(() => now)
  const limit = { max: 2, window: 1000 }
  t.equal(counts.spent('a', limit), undefined, 'nobody counted it')
  t.equal(counts.count('a', limit), undefined)
  t.equal(counts.spent('a', limit), undefined, 'one is left')
  now = 100
  t.equal(counts.count('a', limit), undefined)
  t.equal(counts.spent('a', limit), 900)
  t.equal(counts.count('a', limit), 900, 'and one more is refused')
  now = 999
  t.equal(counts.spent('a', limit), 1)
  now = 1000
  t.equal(counts.spent('a', limit), undefined)
  t.equal(counts.count('a', limit), undefined)
})
