// Whether a refusal tells which names exist: an unknown name, a wrong password and a disabled user's right
// password, answered alike and in the same time. Thousands of logins, in turn; a planted early return shows
// that the test would see it.
import t, { type Test } from 'tap'
import type { Hashing, PasswordHasher } from '../../src/users/hashing/hasher.ts'
import { PASSWORD } from '../support/app.ts'
import { standardScore } from '../support/mann-whitney.ts'
import { serverOn, STORES, type StoreName } from '../conformance/helpers.ts'

const ROUNDS = 2_000
const WARM_UP = 300
/** One run in two million is that far off by chance. */
const SUSPICIOUS = 5

const KINDS = ['unknown', 'wrong', 'disabled'] as const
type Kind = (typeof KINDS)[number]
type Times = Record<Kind, number[]>

interface Plan {
  readonly rounds?: number
  readonly overHasher?: (hasher: PasswordHasher) => PasswordHasher
}

/** Times of each kind, in milliseconds, and every answer that differs from the others. */
async function measure(
  t: Test,
  store: StoreName,
  { rounds = ROUNDS, overHasher = hasher => hasher }: Plan = {},
): Promise<{ times: Times; answers: Set<string> }> {
  const server = await serverOn(t, store, { overHasher, logLevel: 'warn' })
  await server.accounts.add({
    name: 'mallory',
    password: PASSWORD,
    scopes: null,
    roles: [],
  })
  await server.accounts.disable('mallory')
  const credentials = (kind: Kind, round: number) =>
    ({
      unknown: ['nobody', `wrong guess ${round}`],
      wrong: ['alice', `wrong guess ${round}`],
      disabled: ['mallory', PASSWORD],
    })[kind]
  const times: Times = { unknown: [], wrong: [], disabled: [] }
  const answers = new Set<string>()
  for (let round = -WARM_UP; round < rounds; round++) {
    // The same password again within a minute would cost nothing.
    server.clock.advance(61_000)
    for (const kind of shuffled(KINDS)) {
      const [username = '', password = ''] = credentials(kind, round)
      const startedAt = performance.now()
      const { statusCode, headers, body } = await server.post('/token', {
        grant_type: 'password',
        client_id: 'mobile',
        username,
        password,
      })
      const tookMs = performance.now() - startedAt
      if (round < 0) continue
      times[kind].push(tookMs)
      const told = Object.entries(headers).filter(
        ([name]) => !/^date$|^x-request-id$|ratelimit/.test(name),
      )
      answers.add(JSON.stringify({ statusCode, told, body }))
    }
  }
  return { times, answers }
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map(item => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

const median = (times: readonly number[]) =>
  times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN

const scores = ({ unknown, wrong, disabled }: Times) => ({
  'an unknown name and a wrong password': standardScore(unknown, wrong),
  'a disabled user and a wrong password': standardScore(disabled, wrong),
  'an unknown name and a disabled user': standardScore(unknown, disabled),
})

for (const store of STORES) {
  t.test(`no refusal tells which names exist, on ${store}`, async t => {
    const { times, answers } = await measure(t, store)
    t.equal(answers.size, 1, 'same status, body and headers')
    t.match([...answers][0], /"statusCode":400.*invalid_grant/)
    t.comment(
      KINDS.map(kind => `${kind} ${median(times[kind]).toFixed(4)} ms`).join(', '),
    )
    for (const [what, score] of Object.entries(scores(times))) {
      t.ok(
        Math.abs(score) < SUSPICIOUS,
        `${what} take the same time: ${score.toFixed(1)} standard deviations`,
      )
    }
  })
}

/** A hasher whose every `verifyDummy` is another one. */
function planting(
  verifyDummy: Hashing['verifyDummy'],
): (hasher: PasswordHasher) => PasswordHasher {
  return hasher => ({
    ...hasher,
    enqueue: (request, work) =>
      hasher.enqueue(request, hashing => work({ ...hashing, verifyDummy })),
  })
}

t.test('an early return for unknown names would be seen', async t => {
  const { times, answers } = await measure(t, 'SQLite', {
    rounds: 300,
    overHasher: planting(async () => {}),
  })
  t.equal(answers.size, 1, 'by nothing but the time')
  t.ok(
    scores(times)['an unknown name and a wrong password'] < -SUSPICIOUS,
    `${scores(times)['an unknown name and a wrong password'].toFixed(1)} standard deviations`,
  )
  t.ok(Math.abs(scores(times)['a disabled user and a wrong password']) < SUSPICIOUS)
})

t.test('the rank sum is that of the books', async t => {
  // By hand: ranks of the first are 1, 2.5 and 5, so U = 8.5 - 6 = 2.5 of at most 6; no correction for ties.
  t.equal(
    standardScore([1, 2, 4], [2, 3]).toFixed(4),
    ((2.5 - 3) / Math.sqrt(3)).toFixed(4),
  )
  t.ok(standardScore([5, 6, 7, 8], [1, 2, 3, 4]) > 2)
})
