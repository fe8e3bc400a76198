// What a redemption meets when somebody else changes the account in the same moment; and the small parts.
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
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

/** In how many spans an answer came whose work ended in that one. */
async function spansOf(t: Test, last: number, fault?: Error): Promise<number> {
  const { promise: done, resolve, reject } = Promise.withResolvers<string>()
  let spans = 0
  let isBegun = false
  const even = createEvenTime(async ms => {
    t.equal(ms, EVEN_MS, 'a whole span, whatever the work has taken of it')
    spans += 1
    t.equal(isBegun, spans > 1, 'the first begins before the work')
    if (spans === last) fault ? reject(fault) : resolve('done')
    await setImmediate()
  })
  const answer = even(async () => {
    isBegun = true
    return done
  })
  if (fault) await t.rejects(answer, fault)
  else t.equal(await answer, 'done')
  return spans
}

t.test('even time', async t => {
  t.equal(await spansOf(t, 1), 1)
  t.equal(await spansOf(t, 3), 3, 'a whole number of spans')
  const fault = new Error('failed')
  t.equal(await spansOf(t, 1, fault), 1)
  t.equal(await spansOf(t, 2, fault), 2)
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
