// What a network held back arrives when nobody waits for it any more: a rotation whose client has gone on
// must not pass for a thief's.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { FamilyRef } from '../../src/stores/ports/families.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { mayFenceOff } from '../../src/stores/redis/connection/fence.ts'
import {
  createRedisStore,
  type RedisStore,
  type RedisStoreOptions,
} from '../../src/stores/redis/store.ts'
import { startRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

interface Network {
  readonly url: string
  /** Keeps what clients send from now on; a new connection goes through, or is refused. */
  holdBack(others: 'pass' | 'refused'): void
  /** How many of those connections there still are at the server. */
  held(): number
  /** Lets go of it, to the connections that it was sent on. */
  release(): void
}

/**
 * A way to a port of this machine that does as a kernel does whose cable is pulled: what a process has sent
 * outlives its connection.
 */
async function startNetwork(t: Test, target: number): Promise<Network> {
  const open = new Set<{
    readonly near: Socket
    readonly far: Socket
    held: Buffer[] | undefined
  }>()
  let refuses = false
  const server = createServer(near => {
    if (refuses) {
      near.destroy()
      return
    }
    const far = connect(target, '127.0.0.1')
    const pair: { near: Socket; far: Socket; held: Buffer[] | undefined } = {
      near,
      far,
      held: undefined,
    }
    open.add(pair)
    near
      .on('error', () => {})
      .on('close', () => {
        if (pair.held === undefined) far.destroy()
      })
    far
      .on('error', () => {})
      .on('close', () => {
        near.destroy()
      })
    near.on('data', chunk => {
      if (pair.held?.push(chunk) === undefined) far.write(chunk)
    })
    far.on('data', chunk => {
      if (pair.held === undefined) near.write(chunk)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const { near, far } of open) [near, far].map(socket => socket.destroy())
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `redis://127.0.0.1:${address.port}/0`,
    holdBack(others) {
      refuses = others === 'refused'
      for (const pair of open) pair.held = []
    },
    held: () =>
      [...open].filter(({ far, held }) => held !== undefined && !far.destroyed).length,
    release() {
      for (const { far, held } of open) {
        for (const chunk of held ?? []) if (far.writable) far.write(chunk)
      }
    },
  }
}

interface SceneOptions {
  /** What becomes of new connections. */
  readonly others: 'pass' | 'refused'
  /** Of the store behind the network. */
  readonly settings?: Partial<RedisStoreOptions>
}

/** A store behind such a network, with a session whose rotation is on its way, and nobody waits for it. */
async function setScene(t: Test, { others, settings = {} }: SceneOptions) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const straight = await createRedisStore({ ...PATIENT, url: redis.url })
  t.teardown(() => straight.close())
  await straight.client.call(
    'ACL',
    'SETUSER',
    'fenceless',
    'on',
    '>secret',
    '~*',
    '&*',
    '+@all',
    '-client|kill',
  )
  const network = await startNetwork(t, redis.port)
  // Longer than a busy machine needs, and not much longer: some of these calls are never answered.
  const behind = await createRedisStore({
    deadlineMs: 1_000,
    url: network.url,
    ...settings,
  })
  t.teardown(() => behind.close())
  await straight.directory.add(someAccount('ann'))
  const family = await signIn(straight, someAccount('ann').tag)
  network.holdBack(others)
  await t.rejects(behind.families.rotate(presented(family, 1)), StoreUnavailable)
  return {
    straight,
    behind,
    network,
    family,
  }
}

/** The owner's next refreshes. */
async function goOn(
  t: Test,
  store: RedisStore,
  family: FamilyRef,
  from: number,
): Promise<void> {
  for (const generation of [from, from + 1]) {
    t.match(await store.families.rotate(presented(family, generation)), {
      kind: 'rotated',
      generation: generation + 1,
    })
  }
}

/** Calls until the connection is given up and there is a new one. */
async function connectAnew(store: RedisStore, family: FamilyRef): Promise<void> {
  const ask = () =>
    store.families
      .peek({ ...family, generation: 1, reuseGraceMs: 10_000 })
      .catch(() => {})
  await until(async () => {
    await ask()
    return !store.condition().isReached
  })
  await until(async () => store.condition().isReached)
}

/** Lets what was held back go, and Redis look at it. */
async function releaseAll({ release }: Network): Promise<void> {
  release()
  await wait(50)
}

t.test(
  'a new connection ends the one before it: what was sent on that is never heard',
  async t => {
    const { behind, network, family } = await setScene(t, { others: 'pass' })
    t.equal(network.held(), 1)
    await connectAnew(behind, family)
    t.equal(network.held(), 0)
    await goOn(t, behind, family, 1)
    await releaseAll(network)
    await goOn(t, behind, family, 3)
  },
)

t.test(
  "where Redis doesn't let us end connections, the old one lives, and operators are told",
  async t => {
    const { behind, network, family } = await setScene(t, {
      others: 'pass',
      settings: { username: 'fenceless', password: 'secret' },
    })
    await connectAnew(behind, family)
    t.equal(network.held(), 1)
    t.match(
      (await behind.inspect()).map(({ check }) => check),
      ['persistence', 'fence'],
    )
    const { client } = behind
    client.disconnect()
    await t.rejects(
      mayFenceOff(client as Redis),
      /isn't writeable/,
      'no answer is no refusal',
    )
  },
)

t.test(
  'a second later it does nothing, whoever has gone on by another server',
  async t => {
    const { straight, network, family } = await setScene(t, { others: 'refused' })
    await goOn(t, straight, family, 1)
    await wait(1100)
    await releaseAll(network)
    await goOn(t, straight, family, 3)
  },
)

t.test('had it no time of its own, it would end the session', async t => {
  const { straight, network, family } = await setScene(t, {
    others: 'refused',
    settings: { clock: Date.now },
  })
  await goOn(t, straight, family, 1)
  await wait(1100)
  await releaseAll(network)
  t.match(await straight.families.rotate(presented(family, 3)), {
    kind: 'refused',
    reason: 'family_ended',
  })
})

t.test('a store whose clock has jumped is asked again', async t => {
  const { straight, family } = await setScene(t, { others: 'refused' })
  const asked = async () =>
    Number(
      /cmdstat_evalsha:calls=(\d+)/.exec(await straight.client.info('commandstats'))?.[1],
    )
  const before = await asked()
  const { now } = performance
  t.teardown(() => {
    performance.now = now
  })
  performance.now = () => now.call(performance) - 3_600_000
  t.match(await straight.families.rotate(presented(family, 1)), { kind: 'rotated' })
  t.equal((await asked()) - before, 2)
})
