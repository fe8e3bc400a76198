// introspection.cache: a repeated question is answered without Redis, a revocation is heard of, and whoever
// brings a token along is asked about each time.
import { Redis } from 'ioredis'
import t from 'tap'
import { configOf, startInProcess } from '../support/in-process.ts'
import { startRedis } from '../support/redis.ts'
import { addUser, API_SECRET, PASSWORD, postForm, USER } from '../support/server.ts'
import { until } from '../support/until.ts'

for (const cache of [true, false]) {
  t.test(`introspection.cache: ${cache}`, async t => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    await addUser(redis.url)
    const admin = new Redis(redis.url)
    t.teardown(() => admin.disconnect())
    const config = configOf(redis.url, { introspection: { cache } })
    const { url } = await startInProcess(t, { config })
    const { body } = await postForm(`${url}/token`, {
      grant_type: 'password',
      client_id: 'mobile',
      username: USER,
      password: PASSWORD,
    })
    const token = body.access_token
    const ask = async () =>
      (
        await postForm(`${url}/introspect`, {
          token,
          client_id: 'orders-api',
          client_secret: API_SECRET,
        })
      ).body.active
    const scripts = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1])
    /** Counts are sent to Redis now and then: a few questions cost fewer scripts than there are. */
    const isRecalled = async () => {
      const before = await scripts()
      for (let question = 0; question < 30; question++) await ask()
      return (await scripts()) - before < 20
    }
    t.equal(await ask(), true)
    if (cache) await until(isRecalled)
    else t.notOk(await isRecalled())

    await postForm(`${url}/revoke`, { token, client_id: 'mobile' })
    const carried = await fetch(`${url}/userinfo`, {
      headers: { authorization: `Bearer ${token}` },
    })
    t.equal(carried.status, 401, 'at once')
    await until(async () => (await ask()) === false)
  })
}
