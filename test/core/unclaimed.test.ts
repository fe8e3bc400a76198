// What a server says of unique values that could not be looked through.
import t from 'tap'
import { createUnclaimedNotice } from '../../src/core/unclaimed.ts'

t.test('a store that is away is told of, unless the server ends', async t => {
  const parts = new AsyncDisposableStack()
  const told: string[] = []
  const notice = createUnclaimedNotice({
    core: {
      valueClaims: {
        claim: async () => ({ accounts: 0, twins: [] }),
        unclaimed: async () => Promise.reject(new Error('away')),
      },
    },
    log: {
      warn: (_: unknown, message?: string) => {
        told.push(String(message))
      },
    },
    wait: async () => {},
    parts,
  })
  await notice()
  t.strictSame(told, ['the unique values of accounts could not be looked through'])
  await parts.disposeAsync()
  await notice()
  t.equal(told.length, 1)
})
