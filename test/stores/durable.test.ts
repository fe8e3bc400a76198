// store.replicas: what must last is answered only once a replica has it.
import { setTimeout as wait } from 'node:timers/promises'
import { nameShard } from '../../src/stores/redis/people/claims/names.ts'
import t, { type Test } from 'tap'
import type { FamilyRef } from '../../src/stores/ports/families.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import {
  createRedisStore,
  type RedisStore,
  type RedisStoreOptions,
} from '../../src/stores/redis/store.ts'
import { buildTestApp } from '../support/app.ts'
import { createHandClock } from '../support/clock.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { presented, signIn, someAccount, someLogin } from '../support/stores.ts'
import { PATIENT, SOON_MS, until } from '../support/until.ts'

/** A primary and its replica, and whether the replica takes part. */
async function pair(t: Test): Promise<{
  primary: TestRedis
  replica: TestRedis
  halt: () => void
  goOn: () => void
}> {
  const primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] })
  const replica = await startRedis({ args: ['--replicaof', `127.0.0.1 ${primary.port}`] })
  const halt = () => {
    process.kill(replica.pid, 'SIGSTOP')
  }
  const goOn = () => {
    process.kill(replica.pid, 'SIGCONT')
  }
  t.teardown(async () => {
    await replica.stop()
    await primary.stop()
  })
  return {
    primary,
    replica,
    halt,
    goOn,
  }
}

/** Replicas get as long as a busy machine takes. */
async function storeOn(
  t: Test,
  { url }: TestRedis,
  replicas: number,
): Promise<RedisStore> {
  return hastyStoreOn(t, { url }, { replicas, replicasMs: SOON_MS })
}

/** Replicas get half a second: for those that are held up. */
async function hastyStoreOn(
  t: Test,
  { url }: Pick<TestRedis, 'url'>,
  settings: Partial<RedisStoreOptions> = { replicas: 1 },
): Promise<RedisStore> {
  const store = await createRedisStore({ ...PATIENT, url, ...settings })
  t.teardown(() => store.close())
  return store
}

/** Waits until the replica takes part. */
async function inStep({ client }: RedisStore): Promise<void> {
  await until(async () => {
    await client.set('in step', 1)
    return (await client.wait(1, 100)) === 1
  })
}

/** Everything that is durable when it resolves, and whether it lasts. */
function durableCalls(
  { families, accessTokens, directory, subjects, statusLists }: RedisStore,
  tag: string,
  ref: FamilyRef,
): Record<string, () => Promise<unknown>> {
  return {
    login: () => families.open(someLogin(tag)),
    'the end of a family': () => families.end({ ...ref, clientId: null }),
    'the end of one that has ended': () => families.end({ ...ref, clientId: null }),
    'a revoked access token': () =>
      accessTokens.revoke({ ...ref, jti: 'a', expiresAt: Date.now() + 60_000 }),
    'a block of status indices': () => statusLists.lease(500_000),
    'a status bit': () => statusLists.revoke(new Map([['500000-a', [1]]])),
    'a new account': () => directory.add(someAccount(`new beside ${tag}`)),
    attributes: () =>
      directory.setAttributes({
        tag,
        attributes: { a: 1 },
        emailVerified: false,
        uniqueValues: [],
        version: 0,
      }),
    'a password': () => directory.setPassword(tag, '$argon2id$other'),
    'disabling a user': () => subjects.setDisabled(tag, true),
    'ending all sessions': () => subjects.endSessions(tag),
    'removing a user': () => directory.remove(tag),
  }
}

