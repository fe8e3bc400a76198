// What calls of SCIM cost Redis: a change that moves no text of the index and claims nothing is one write.
import type { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createRedisStore } from '../../../../src/stores/redis/store.ts'
import { startRedis } from '../../../support/redis.ts'
import { GROUP, scimOn } from '../../../support/scim.ts'
import { PATIENT } from '../../../support/until.ts'

const TIMES = 10

/** What Redis did for one of several calls, those within its scripts, too. */
async function commandsOf(client: Redis | Cluster, call: (time: number) => unknown) {
  await client.call('CONFIG', ['RESETSTAT'])
  for (let time = 0; time < TIMES; time++) await call(time)
  const stats = await client.info('commandstats')
  const calls = [...stats.matchAll(/cmdstat_(?!config|info)[^:]*:calls=(\d+)/g)]
  return calls.reduce((sum, [, count]) => sum + Number(count), 0) / TIMES
}

/** A server with users, and a client of its Redis. */
async function prepared(t: Test, count: number) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const store = await createRedisStore({ ...PATIENT, url: redis.url })
  t.teardown(() => store.close())
  // It is at the Redis that is watched, which is started here.
  const bench = await scimOn(t, 'SQLite', { storeUrl: redis.url })
  const ids: string[] = []
  for (let each = 0; each < count; each++) {
    const emails = [{ value: `user-${each}@example.com` }]
    ids.push((await bench.add(`user-${each}`, { emails })).id)
  }
  return { bench, ids, client: store.client }
}

t.test('what a change costs', async t => {
  const { bench, ids, client } = await prepared(t, 2)
  const [id] = ids
  const { call, patch } = bench
  const replace = (path: string, value: unknown) =>
    patch(`/Users/${id}`, [{ op: 'replace', path, value }])
  const CALLS = {
    'another displayName': {
      most: 14,
      call: (time: number) => replace('displayName', `Ann ${time}`),
    },
    'active, there and back': {
      most: 15,
      call: (time: number) => replace('active', time % 2 === 1),
    },
    'another address': {
      most: 34,
      call: (time: number) =>
        replace('emails[type eq "work"].value', `ann-${time}@example.com`),
    },
    'another name': {
      most: 40,
      call: (time: number) => replace('userName', `ann-${time}`),
    },
    'a user': { most: 3, call: () => call('GET', `/Users/${id}`) },
    'a user by name': {
      most: 4,
      call: () => call('GET', '/Users?filter=userName%20eq%20%22user-1%22'),
    },
    'all groups': { most: 2, call: () => call('GET', '/Groups') },
  }
  for (const [name, { most, call: once }] of Object.entries(CALLS)) {
    // The server learns the scripts.
    t.equal((await once(TIMES)).statusCode, 200, name)
    const commands = await commandsOf(client, once)
    t.ok(commands <= most, `${name}: ${commands} commands`)
  }
})

t.test('what members cost that join and leave at once', async t => {
  const { bench, ids, client } = await prepared(t, 100)
  const { call, patch } = bench
  const body = { schemas: [GROUP], displayName: 'staff' }
  const { id } = (await call('POST', '/Groups', { body })).json()
  const members = ids.map(value => ({ value }))
  const path = `/Groups/${id}`
  const commands = await commandsOf(client, async time => {
    const op = time % 2 === 0 ? 'add' : 'remove'
    const answer = await patch(path, [{ op, path: 'members', value: members }])
    t.equal(answer.statusCode, 200)
  })
  const each = commands / ids.length
  t.ok(each < 30, `${each} commands for each`)
})
