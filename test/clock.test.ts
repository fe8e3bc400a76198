import t from 'tap'
import { systemClock } from '../src/clock.ts'

t.test('the system clock gives the time in milliseconds', async t => {
  const before = Date.now()
  const now = systemClock()
  t.ok(now >= before && now <= Date.now())
})