t.test("it waits for the replica, and says 503 when it doesn't come", async t => {
  const { primary, replica, halt, goOn } = await pair(t)
  const store = await storeOn(t, primary, 1)
  await inStep(store)
  await store.directory.add(someAccount('durable'))
  const { tag } = someAccount('durable')
  const ref = await signIn(store, tag)
  const behind = await storeOn(t, replica, 0)
  const hasty = await hastyStoreOn(t, primary)
  t.equal(
    await behind.client.exists(`lk:{${tag}}:f:${ref.sid}`),
    1,
    'what was answered is on the replica',
  )

  halt()
  await t.rejects(hasty.directory.add(someAccount('durable')), StoreUnavailable)
  t.match(
    await store.client.hget(keyOfName('durable'), someAccount('durable').foldedName),
    /./,
    'the name of an account stays its own',
  )
  for (const [name, call] of Object.entries(durableCalls(hasty, tag, ref))) {
    await t.rejects(
      call(),
      { name: 'StoreUnavailable', reason: /^0 of 1 replicas of 127/ },
      name,
    )
  }
  t.match(
    await store.subjects.byTag(tag),
    { disabled: true },
    'what needs no replica goes on, and who repeats a removal still finds the account',
  )
  t.equal(
    await store.client.hget(
      keyOfName(`new beside ${tag}`),
      someAccount(`new beside ${tag}`).foldedName,
    ),
    null,
    'the name is free for another try',
  )
  goOn()

  await store.directory.add(someAccount('again'))
  const again = someAccount('again').tag
  const next = await signIn(store, again)
  for (const [name, call] of Object.entries(durableCalls(store, again, next))) {
    await t.resolves(call(), `${name}: repeated, with the replica back`)
  }
})

t.test('healing and reuse: told as they are, with the fault beside them', async t => {
  const { primary, halt, goOn } = await pair(t)
  const store = await storeOn(t, primary, 1)
  await inStep(store)
  await store.directory.add(someAccount('healed'))
  const { tag } = someAccount('healed')
  const [first, second] = [await signIn(store, tag), await signIn(store, tag)]
  t.match(await store.families.rotate(presented(first, 2)), {
    kind: 'healed',
    generation: 3,
    fault: undefined,
  })
  t.match(await store.families.rotate(presented(first, 9)), {
    kind: 'reused',
    fault: undefined,
  })
  const hasty = await hastyStoreOn(t, primary)
  halt()
  t.match(
    await hasty.families.rotate(presented(second, 1)),
    { kind: 'rotated' },
    'a rotation waits for nobody',
  )
  const healed = await hasty.families.rotate(presented(second, 4))
  t.match(healed, { kind: 'healed', generation: 5, fault: StoreUnavailable })
  const reused = await hasty.families.rotate(presented(second, 9))
  t.match(reused, { kind: 'reused', fault: StoreUnavailable })
  goOn()
})

t.test('over HTTP: 503, and one audit event all the same', async t => {
  const { primary, halt, goOn } = await pair(t)
  await inStep(await storeOn(t, primary, 0))
  const server = await buildTestApp({ storeUrl: primary.url, replicas: 1 })
  t.teardown(() => server.close())
  const { refresh_token: token } = await server.login()
  const { refresh_token: second } = (await server.refresh(token)).json()
  await server.refresh(second)
  halt()
  server.clock.advance(60_000)
  const answer = await server.refresh(token)
  t.equal(answer.statusCode, 503)
  t.match(answer.headers['retry-after'], /^\d+$/)
  t.equal(server.lines.filter(line => line.includes('"type":"refresh.reused"')).length, 1)
  goOn()
})

t.test('a family that another primary has in an older state is no success', async t => {
  const { primary } = await pair(t)
  const store = await storeOn(t, primary, 1)
  await inStep(store)
  await store.directory.add(someAccount('older'))
  const ref = await signIn(store, someAccount('older').tag)
  await store.families.rotate(presented(ref, 1))
  const rotating = store.families.rotate(presented(ref, 3))
  // The confirmation comes after the answer: the record is gone by then.
  await store.client.del(`lk:{${ref.userTag}}:f:${ref.sid}`)
  const fault = { reason: /^another primary took over/ }
  t.match(await rotating, { kind: 'healed', fault })
  const other = await signIn(store, someAccount('older').tag)
  const reusing = store.families.rotate(presented(other, 9))
  await store.client.del(`lk:{${other.userTag}}:f:${other.sid}`)
  t.match(await reusing, { kind: 'reused', fault })
})

