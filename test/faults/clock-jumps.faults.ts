// The system clock of the server, or of Redis, jumps by an hour under load: by libfaketime, so that the
// processes see it as they would.
import { setTimeout as wait } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { createFakeClock } from './support/fake-clock.ts'
import { FULL, figure, tally } from './support/figures.ts'
import {
  type Answer,
  addUsers,
  audited,
  fallen,
  logIn,
  startServers,
} from './support/load.ts'
import { startNode } from './support/redis-node.ts'

const HOUR_SECONDS = 3600
const TTL_SECONDS = 600
const AFTER_MS = FULL ? 20_000 : 4000

for (const who of ['Latchkey', 'Redis'] as const) {
  for (const [way, seconds] of [
    ['forward', HOUR_SECONDS],
    ['back', -HOUR_SECONDS],
  ] as const) {
    t.test(`the clock of ${who} jumps ${way} by an hour`, t => jump(t, who, way, seconds))
  }
}

async function jump(
  t: Test,
  who: 'Latchkey' | 'Redis',
  way: string,
  seconds: number,
): Promise<void> {
  const clock = createFakeClock(t)
  const redis = await startNode(t, who === 'Redis' ? { env: clock.env } : {})
  const servers = await startServers(t, 1, {
    storeUrl: redis.url,
    ...(who === 'Latchkey' && { env: clock.env }),
  })
  await addUsers(redis.url, 4)
  const fleet = await logIn(
    servers,
    Array.from({ length: 8 }, (_, user) => `user-${user % 4}`),
  )
  const [revoked = '', ...living] = fleet.sessions.map(({ accessToken }) => accessToken)
  const dead = await fleet.revoke(revoked)

  const load = fleet.keepRefreshing({ pauseMs: 50 })
  await wait(1000)
  const before = fleet.answers.length
  await clock.jump(seconds)
  const verdicts = []
  for (let ms = 0; ms < AFTER_MS; ms += 500) {
    await wait(500)
    verdicts.push(...(await Promise.all(living.map(token => fleet.introspect(token)))))
  }
  await load.stop()
  const issued = fleet.answers
    .slice(before)
    .filter(({ accessToken }) => accessToken !== undefined)
  const wrong = issued.map(expiresIn).filter(left => Math.abs(left - TTL_SECONDS) > 5)
  const ended = fleet.sessions.filter(({ loggedOut }) => loggedOut !== undefined)
  figure(t, {
    fault: `the clock of ${who} jumps ${way} by an hour`,
    figure:
      `${issued.length} tokens, ${wrong.length} with a wrong ` +
      `exp${wrong.length > 0 ? ` (such as ${wrong[0]?.toFixed(0)} s)` : ''}; ${ended.length} of ` +
      `${fleet.sessions.length} families ended; earlier tokens: active ` +
      `${tally(verdicts.map(String))}`,
    mustShow: '0 tokens with a wrong exp, 0 families wrongly ended',
    holds:
      issued.length > 50 &&
      wrong.length === 0 &&
      ended.length === 0 &&
      !verdicts.includes(false),
  })
  t.same(audited(servers, 'refresh.reused'), [])
  t.ok(dead, 'the revocation was acknowledged')
  t.equal(await fleet.introspect(revoked), false, 'what was revoked stays dead')
  t.same(fallen(servers), [])
}

/** How many seconds a token has to live, by the true time of its answer. */
function expiresIn({ accessToken, at }: Answer): number {
  return Number(decodeJwt(String(accessToken)).exp) - (performance.timeOrigin + at) / 1000
}
