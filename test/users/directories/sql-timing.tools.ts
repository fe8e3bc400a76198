// Whether the time of a refusal tells who exists in a table of a database: bcrypt takes long there, and for a
// name without a row, or a row without a hash, nothing of theirs is checked.
import bcrypt from 'bcrypt'
import t from 'tap'
import { startMariaDb, startPostgres } from '../../support/databases.ts'
import { standardScore } from '../../support/mann-whitney.ts'
import { startLatchkey, STORES } from '../../support/server.ts'

const ROUNDS = 60
const WARM_UP = 20
/** One run in two million is that far off by chance. */
const SUSPICIOUS = 5
const NAMES = ['ann', 'nobody', 'mute', 'eve'] as const

for (const start of [startPostgres, startMariaDb]) {
  t.test(`the time of a refusal does not tell who exists: ${start.name}`, async t => {
    const database = await start(t)
    const hash = bcrypt.hashSync('right', 8)
    await database.run(`
      CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR(80), hash VARCHAR(200), active BOOLEAN);
      INSERT INTO users VALUES
        (1, 'ann', '${hash}', true), (2, 'mute', NULL, true), (3, 'eve', '${hash}', false)`)
    const store = await STORES.find(({ name }) => name === 'SQLite')?.make()
    if (store === undefined) throw new TypeError('there is no store')
    const server = await startLatchkey({
      storeUrl: store.url,
      config: {
        log: { level: 'warn' },
        directories: [
          {
            name: 'shop',
            type: 'sql',
            url: database.url,
            query:
              'SELECT id, name, hash AS password_hash, NOT active AS disabled FROM users WHERE name = $2',
          },
        ],
      },
    })
    t.teardown(async () => {
      await server.stop()
      await store.remove()
    })
    const times: Record<string, number[]> = { ann: [], nobody: [], mute: [], eve: [] }
    const answers = new Set<string>()
    for (let round = -WARM_UP; round < ROUNDS; round++) {
      for (let turn = 0; turn < NAMES.length; turn++) {
        const username = String(NAMES[(turn + round + WARM_UP) % NAMES.length])
        const startedAt = performance.now()
        const answer = await fetch(`${server.url}/token`, {
          method: 'POST',
          body: new URLSearchParams({
            grant_type: 'password',
            client_id: 'mobile',
            username,
            // Another one each time: what is tried again at once costs nothing.
            password: `guess ${round} ${turn}`,
          }),
        })
        answers.add(`${answer.status} ${await answer.text()}`)
        if (round >= 0) times[username]?.push(performance.now() - startedAt)
      }
    }
    t.equal(answers.size, 1)
    for (const other of ['nobody', 'mute', 'eve']) {
      const score = standardScore(times[other] ?? [], times['ann'] ?? [])
      t.ok(Math.abs(score) < SUSPICIOUS, `${other} and a wrong one: ${score.toFixed(1)}`)
    }
  })
}