t.test('a slow server is waited for as long as by any other call', async t => {
  const { primary } = await pair(t)
  const store = await storeOn(t, primary, 1)
  await inStep(store)
  await store.client.call('CLIENT', 'PAUSE', '1000', 'WRITE')
  t.equal(await store.directory.add(someAccount('slow')), 'added')
})

t.test('many at once share a WAIT', async t => {
  const { primary } = await pair(t)
  const store = await storeOn(t, primary, 1)
  await inStep(store)
  await store.directory.add(someAccount('crowd'))
  const { tag } = someAccount('crowd')
  const before = await waits(store)
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, () => store.families.open(someLogin(tag))),
  )
  t.ok(outcomes.every(({ kind }) => kind === 'opened'))
  t.ok((await waits(store)) - before <= 3)
})

async function waits(store: RedisStore): Promise<number> {
  return Number(
    /cmdstat_wait:calls=(\d+)/.exec(await store.client.info('commandstats'))?.[1] ?? 0,
  )
}

t.test('in a cluster: each node waits for its own', async t => {
  const redis = await startRedis({ cluster: true })
  t.teardown(() => redis.stop())
  const store = await createRedisStore({
    ...PATIENT,
    url: redis.url,
    replicas: 1,
    clock: createHandClock(),
  })
  t.teardown(() => store.close())
  const careless = await createRedisStore({
    ...PATIENT,
    url: redis.url,
    clock: createHandClock(),
  })
  t.teardown(() => careless.close())
  await careless.directory.add(someAccount('alone'))
  await t.rejects(store.families.open(someLogin(someAccount('alone').tag)), {
    name: 'StoreUnavailable',
    reason: /^0 of 1 replicas of 127/,
  })
  await t.rejects(store.directory.add(someAccount('named')), {
    name: 'StoreUnavailable',
  })
  // Keys that name no user have a group of their own each.
  await careless.client.hset('lk:leaving{lk:names}', 'one', 'nobody 1', 'two', 'nobody 1')
  await t.rejects(store.upgrade(), /: 0 of 1 replicas of 127/)
})

t.test('a server that went away fails durable calls as all others', async t => {
  const primary = await startRedis()
  const store = await storeOn(t, primary, 1)
  await primary.stop()
  await t.rejects(store.subjects.endSessions('nobody'), StoreUnavailable)
  await wait(50)
  await t.rejects(store.subjects.endSessions('nobody'), StoreUnavailable)
})

t.test("a script's fault is told to its caller alone", async t => {
  const { primary } = await pair(t)
  const store = await storeOn(t, primary, 1)
  await inStep(store)
  await store.directory.add(someAccount('good'))
  await store.client.set('lk:{bad}:u', 'no hash')
  const [bad, good] = await Promise.allSettled([
    store.subjects.endSessions('bad'),
    store.subjects.endSessions(someAccount('good').tag),
  ])
  t.match(bad, {
    status: 'rejected',
    reason: { name: 'StoreUnavailable', cause: { message: /WRONGTYPE/ } },
  })
  t.match(good, { status: 'fulfilled', value: true })
})

t.test(
  'a connection that breaks while a replica is waited for is a fault, and comes back',
  async t => {
    const { primary, halt, goOn } = await pair(t)
    const store = await storeOn(t, primary, 1)
    await inStep(store)
    await store.directory.add(someAccount('broken'))
    const { tag } = someAccount('broken')
    halt()
    const disabling = t.rejects(store.subjects.setDisabled(tag, true), StoreUnavailable)
    await cutOffWaiting(store)
    await disabling
    goOn()
    await inStep(store)
    await t.resolves(until(() => store.subjects.setDisabled(tag, true)))
  },
)

/** Ends the connection that waits for replicas, as soon as there is one. */
async function cutOffWaiting({ client }: RedisStore): Promise<void> {
  await until(async () => {
    const list = String(await client.call('CLIENT', 'LIST'))
    const id = /^id=(\d+) .* flags=b .* cmd=wait /m.exec(list)?.[1]
    return id !== undefined && (await client.call('CLIENT', 'KILL', 'ID', id)) === 1
  })
}

const keyOfName = (tag: string) => `lk:names:${nameShard(someAccount(tag).foldedName)}`
