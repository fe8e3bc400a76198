// Whether signing up, or typing a code, tells who exists: a name or an address that is free, somebody's, a
// disabled account's, an unverified sign-up's or a user's of a directory elsewhere is answered alike and in
// the same time, also where the store needs longer for what is free. A planted difference, longer than what
// is hidden, shows that the test would see it.
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { EVEN_MS } from '../../../src/self-service/even-time.ts'
import { serverOn, STORES, type StoreName } from '../../conformance/helpers.ts'
import { NO_SELF_SERVICE, PASSWORD, type TestApp } from '../../support/app.ts'
import { standardScore } from '../../support/mann-whitney.ts'
import { notePending } from '../../support/stores.ts'
import { appDirectory, startUserApp } from '../../support/user-app.ts'

const ROUNDS = 100
const WARM_UP = 10
/** So many show the planted difference, which is as long as a span. */
const PLANTED_ROUNDS = 45
/** What an account that is added takes longer; even time hides it. Milliseconds. */
const HIDDEN_MS = 25
/** One run in two million is that far off by chance. */
const SUSPICIOUS = 5
/** The words that Ann logs in with, in an app elsewhere. */
const WORDS = 'an app of many years'
const OTHER = 'a wholly different password'

/** One kind of request, whose times are compared with the first one's. */
interface Kind {
  readonly what: string
  readonly path: string
  readonly body: (round: number) => object
}

const signUp = (name: string, email: string) => ({
  name,
  password: OTHER,
  attributes: { email },
})
const fresh = (round: number) => `new${round}@example.com`

const SIGN_UPS: readonly Kind[] = [
  ['nothing taken', (round: number) => signUp(`new${round}`, fresh(round))] as const,
  ...['alice', 'mallory', 'carol', 'ann'].map(
    name => [`${name}'s name`, (round: number) => signUp(name, fresh(-round))] as const,
  ),
  [
    'an address that alice has verified',
    () => signUp('eve', 'alice@example.com'),
  ] as const,
].map(([what, body]) => ({ what, path: '', body }))

const CODES: readonly Kind[] = ['alice', 'nobody', 'mallory', 'carol', 'ann'].map(
  name => ({
    what: name,
    path: '/recovery/completion',
    body: () => ({ name, code: '12345678', password: OTHER }),
  }),
)

/** A server with one of each kind of account; to note what was added takes so many milliseconds longer. */
async function startServer(
  t: Test,
  store: StoreName,
  slowerMs: number,
): Promise<TestApp> {
  const app = await startUserApp([{ id: 1, name: 'ann', password: WORDS }])
  t.teardown(() => app.stop())
  const server = await serverOn(t, store, {
    logLevel: 'warn',
    directories: [appDirectory(app)],
    selfService: {
      ...NO_SELF_SERVICE,
      registration: 'open',
      verify: 'email',
      recovery: true,
      codes: true,
    },
    outgoing: {
      hasRoom: async () => true,
      async append({ isTaken }) {
        if (isTaken !== true) await setTimeout(slowerMs)
        return 'appended'
      },
    },
  })
  server.live.attributes = { email: { list: false, unique: true, self: true } }
  const { accounts } = server
  for (const name of ['mallory', 'carol']) {
    await accounts.add({ name, password: PASSWORD, scopes: null, roles: [] })
  }
  for (const name of ['alice', 'mallory', 'carol']) {
    const attributes = { email: `${name}@example.com` }
    await accounts.setAttributes(name, { attributes, emailVerified: name !== 'carol' })
  }
  await accounts.disable('mallory')
  const carol = await accounts.find('carol')
  await notePending(server.store.directory, String(carol?.tag), { signUp: true })
  const login = { grant_type: 'password', client_id: 'mobile', username: 'ann' }
  t.equal((await server.post('/token', { ...login, password: WORDS })).statusCode, 200)
  return server
}

/** How far each kind's times are from the first one's, in standard deviations. */
async function measure(
  t: Test,
  { app }: TestApp,
  kinds: readonly Kind[],
  rounds = ROUNDS,
): Promise<number[]> {
  const times: number[][] = kinds.map(() => [])
  const answers = new Set<string>()
  for (let round = -WARM_UP; round < rounds; round++) {
    for (let turn = 0; turn < kinds.length; turn++) {
      const index = (turn + round + WARM_UP) % kinds.length
      const { path = '', body } = kinds[index] ?? {}
      const payload = body?.(round + WARM_UP + 1) ?? {}
      const startedAt = performance.now()
      const url = `/account${path}`
      const answer = await app.inject({ method: 'POST', url, payload })
      if (round >= 0) times[index]?.push(performance.now() - startedAt)
      answers.add(`${answer.statusCode} ${answer.body}`)
    }
  }
  t.equal(answers.size, 1, [...answers].join(', '))
  const [first = [], ...others] = times
  return others.map(each => standardScore(first, each))
}

t.test(
  'a sign-up longer than the even time would be seen',
  { buffered: true },
  async t => {
    const server = await startServer(t, 'SQLite', EVEN_MS + 5)
    const scores = await measure(t, server, SIGN_UPS, PLANTED_ROUNDS)
    t.ok(
      scores.every(score => score < -SUSPICIOUS || score > SUSPICIOUS),
      scores.join(', '),
    )
  },
)

for (const store of STORES) {
  for (const [what, kinds] of Object.entries({
    'signing up': SIGN_UPS,
    'a code': CODES,
  })) {
    t.test(
      `${what} tells nobody who exists, on ${store}`,
      { buffered: true },
      async t => {
        const scores = await measure(t, await startServer(t, store, HIDDEN_MS), kinds)
        for (const [index, score] of scores.entries()) {
          const words = `${kinds[0]?.what} and ${kinds[index + 1]?.what}: ${score.toFixed(1)}`
          t.ok(Math.abs(score) < SUSPICIOUS, `${words} standard deviations`)
        }
      },
    )
  }
}
