// Workers of the outbox that are killed in the middle: nothing is lost, and what arrives twice is counted.
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

const ROUNDS = Number(process.env['ROUNDS'] ?? 5)
const ITEMS = 20
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
  for (const urlOf of [sqliteUrl, redisUrl]) {
    t.test(`kill -9 of the worker, ${takerOf.name}, ${urlOf.name}`, async t => {
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
      const arrived = new Set(came())
      t.strictSame([...arrived].toSorted(), ids.toSorted(), 'each one arrived')
      const twice = came().length - arrived.size
      t.comment(`${ROUNDS} rounds, ${ids.length} items, ${twice} came again`)
      t.ok(twice <= ROUNDS * 8, 'no more came again than were on their way')
    })
  }
}
