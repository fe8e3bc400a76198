// The circuit breaker alone, on a real connection: what its own probes meet, one after the other.
import t from 'tap'
import { monotonicClock } from '../../src/base/clock.ts'
import { systemRandom } from '../../src/base/random.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { createBreaker } from '../../src/stores/redis/connection/breaker.ts'
import { connectRedis } from '../../src/stores/redis/connection/connect.ts'
import { createLastReason } from '../../src/stores/redis/connection/opening.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

t.test(
  'a probe that fails is followed by the next one, whatever it fails of',
  async t => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const client = await connectRedis({ url: redis.url })
    const last = createLastReason()
    const faults = [
      new StoreUnavailable(undefined, 'it is loading its data'),
      new Error('Connection is closed.'),
    ]
    const reasons: (string | undefined)[] = []
    const breaker = createBreaker({
      client,
      async verify() {
        reasons.push(last.reason())
        const fault = faults.shift()
        if (fault !== undefined) throw fault
      },
      last,
      monotonic: monotonicClock,
      random: systemRandom,
    })
    t.teardown(() => {
      breaker.stop()
      client.disconnect()
    })
    breaker.trip()
    t.notOk(breaker.isUp())
    t.ok(await until(() => breaker.isUp()), 'the third probe finds it well')
    const [before, ...after] = reasons
    t.equal(before, undefined)
    t.strictSame(
      after,
      ['it is loading its data', 'it is loading its data'],
      "what isn't the store's own word is no reason",
    )
    t.equal(last.reason(), undefined, 'it is up')
  },
)
