// A worker of the outbox in a process of its own, which a suite kills: STORE and HOOK are its arguments, or
// STORE and what `notify.mail` says of an SMTP server, as JSON.
import { argv } from 'node:process'
import { monotonicClock, systemClock } from '../../../src/base/clock.ts'
import { systemRandom } from '../../../src/base/random.ts'
import { postMail, type SmtpSettings } from '../../../src/outbox/mail/smtp.ts'
import { createWorker } from '../../../src/outbox/worker.ts'
import { openStore } from '../../../src/stores/open.ts'

/** Short, so that the next round needn't wait for what a killed worker has left. */
const LEASE_MS = 4_000

const [, , url = '', hook = ''] = argv
const { store } = await openStore({ url, clock: systemClock })
const { outbox } = store
const mail: SmtpSettings | undefined = hook.startsWith('{') ? JSON.parse(hook) : undefined

async function deliver(id: string, signal: AbortSignal): Promise<void> {
  if (mail === undefined) {
    const answer = await fetch(hook, { method: 'POST', body: id, signal })
    await answer.text()
    return
  }
  const from = { name: '', address: 'shop@shop.example' }
  const text = { subject: id, text: id, html: id, lang: 'en' }
  const about = { id, at: 0, from, replyTo: undefined, to: 'alice@example.com' }
  await postMail(mail, { ...about, ...text }, signal)
}

const worker = createWorker({
  way: mail === undefined ? 'webhook' : 'mail',
  items: { ...outbox, take: (way, limit) => outbox.take(way, limit, LEASE_MS) },
  async deliver({ id }, signal) {
    await deliver(id, signal)
    return 'delivered'
  },
  timeoutMs: () => LEASE_MS / 2,
  giveUpMs: () => Infinity,
  report() {},
  monotonic: monotonicClock,
  random: systemRandom,
})
setInterval(() => worker.work().catch(() => {}), 5)
