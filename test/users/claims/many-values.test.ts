// More values than V8 keeps in one Set (2^24, at which it throws), in small.
import t from 'tap'
import { findTwins } from '../../../src/users/claims/find-twins.ts'
import { someAccount } from '../../support/stores.ts'

const MOST = 1_000

t.test('no Set has more values than V8 takes', async t => {
  const { prototype } = Set
  const { add } = prototype
  prototype.add = function (value: unknown) {
    if (this.size >= MOST) throw new RangeError('Set maximum size exceeded')
    return add.call(this, value)
  }
  t.teardown(() => {
    prototype.add = add
  })
  const accounts = Array.from({ length: 20 * MOST }, (_, index) => ({
    // The last two want the same.
    ...someAccount(`user-${index}`, {
      foldedName: `ann${Math.min(index, 20 * MOST - 2)}`,
    }),
    createdAt: 0,
    updatedAt: 0,
    version: 1,
    sessionsEpoch: 0,
  }))
  const twins = await findTwins({
    async *pages() {
      yield accounts
    },
    wantedBy: ({ foldedName }) => [{ key: foldedName, attribute: 'email' }],
    isClaimed: async () => false,
  })
  t.match(twins, [
    {
      attribute: 'email',
      accounts: [{ sub: `user-${20 * MOST - 2}` }, { sub: `user-${20 * MOST - 1}` }],
    },
  ])
})
