// Which counts a try to log in touches, and how much each of them may have; that they are counted so is the
// store's part (contracts/login-attempts).
import t from 'tap'
import type {
  LoginAttempt,
  SettledAttempt,
} from '../../src/stores/ports/login-attempts.ts'
import { createFailedLogins } from '../../src/users/failed-logins/failed-logins.ts'

const MINUTE = 60_000
const ann = (address: string) => ({ name: 'Ann', password: 'wrong', address })

function setUp() {
  const begun: LoginAttempt[] = []
  const settled: SettledAttempt[] = []
  const forgotten: string[] = []
  const failedLogins = createFailedLogins({
    attempts: {
      areWelcome: async pairs => pairs.map(() => true),
      async begin(attempt) {
        begun.push(attempt)
        return { kind: 'admitted', known: true }
      },
      async settle(attempt) {
        settled.push(attempt)
      },
      async forget(pairs) {
        forgotten.push(...pairs.map(({ id }) => id))
        return pairs.length
      },
    },
    secrets: ['s'.repeat(43)],
    policy: () => ({
      perName: 5,
      perNetwork: 100,
      perPassword: 20,
      maxDelay: 15 * MINUTE,
      knownFor: 7,
    }),
  })
  const limitsAt = async (address: string) => {
    await failedLogins.begin(ann(address), undefined)
    const attempt = begun.at(-1)
    const counts = attempt === undefined ? [] : [attempt.pair, ...attempt.others]
    return counts.map(({ by, limit }) => [by, limit.free, limit.forgetMs / MINUTE])
  }
  return { failedLogins, begun, settled, forgotten, limitsAt }
}

t.test('a wider network is allowed more, and forgets faster', async t => {
  const { limitsAt, begun } = setUp()
  t.same(await limitsAt('192.0.2.1'), [
    ['pair', 5, 60],
    ['network', 100, 5],
    ['password', 20, 1],
  ])
  t.same(await limitsAt('2001:db8:1:2::1'), [
    ['pair', 5, 60],
    ['network', 100, 5],
    ['pair', 10, 30],
    ['network', 200, 2.5],
    ['pair', 20, 15],
    ['network', 400, 1.25],
    ['password', 20, 1],
  ])
  const ids = begun.flatMap(({ pair, others }) => [pair, ...others].map(({ id }) => id))
  t.equal(new Set(ids).size, 9, 'the password alone is the same count')
  for (const id of ids) t.match(id, /^[\w-]{22}$/, '16 bytes')
  t.equal(begun[0]?.maxDelayMs, 15 * MINUTE)
})

t.test('how a try ended is said with what it was counted as', async t => {
  const { failedLogins, begun, settled } = setUp()
  const { settle } = await failedLogins.begin(ann('192.0.2.1'), undefined)
  await settle('succeeded')
  t.same(settled, [
    { ...begun[0], known: true, result: 'succeeded', knownForMs: 7, repeatMs: MINUTE },
  ])
  t.equal(failedLogins.allowance(), 5)
  t.equal(failedLogins.pairOf(ann('192.0.2.99')), begun[0]?.pair.id, 'the /24')
})

t.test(
  'a name is forgotten in its networks and the wider ones, as they are counted',
  async t => {
    const { failedLogins, begun, forgotten } = setUp()
    for (const address of ['192.0.2.1', '2001:db8:1:2::1']) {
      await failedLogins.begin(ann(address), undefined)
    }
    const pairs = begun
      .flatMap(({ pair, others }) => [pair, ...others])
      .filter(({ by }) => by === 'pair')
      .map(({ id }) => id)
    const networks = ['192.0.2.0/24', '192.0.2.7', '2001:db8:1:2::/64']
    t.equal(await failedLogins.forget('ann', networks), 4)
    t.same(forgotten, pairs)
    t.equal(await failedLogins.forget('ann', []), 0, 'the store is asked for nothing')
  },
)
