// A server that is killed again and again while it mails tickets: every request for a new password that was
// answered 202 brings a mail, and of two mails for one request the last has the good ticket. ROUNDS in the
// environment says how often.
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'
import { STORES, storeUrlFor } from '../support/server.ts'
import { linkOf, startMailServer, type TakenMail } from '../support/smtp.ts'
import { PATIENT, until } from '../support/until.ts'
import { FULL, figure } from './support/figures.ts'
import { startKillable } from './support/killable.ts'
import {
  addressOf,
  addRecipients,
  post,
  RECOVERY,
  recipient,
  recover,
  repeated,
} from './support/recipients.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? (FULL ? 100 : 3))
const EACH = 6
/** So long after the first answer, at most: some kills meet mails on their way, some come after the last. */
const LIFE_MS = 80
/** So many are on their way at once. */
const AT_ONCE = 8
const FIRST = 'the password by the first mail'
const LAST = 'the password by the last mail'

for (const store of STORES) {
  t.test(`kill -9 of a server that mails, ${ROUNDS} times, ${store.name}`, async t => {
    const storeUrl = await storeUrlFor(t, store)
    await addRecipients(storeUrl, ROUNDS * EACH)
    const smtp = await startMailServer(t)
    const from = 'Shop <no-reply@shop.example>'
    const links = { recovery: 'https://app.example.com/reset' }
    const server = await startKillable(t, {
      storeUrl,
      config: {
        ...RECOVERY,
        notify: { mail: { ...smtp.settings, timeout: '1s', from, links } },
      },
    })
    const acknowledged: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const names = Array.from({ length: EACH }, (_, place) =>
        recipient(round * EACH + place),
      )
      const before = acknowledged.length
      const asking = names.map(async name => {
        if (await recover(server.url, name)) acknowledged.push(name)
      })
      await until(() => acknowledged.length > before)
      await wait(Math.random() * LIFE_MS)
      await server.kill()
      await Promise.all(asking)
      await server.start()
    }
    const { store: looked } = await openStore({
      ...PATIENT,
      url: storeUrl,
      clock: systemClock,
    })
    t.teardown(() => looked.close())
    await until(async () => (await looked.outbox.backlog('mail')).length === 0)

    const mailsTo = Map.groupBy(smtp.mails, ({ to }) => String(to[0]))
    const lost = acknowledged.filter(name => !mailsTo.has(addressOf(name)))
    const arrived = new Map(
      [...mailsTo].map(([address, { length }]) => [address, length]),
    )
    const twice = repeated(arrived)
    let good = 0
    for (const mails of [...mailsTo.values()].filter(({ length }) => length > 1)) {
      if (await lastCounts(server.url, mails)) good += 1
    }
    figure(t, {
      fault: `${store.name}: kill -9 of a server that mails tickets, ${ROUNDS} times`,
      figure:
        `${lost.length} of ${acknowledged.length} acknowledged mails lost, ${twice.length} came more ` +
        `than once, the last ticket was the good one in ${good} of them`,
      mustShow: `0 lost; for each kill at most ${AT_ONCE} sent twice; the last ticket is valid`,
      holds:
        lost.length === 0 && twice.length <= AT_ONCE * ROUNDS && good === twice.length,
    })
    t.comment(`more than once: ${twice.join(', ')}`)
    t.ok(acknowledged.length >= ROUNDS, 'much was sent')
  })
}

/** Whether of several mails for one request the last one alone lets in. */
async function lastCounts(url: string, mails: readonly TakenMail[]): Promise<boolean> {
  const complete = (mail: TakenMail | undefined, password: string) =>
    mail === undefined
      ? 0
      : post(url, '/recovery/completion', { ticket: linkOf(mail).ticket, password })
  const isFirstVoid = (await complete(mails[0], FIRST)) === 400
  return isFirstVoid && (await complete(mails.at(-1), LAST)) === 204
}
