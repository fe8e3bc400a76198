// Thousands of requests for a new password of one victim, from as many networks, over real sockets: no more
// is sent than the limit says, the victim still gets a ticket and logs in, and /token is as quick beside them
// as alone. The first half comes at a rate that a machine bears, by which that is judged; the second as fast
// as it is answered, whose figure is printed.
import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { Agent } from 'undici'
import t, { type Test } from 'tap'
import { receiver } from '../outbox/support.ts'
import { PASSWORD, postForm, startLatchkey, STORES, USER } from '../support/server.ts'
import { until } from '../support/until.ts'

/** 10,000 is the long form. */
const REQUESTS = Number(process.env['LATCHKEY_FLOOD'] ?? 4_000)
const AT_ONCE = 64
/** Of the first half, milliseconds between two requests. */
const PAUSE_MS = 5
/** A request each 5 ms costs a processor that /token has, too: half as long again, or so many ms. */
const [MOST_TIMES_MORE, MOST_MS_MORE] = [0.5, 3]
const IN_ALL = 10
const SECRET = `whsec_${randomBytes(32).toString('base64')}`
/** The victim's own network. */
const HOME = '203.0.113.9'

for (const { name, make } of STORES) {
  t.test(`one victim, ${REQUESTS} requests, on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const hook = await receiver(t)
    const server = await startLatchkey({
      storeUrl: store.url,
      http: { trustedProxies: ['127.0.0.1'] },
      config: {
        selfService: {
          recovery: true,
          perTargetInAll: { max: IN_ALL, window: '1h' },
        },
        notify: {
          webhook: {
            url: hook.url,
            secrets: [SECRET],
            allowPrivate: true,
            types: ['ticket.recovery'],
          },
        },
      },
    })
    t.teardown(() => server.stop())
    const logIn = () =>
      fetch(`${server.url}/token`, {
        method: 'POST',
        headers: { 'x-forwarded-for': HOME },
        body: new URLSearchParams({
          grant_type: 'password',
          client_id: 'mobile',
          username: USER,
          password: PASSWORD,
        }),
      })
    const login = await logIn()
    t.equal(login.status, 200)
    const refreshing = keepRefreshing(
      server.url,
      Object(await login.json()).refresh_token,
    )
    await until(() => refreshing.tookMs.length > 300)
    const alone = median(refreshing.tookMs.splice(0))

    const recover = createRecover(t, `${server.url}/account/recovery`)
    const statuses = new Set<number>()
    // A network each: no limit of one network stops them.
    const ask = async (place: number) => {
      statuses.add(await recover(`10.${place >> 8}.${place & 255}.1`))
    }
    const half = REQUESTS / 2
    const steady = await timed(async () => {
      const startedAt = performance.now()
      const asked: Array<Promise<void>> = []
      for (let place = 0; place < half; place++) {
        asked.push(ask(place))
        await wait(startedAt + place * PAUSE_MS - performance.now())
      }
      await Promise.all(asked)
    })
    const beside = median(refreshing.tookMs.splice(0))
    const fast = await timed(async () => {
      let next = half
      const keepAsking = async () => {
        while (next < REQUESTS) await ask(next++)
      }
      await Promise.all(Array.from({ length: AT_ONCE }, keepAsking))
    })
    const besideAll = median(refreshing.tookMs.splice(0))
    t.same(
      [...statuses].filter(status => status !== 202 && status !== 429),
      [],
    )
    await until(() => hook.hooks.length >= IN_ALL)
    t.equal(hook.hooks.length, IN_ALL, 'no more than the limit says')
    t.equal(await recover(HOME), 202)
    await until(() => hook.hooks.length > IN_ALL)
    t.equal(hook.hooks.length, IN_ALL + 1, 'the victim gets one at home')
    const answers = await refreshing.stop()
    t.same([...answers], [200], 'refreshes go on')
    const again = await logIn()
    t.equal(again.status, 200, 'and so does a login')
    const [perSecond, most] = [Math.round(half / steady), Math.round(half / fast)]
    t.comment(
      `a refresh takes ${alone.toFixed(1)} ms alone; beside ${perSecond} requests a second ` +
        `${(beside / alone).toFixed(2)} times as long; beside ${most} a second, as many as are answered, ` +
        `${(besideAll / alone).toFixed(2)} times`,
    )
    const bearable = Math.max(alone * MOST_TIMES_MORE, MOST_MS_MORE)
    t.ok(beside - alone < bearable, 'a flood does not slow /token')
  })
}

/** How long it takes, in seconds. */
async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / 1000
}

/** Asks for a new password of the victim, from an address. */
function createRecover(t: Test, url: string) {
  const dispatcher = new Agent({ connections: AT_ONCE })
  t.teardown(() => dispatcher.close())
  return async (address: string): Promise<number> => {
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': address }
    const body = JSON.stringify({ name: USER })
    const { statusCode, body: answer } = await dispatcher.request({
      origin: new URL(url).origin,
      path: new URL(url).pathname,
      method: 'POST',
      headers,
      body,
    })
    await answer.dump()
    return statusCode
  }
}

/** Refreshes one session again and again, and notes how long each took. */
function keepRefreshing(url: string, first: string) {
  const tookMs: number[] = []
  const statuses = new Set<number>()
  const ending = new AbortController()
  let token = first
  async function loop(): Promise<void> {
    while (!ending.signal.aborted) {
      const startedAt = performance.now()
      const form = {
        grant_type: 'refresh_token',
        client_id: 'mobile',
        refresh_token: token,
      }
      const answer = await postForm(`${url}/token`, form)
      statuses.add(answer.status)
      token = answer.body.refresh_token
      tookMs.push(performance.now() - startedAt)
    }
  }
  const ended = loop()
  return {
    tookMs,
    async stop() {
      ending.abort()
      await ended
      return statuses
    },
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
