import t from 'tap'
import { createAgreedClock, systemClock } from '../src/base/clock.ts'

t.test('the system clock gives the time in milliseconds', async t => {
  const before = Date.now()
  const now = systemClock()
  t.ok(now >= before && now <= Date.now())
})

t.test(
  'the agreed clock follows two of three witnesses: the system, the store, and what it was itself',
  async t => {
    const HOUR = 3_600_000
    let [real, system, counted] = [1_000_000, 0, 5]
    const clock = createAgreedClock({
      system: () => real + system,
      monotonic: () => counted,
    })
    const pass = (ms: number) => {
      ;[real, counted] = [real + ms, counted + ms]
    }
    const right = (when: string, expected = real) =>
      t.ok(Math.abs(clock.now() - expected) <= 3, when)

    right('before anything was heard of the store')
    pass(1000)
    t.equal(clock.hear(real + 3), real + 3, 'gives back what it heard')
    right('the store is a little ahead')

    for (const jump of [HOUR, -HOUR]) {
      system = jump
      right(`the system's clock jumped by ${jump} ms`)
      pass(1000)
      right('and stays there')
      system = 0
      right('and comes back')
      clock.hear(real + jump)
      right(`the store's clock jumped by ${jump} ms`)
      pass(1000)
      right('and stays there')
      clock.hear(real + 3)
    }

    // The machine slept: the monotonic clock stood still.
    real += HOUR
    right('only one of three knows how long the machine slept', real - HOUR)
    clock.hear(real + 3)
    right('the store knows, too')

    system = HOUR
    clock.hear(real + HOUR)
    right('both were set: so it is', real + HOUR)
  },
)
