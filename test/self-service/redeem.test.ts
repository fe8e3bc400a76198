// What a redemption meets when somebody else changes the account in the same moment; and the small parts.
import t from 'tap'
import { createEvenTime, EVEN_MS } from '../../src/self-service/even-time.ts'
import { NO_WAY_OUT } from '../../src/self-service/outgoing.ts'
import { createRedeem } from '../../src/self-service/redeem.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createTickets } from '../../src/tickets/tickets.ts'
import { createSelfServiceLimits } from '../../src/http/callers/limits/self-service-limits.ts'
import { createHandClock } from '../support/clock.ts'
import { addSomeone } from '../support/stores.ts'

const SECRETS = [Buffer.alloc(32, 1).toString('base64')]
const INVALID = { status: 400, code: 'invalid_ticket' }

t.test('an account that changes again and again, or goes', async t => {
  const clock = createHandClock()
  const store = createSqliteStore({ file: ':memory:', clock })
  t.teardown(() => store.close())
  const tag = await addSomeone(store)
  const account = await store.directory.byTag(tag)
  const tickets = createTickets({
    tickets: store.tickets,
    secrets: SECRETS,
    policy: () => ({ ttl: 60_000, codes: false }),
  })
  const made = await tickets.make({
    purpose: 'recovery',
    sub: String(account?.sub),
    epoch: 1,
    address: '',
  })
  let looks = 0
  let lookedAt = Infinity
  const redeem = createRedeem({
    directory: {
      byTag: async () => (looks++ < lookedAt ? account : undefined),
      findLogin: async () => undefined,
    },
    tickets,
    store: store.tickets,
    evenTime: work => work(),
    emit: () => {},
  })
  let takes = 0
  const redemption = {
    purpose: 'recovery',
    proof: { ticket: String(made?.ticket) },
    caller: { network: '192.0.2.0/24', origin: { id: '1', headers: {} } },
    prepare: async () => {},
    take: async () =>
      ({ kind: takes++ % 2 === 0 ? 'superseded' : 'user_unknown' }) as const,
  } as const
  await t.rejects(redeem(redemption), { status: 409, code: 'conflict' })
  t.equal(takes, 100, 'and is given up then')
  looks = 0
  lookedAt = 1
  await t.rejects(redeem(redemption), INVALID, 'it has gone after the look')
  lookedAt = 0
  await t.rejects(redeem(redemption), INVALID, 'it is not there')
})

t.test('even time', async t => {
  let now = 0
  const waits: number[] = []
  const even = createEvenTime(
    () => now,
    async ms => waits.push(ms),
  )
  t.equal(await even(async () => 'done'), 'done')
  await t.rejects(
    even(async () => {
      now += 20
      throw new Error('failed')
    }),
    /failed/,
  )
  await even(async () => {
    now += 2 * EVEN_MS
  })
  t.same(waits, [EVEN_MS, EVEN_MS - 20, 0])
})

t.test('no way out, and no secret', async t => {
  t.equal(
    await NO_WAY_OUT.append({ purpose: 'recovery', whom: { name: 'x' } }),
    'appended',
  )
  const limit = { max: 1, window: 60_000 }
  const parts = {
    counts: undefined,
    perNetwork: limit,
    perTarget: limit,
    perTargetInAll: limit,
  }
  t.throws(() => createSelfServiceLimits({ ...parts, secrets: [] }), /no secret/)
  const invalid = createSelfServiceLimits({ ...parts, secrets: SECRETS })
  const isSpent = invalid.isSpentFor('recovery', '192.0.2.0/24')
  t.equal(await isSpent('no name'), false)
  t.equal(await isSpent('no name'), true)
})
