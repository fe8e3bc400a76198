// Spans of time as the command line writes them.
import t from 'tap'
import { span } from '../../src/cli/terminal/time.ts'

t.test('a span is in its largest unit, rounded down', async t => {
  for (const [ms, text] of [
    [0, '0s'],
    [999, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_600_000, '1h'],
    [86_400_000 * 2.5, '2d'],
  ] as const) {
    t.equal(span(ms), text)
  }
})
