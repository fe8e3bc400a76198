// Workers of the outbox that are killed in the middle: nothing is lost, and what arrives twice is counted and
// named.
// ROUNDS in the environment says how often.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'
import { receiver } from '../outbox/support.ts'
import { endWithUs } from '../support/children.ts'
import { startRedis } from '../support/redis.ts'
import { startMailServer } from '../support/smtp.ts'
import { until } from '../support/until.ts'
import { FULL, figure } from './support/figures.ts'
import { repeated } from './support/recipients.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? (FULL ? 100 : 5))
const ITEMS = 20
/** So many are on their way at once. */
const AT_ONCE = 8
const WORKER = join(import.meta.dirname, 'support/outbox-worker.ts')

async function sqliteUrl(t: Test): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-outbox-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return `sqlite:${join(dir, 'latchkey.db')}`
}

async function redisUrl(t: Test): Promise<string> {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  return redis.url
}

/** What takes the items of a way. */
interface Taker {
  readonly way: 'webhook' | 'mail'
  /** The worker's argument. */
  readonly where: string
  /** The ids that came, each as often as it came. */
  came(): readonly string[]
}

async function webhook(t: Test): Promise<Taker> {
  const hook = await receiver(t)
  // Slow enough that a kill meets some on their way.
  hook.answer = response => {
    setTimeout(() => response.writeHead(204).end(), 10)
  }
  const came = () => hook.hooks.map(({ body }) => body)
  return { way: 'webhook', where: hook.url, came }
}

async function mail(t: Test): Promise<Taker> {
  const { mails, settings } = await startMailServer(t)
  const where = JSON.stringify({ ...settings, timeout: 10_000 })
  return { way: 'mail', where, came: () => mails.map(({ mail }) => String(mail.subject)) }
}

for (const takerOf of [webhook, mail]) {
  for (const [of, urlOf] of Object.entries({ SQLite: sqliteUrl, Redis: redisUrl })) {
    t.test(`kill -9 of the worker, ${takerOf.name}, ${of}`, async t => {
      const url = await urlOf(t)
      const { way, where, came } = await takerOf(t)
      const { store } = await openStore({ url, clock: systemClock })
      t.teardown(() => store.close())
      const start = () => endWithUs(spawn(process.execPath, [WORKER, url, where]))
      const ids: string[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const items = Array.from({ length: ITEMS }, (_, place) => ({
          id: `${round}-${place}`,
          way,
          content: '',
        }))
        ids.push(...items.map(({ id }) => id))
        const before = came().length
        t.ok(await store.outbox.append(items, 100_000))
        const worker = start()
        await until(() => came().length > before)
        await wait(Math.random() * 20)
        worker.kill('SIGKILL')
        await once(worker, 'exit')
      }
      const last = start()
      t.teardown(() => last.kill('SIGKILL'))
      await until(async () => (await store.outbox.backlog(way)).length === 0)
      const arrived = new Map(
        [...Map.groupBy(came(), id => id)].map(([id, each]) => [id, each.length]),
      )
      t.same(
        [...arrived.keys()].filter(id => !ids.includes(id)),
        [],
        'and nothing else',
      )
      const lost = ids.filter(id => !arrived.has(id))
      const twice = repeated(arrived)
      figure(t, {
        fault: `${of}: kill -9 of the worker that sends by ${way}, ${ROUNDS} times`,
        figure: `${lost.length} of ${ids.length} messages lost, ${twice.length} came more than once`,
        mustShow: `0 lost, at most ${AT_ONCE} a kill more than once`,
        holds: lost.length === 0 && twice.length <= ROUNDS * AT_ONCE,
      })
      t.comment(`more than once: ${twice.join(', ')}`)
    })
  }
}
