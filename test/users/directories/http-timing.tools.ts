// Whether the time of a refusal tells who exists in an app elsewhere: the app takes long to check a password,
// and answers at once for a name that it doesn't know.
import t from 'tap'
import { setTimeout as wait } from 'node:timers/promises'
import { standardScore } from '../../support/mann-whitney.ts'
import { startLatchkey, STORES } from '../../support/server.ts'
import { APP_SECRET, startUserApp } from '../../support/user-app.ts'

const ROUNDS = 60
const WARM_UP = 20
/** What the app needs for a password, and not for an unknown name; milliseconds. */
const HASH_MS = 15
/** One run in two million is that far off by chance. */
const SUSPICIOUS = 5
const NAMES = ['ann', 'nobody', 'eve'] as const

for (const { name, make } of STORES) {
  t.test(`the time of a refusal does not tell who exists, on ${name}`, async t => {
    const { url, remove } = await make()
    const eve = { id: 2, name: 'eve', password: '', more: { disabled: true } }
    const app = await startUserApp([{ id: 1, name: 'ann', password: 'right' }, eve])
    const server = await startLatchkey({
      storeUrl: url,
      config: {
        log: { level: 'warn' },
        directories: [
          {
            name: 'app',
            type: 'http',
            url: `${app.url}/verify`,
            secrets: [APP_SECRET],
            mayBePrivate: true,
          },
        ],
      },
    })
    t.teardown(async () => {
      await server.stop()
      await app.stop()
      await remove()
    })
    const apart: Record<string, number[]> = { ann: [], nobody: [], eve: [] }
    const answers = new Set<string>()
    for (let round = -WARM_UP; round < ROUNDS; round++) {
      for (let turn = 0; turn < NAMES.length; turn++) {
        const username = String(NAMES[(turn + round + WARM_UP) % NAMES.length])
        const password = `guess ${round} ${turn}`
        // Right, and another one each time: what is tried again at once costs nothing.
        eve.password = password
        if (username !== 'nobody') app.hold = wait(HASH_MS)
        else delete app.hold
        const startedAt = performance.now()
        const answer = await fetch(`${server.url}/token`, {
          method: 'POST',
          body: new URLSearchParams({
            grant_type: 'password',
            client_id: 'mobile',
            username,
            password,
          }),
        })
        answers.add(`${answer.status} ${await answer.text()}`)
        if (round >= 0) apart[username]?.push(performance.now() - startedAt)
      }
    }
    t.equal(answers.size, 1)
    t.ok(app.asked >= 3 * ROUNDS, 'each was asked for')
    for (const other of ['nobody', 'eve']) {
      const score = standardScore(apart[other] ?? [], apart['ann'] ?? [])
      t.ok(Math.abs(score) < SUSPICIOUS, `${other} and a wrong one: ${score.toFixed(1)}`)
    }
  })
}
