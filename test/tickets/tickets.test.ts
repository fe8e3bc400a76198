// Tickets as the domain makes and reads them, over a real store.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createTickets, isCode, LONGEST_TTL_MS } from '../../src/tickets/tickets.ts'
import { createHandClock } from '../support/clock.ts'
import { addSomeone } from '../support/stores.ts'

const OLD = randomBytes(32).toString('base64')
const NEW = randomBytes(32).toString('base64')
const MINUTE = 60_000

t.test('tickets', async t => {
  const clock = createHandClock()
  const store = createSqliteStore({ file: ':memory:', clock })
  t.teardown(() => store.close())
  let codes = true
  const policy = () => ({ ttl: 30 * MINUTE, codes })
  const tickets = createTickets({ tickets: store.tickets, secrets: [OLD], policy })
  const rolled = createTickets({ tickets: store.tickets, secrets: [NEW, OLD], policy })
  const tag = await addSomeone(store)
  const sub = String((await store.directory.byTag(tag))?.sub)
  const request = { purpose: 'recovery', sub, epoch: 1, address: 'a@x.y' } as const

  await t.test('one that was made is read', async t => {
    const made = await tickets.make(request)
    t.match(made?.ticket, /^tk_[A-Za-z0-9_-]{66}$/)
    t.match(made?.code, /^[0-9]{8}$/)
    t.equal(made?.expiresAt, clock() + 30 * MINUTE)
    const shown = tickets.read(String(made?.ticket))
    t.match(shown, { kind: 'ticket', tag })
    if (shown === undefined) return
    t.equal(
      await store.tickets.look(tickets.presented(shown, 'recovery', 'a@x.y')),
      undefined,
    )
    t.equal(
      await store.tickets.look(tickets.presented(shown, 'recovery', 'b@x.y')),
      'ticket_outdated',
    )
    t.equal(
      await store.tickets.look(tickets.presented(shown, 'verification', 'a@x.y')),
      'ticket_unknown',
    )
    const byCode = { kind: 'code', tag, code: String(made?.code) } as const
    const look = rolled.presented(byCode, 'recovery', 'a@x.y')
    t.equal(await store.tickets.look(look), undefined, 'under a secret that was rotated')
    const other = rolled.presented({ ...byCode, code: 'x' }, 'recovery', 'a@x.y')
    t.equal(await store.tickets.look(other), 'ticket_code_wrong')
  })

  await t.test('neither ticket nor code is kept', async t => {
    const made = await tickets.make(request)
    const file = `/dev/shm/latchkey-tickets-${process.pid}.db`
    await store.backups.save(file)
    const { readFileSync, rmSync } = await import('node:fs')
    const bytes = readFileSync(file)
    rmSync(file)
    t.notOk(bytes.includes(String(made?.ticket)))
    t.notOk(bytes.includes(String(made?.code)))
    t.notOk(bytes.includes('a@x.y'), 'nor the address')
    t.ok(bytes.includes(sub), 'which would be found')
  })

  await t.test('no longer than a day, and of somebody', async t => {
    const made = await tickets.make({ ...request, ttl: 7 * LONGEST_TTL_MS })
    t.equal(made?.expiresAt, clock() + LONGEST_TTL_MS)
    t.equal(await tickets.make({ ...request, epoch: 9 }), undefined)
    t.equal(await tickets.make({ ...request, sub: 'nobody' }), undefined)
    codes = false
    t.equal((await tickets.make(request))?.code, undefined, 'no code unless wanted')
  })

  await t.test('what is none', async t => {
    const { ticket = '' } = (await tickets.make(request)) ?? {}
    const otherVersion = `tk_${Buffer.alloc(49, 7).toString('base64url')}`
    for (const text of [
      '',
      'tk_',
      ticket.slice(0, -1),
      `${ticket}A`,
      ` ${ticket}`,
      `${ticket}\n`,
      `rt${ticket.slice(2)}`,
      otherVersion,
      `${ticket.slice(0, -1)}${lastBitsOf(ticket)}`,
    ]) {
      t.equal(tickets.read(text), undefined, JSON.stringify(text))
    }
    t.ok(isCode('00000000'))
    t.notOk(isCode('0000000') || isCode('000000000') || isCode('0000000a'))
  })
})

/** Another last character that stands for the same bytes. */
function lastBitsOf(ticket: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet.charAt(alphabet.indexOf(ticket.slice(-1)) ^ 1)
}
