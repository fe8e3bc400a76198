// Whether asking for a new password tells who exists: a known, an unknown, a disabled and an unverified name,
// and a user of a directory elsewhere, answered alike and in the same time, also where the store needs longer
// for the known one. A planted difference, longer than what is hidden, shows that the test would see it.
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { EVEN_MS } from '../../../src/self-service/even-time.ts'
import { NO_SELF_SERVICE, PASSWORD } from '../../support/app.ts'
import { standardScore } from '../../support/mann-whitney.ts'
import { appDirectory, startUserApp } from '../../support/user-app.ts'
import { serverOn, STORES, type StoreName } from '../../conformance/helpers.ts'
import { notePending } from '../../support/stores.ts'

const ROUNDS = 100
const WARM_UP = 10
/** So many show the planted difference, which is as long as a span. */
const PLANTED_ROUNDS = 45
/** What the known name takes longer; even time hides it. Milliseconds. */
const HIDDEN_MS = 25
/** One run in two million is that far off by chance. */
const SUSPICIOUS = 5
const NAMES = ['alice', 'nobody', 'mallory', 'carol', 'ann']
/** The words that Ann logs in with, in an app elsewhere. */
const WORDS = 'an app of many years'

/** The times of each name; to note what Alice wants takes so many milliseconds longer. */
async function measure(
  t: Test,
  store: StoreName,
  { rounds, slowerMs }: { readonly rounds: number; readonly slowerMs: number },
): Promise<number[][]> {
  const app = await startUserApp([{ id: 1, name: 'ann', password: WORDS }])
  t.teardown(() => app.stop())
  const server = await serverOn(t, store, {
    logLevel: 'warn',
    directories: [appDirectory(app)],
    selfService: { ...NO_SELF_SERVICE, recovery: true },
    outgoing: {
      hasRoom: async () => true,
      async append({ whom }) {
        if ('name' in whom && whom.name === 'alice') await setTimeout(slowerMs)
        return 'appended'
      },
    },
  })
  server.live.attributes = { email: { list: false, unique: true } }
  server.live.loginBy = ['name', 'email']
  for (const name of ['mallory', 'carol']) {
    await server.accounts.add({ name, password: PASSWORD, scopes: null, roles: [] })
  }
  await server.accounts.disable('mallory')
  const carol = await server.accounts.find('carol')
  await notePending(server.store.directory, String(carol?.tag), { signUp: true })
  // The account of somebody elsewhere is there once they have logged in.
  const login = { grant_type: 'password', client_id: 'mobile', username: 'ann' }
  t.equal((await server.post('/token', { ...login, password: WORDS })).statusCode, 200)
  t.ok((await server.accounts.find('ann'))?.external, "a directory's account")
  const { asked } = app
  const times: number[][] = NAMES.map(() => [])
  const answers = new Set<string>()
  for (let round = -WARM_UP; round < rounds; round++) {
    for (let turn = 0; turn < NAMES.length; turn++) {
      const index = (turn + round + WARM_UP) % NAMES.length
      const payload = { name: NAMES[index] }
      const startedAt = performance.now()
      const answer = await server.app.inject({
        method: 'POST',
        url: '/account/recovery',
        payload,
      })
      if (round >= 0) times[index]?.push(performance.now() - startedAt)
      answers.add(`${answer.statusCode} ${answer.body}`)
    }
  }
  t.same([...answers], ['202 '], 'the same answer')
  t.equal(app.asked, asked, 'nobody elsewhere was asked')
  return times
}

const scoresOf = ([known = [], ...others]: number[][]) =>
  others.map(times => standardScore(known, times))

t.test(
  'a recovery longer than the even time would be seen',
  { buffered: true },
  async t => {
    const plan = { rounds: PLANTED_ROUNDS, slowerMs: EVEN_MS + 5 }
    const scores = scoresOf(await measure(t, 'SQLite', plan))
    t.ok(
      scores.every(score => score > SUSPICIOUS),
      scores.join(', '),
    )
  },
)

for (const store of STORES) {
  t.test(`recovery tells nobody who exists, on ${store}`, { buffered: true }, async t => {
    const times = await measure(t, store, { rounds: ROUNDS, slowerMs: HIDDEN_MS })
    for (const [index, score] of scoresOf(times).entries()) {
      const what = `alice and ${NAMES[index + 1]}: ${score.toFixed(1)}`
      t.ok(Math.abs(score) < SUSPICIOUS, `${what} standard deviations`)
    }
  })
}
