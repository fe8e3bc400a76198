// Whom what is sent counts for: one mailbox is one, however it is written.
import t from 'tap'
import { createSelfServiceLimits } from '../../src/http/callers/limits/self-service-limits.ts'

const HOUR = 3_600_000

t.test('one mailbox and one name are one target each', async t => {
  for (const spellings of [
    [
      'bob@mail.example.com',
      'Bob@MAIL.example.com',
      'bob@mail。example.com',
      'bob@mail。example。com',
    ],
    ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
    ['carl', 'CARL', ' carl '],
    ['\u0000', '\u0000'],
  ]) {
    const limits = createSelfServiceLimits({
      counts: undefined,
      secrets: ['s'.repeat(43)],
      perNetwork: { max: 100, window: HOUR },
      perTarget: { max: 1, window: HOUR },
      perTargetInAll: { max: 100, window: HOUR },
    })
    const isSpent = limits.isSpentFor('recovery', '192.0.2.0/24')
    const [first = '', ...others] = spellings
    t.equal(await isSpent(first), false, JSON.stringify(first))
    for (const other of others) t.equal(await isSpent(other), true, JSON.stringify(other))
    t.equal(await isSpent(`${first}x`), false, 'another one')
  }
})
