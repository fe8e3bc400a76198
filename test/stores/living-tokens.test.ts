// What Redis keeps of a user's living tokens, so that their status bits can be set: little, both forms are
// read, and a store that earlier releases may use keeps theirs.
import t from 'tap'
import { systemRandom } from '../../src/base/random.ts'
import { newListName } from '../../src/stores/ports/status-lists.ts'
import {
  LIST,
  NEXT_LIST,
  HOUR,
  SID,
  setScene,
  TTL,
  upTo,
} from '../support/living-tokens.ts'
import { createHandClock } from '../support/clock.ts'
import { presented, signIn } from '../support/stores.ts'

t.test(
  'a thousand refreshes of a session in ten minutes leave at most 40 kB',
  async t => {
    const { store, open, next, userTag, key, revoked } = await setScene(t)
    const ref = await open(SID, 0)
    for (let idx = 1; idx <= 1000; idx++) await next(ref, idx)
    const keys = await store.client.keys(`*{${userTag}}*`)
    t.equal(keys.length, 3)
    const usages = await Promise.all(keys.map(key => store.client.memory('USAGE', key)))
    const bytes = usages.reduce((sum: number, usage) => sum + Number(usage), 0)
    t.comment(`${bytes} bytes`)
    t.ok(bytes <= 40_000)
    const fields = Object.values(await store.client.hgetall(key))
    t.ok(
      Math.max(...fields.map(digits => digits.length)) <= 64 * 13,
      'no refresh rewrites what many before it left',
    )
    await store.families.end({ ...ref, clientId: null })
    t.same(await revoked(), upTo(1001), 'and each can be revoked')
  },
)

t.test("a session's end sets its own bits, or those of all others", async t => {
  const { store, open, next, revoked, userTag } = await setScene(t)
  const [mine, other] = [await open(SID, 1), await open('c'.repeat(22), 2)]
  await next(mine, 3)
  await next(other, 0xfffff, { list: NEXT_LIST })
  await store.families.end({ ...mine, clientId: null })
  t.same(await revoked(), [1, 3])
  const third = await open('d'.repeat(22), 4)
  await store.subjects.endOtherSessions(userTag, third.sid)
  t.same(await revoked(), [1, 2, 3])
  t.same(await revoked(NEXT_LIST), [0xfffff])
  await store.subjects.setDisabled(userTag, true)
  t.same(await revoked(), [1, 2, 3, 4])
})

t.test('what has expired goes, under retries of one refresh, too', async t => {
  const { store, open, key, userTag } = await setScene(t)
  const ref = await open(SID, 0, 1)
  await open('c'.repeat(22), 1, 1)
  const replay = (idx: number, forMs: number) =>
    store.families.rotate(presented(ref, 1, { status: { list: LIST, idx, forMs } }))
  for (let idx = 2; idx < 50; idx++) await replay(idx, 1)
  await new Promise(resolve => setTimeout(resolve, 2100))
  await replay(50, TTL)
  t.equal((await store.client.hget(key, `${SID} ${LIST}`))?.length, 13)
  await signIn(store, userTag, {
    sid: 'd'.repeat(22),
    status: { list: LIST, idx: 51, forMs: TTL },
  })
  const fields = await store.client.hkeys(key)
  t.same(fields.sort(), [`${SID} ${LIST}`, `${'d'.repeat(22)} ${LIST}`])
})

t.test('many sessions that refresh leave no more than what lives, twice', async t => {
  const clock = createHandClock()
  const { store, open, next, key } = await setScene(t, { clock })
  const sids = [...'bcdefghijk'].map(letter => letter.repeat(22))
  const refs = []
  for (const sid of sids) refs.push(await open(sid, 0))
  let most = 0
  // A list an hour, as the server has them; no login comes in between.
  for (let hour = 1; hour <= 60; hour++) {
    clock.advance(3_600_000)
    const list = newListName(HOUR + hour, systemRandom)
    for (const [idx, ref] of refs.entries()) await next(ref, idx, { list })
    most = Math.max(most, await store.client.hlen(key))
  }
  t.ok(most <= 2 * sids.length + 1, `${most} fields`)
})

t.test('what was set aside goes once its last token has expired', async t => {
  const clock = createHandClock()
  const { store, open, next, key, userTag, revoked } = await setScene(t, { clock })
  const ref = await open(SID, 0, 4000)
  // The first of those set aside lives longer than its last one.
  for (let idx = 1; idx < 64; idx++) await next(ref, idx, { forMs: 4000 })
  for (let idx = 64; idx < 129; idx++) {
    await next(ref, idx, { forMs: idx === 64 ? TTL : 4000 })
  }
  t.equal(await store.client.hlen(key), 3)
  clock.advance(5100)
  await signIn(store, userTag, {
    sid: 'd'.repeat(22),
    status: { list: LIST, idx: 200, forMs: TTL },
  })
  t.equal(await store.client.hlen(key), 2, 'one of the session, one of the new one')
  await store.families.end({ ...ref, clientId: null })
  t.same(await revoked(), upTo(128).slice(64), 'those that one of them kept')
})

t.test(
  'a login takes along what has expired of other sessions, and leaves the rest',
  async t => {
    const { store, open, next, key } = await setScene(t)
    const ref = await open(SID, 0, 1)
    await next(ref, 1)
    await new Promise(resolve => setTimeout(resolve, 2100))
    await open('d'.repeat(22), 2)
    t.equal((await store.client.hget(key, `${SID} ${LIST}`))?.slice(8), '00001')
  },
)

t.test(
  'a store that earlier releases may use keeps their form until it is upgraded',
  async t => {
    const { store, connect, open, next, type, key, revoked } = await setScene(t, {
      old: true,
    })
    const ref = await open(SID, 0)
    await next(ref, 1)
    t.equal(await type(), 'zset')
    t.same(
      await store.client.zrange(key, '0', '-1'),
      [0, 1].map(idx => `${SID} ${LIST} ${idx}`),
    )
    const unaware = await connect()
    await store.upgrade()
    const before = await store.client.pttl(key)
    await next(ref, 2, { forMs: 1000 })
    t.equal(await type(), 'hash')
    const after = await store.client.pttl(key)
    t.ok(after > before - 60_000 && after <= before, 'it lasts as long as before')
    await next(ref, 3, { by: unaware })
    t.equal(await type(), 'hash', 'a server that has not heard of the upgrade follows')
    await store.families.end({ ...ref, clientId: null })
    t.same(await revoked(), [0, 1, 2, 3])
  },
)

t.test('what is left in the form of before is read', async t => {
  const { store, open, type, revoked } = await setScene(t, { old: true })
  const ref = await open(SID, 7)
  await store.upgrade()
  t.equal(await type(), 'zset')
  await store.families.end({ ...ref, clientId: null })
  t.same(await revoked(), [7])
})
