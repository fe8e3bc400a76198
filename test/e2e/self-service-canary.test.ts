// Tickets, their codes, passwords and the words of mails come out nowhere but where they are sent: not in the
// log at its most talkative, the audit, the metrics, the errors, nor in the bytes of the store. Over mail and
// over the webhook, with a delivery that fails, one that is given up, and a mail that is refused for good.
import { createHash, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import { startServer } from '../../src/server.ts'
import { receiver } from '../outbox/support.ts'
import {
  type LatchkeyProcess,
  ORDERS,
  postForm,
  startLatchkey,
  STORES,
  storeUrlFor,
} from '../support/server.ts'
import {
  linkOf,
  MAIL_PASSWORD,
  startMailServer,
  type TakenMail,
} from '../support/smtp.ts'
import { storedIn } from '../support/stored-bytes.ts'
import { until } from '../support/until.ts'

const SECRET = `whsec_${randomBytes(32).toString('base64')}`
/** The audit's line about it. */
const GIVEN_UP = /"message\.abandoned".*"tries":\d+.*"ticket\.recovery"/
const FIRST = 'correct horse battery'
const SECOND = 'another horse battery'
const LINKS = {
  verification: 'https://app.example.com/verify',
  recovery: 'https://app.example.com/reset',
}

/** A message that arrived: what it lets its reader do, and its words. */
interface Arrived {
  readonly ticket: string
  readonly code: string
  readonly words: readonly string[]
}

/** A way out that a test holds in its hand. */
interface Way {
  readonly notify: object
  /** Refuses the next message, and says a word too much about it; a mail `isForGood` is not tried again. */
  refuse(isForGood: boolean): void
  /** Refuses every message from now on in the same way. */
  refuseAll(): void
  arrived(): Arrived[]
  /** The messages that were refused, one for each try. */
  refused(): Arrived[]
}

async function mailWay(t: Test): Promise<Way> {
  const smtp = await startMailServer(t)
  const from = 'Shop <no-reply@shop.example>'
  return {
    notify: { mail: { ...smtp.settings, from, links: LINKS } },
    refuse(isForGood) {
      smtp.replies.push({ at: 'DATA', code: isForGood ? 554 : 451 })
    },
    refuseAll() {
      smtp.standing = { at: 'DATA', code: 451 }
    },
    arrived: () => messagesIn(smtp.mails),
    refused: () => messagesIn(smtp.refused),
  }
}

/** The mails with a ticket. */
function messagesIn(mails: readonly TakenMail[]): Arrived[] {
  const withTicket = mails.filter(taken => linkOf(taken).ticket !== '')
  return withTicket.map(taken => {
    const text = String(taken.mail.text)
    const [code = ''] = /\b[0-9]{8}\b/.exec(text) ?? []
    const lines = [String(taken.mail.subject), ...text.split('\n')]
    return {
      ticket: linkOf(taken).ticket,
      code,
      words: lines.filter(line => line.length > 20),
    }
  })
}

async function webhookWay(t: Test): Promise<Way> {
  const hook = await receiver(t)
  const taken: string[] = []
  const refused: string[] = []
  const refusals: number[] = []
  let standing: number | undefined
  hook.answer = (response, { body }) => {
    const status = refusals.shift() ?? standing
    if (body.includes('"ticket.')) (status === undefined ? taken : refused).push(body)
    // As a page for developers does that shows what it was sent.
    response.writeHead(status ?? 204).end(status && body)
  }
  const messages = (bodies: readonly string[]) =>
    bodies.map(body => {
      const { ticket, code } = JSON.parse(body).data
      return { ticket, code, words: [body] }
    })
  return {
    notify: { webhook: { url: hook.url, secrets: [SECRET], allowPrivate: true } },
    refuse() {
      refusals.push(500)
    },
    refuseAll() {
      standing = 500
    },
    arrived: () => messages(taken),
    refused: () => messages(refused),
  }
}

/** How a secret may be written down; a code's plain hash is as good as the code. */
function spellings(secret: string): string[] {
  const digest = createHash('sha256').update(secret)
  const hashed = secret.length === 8 ? digest.digest() : undefined
  return [Buffer.from(secret), ...(hashed === undefined ? [] : [hashed])].flatMap(
    bytes => [
      bytes.toString('latin1'),
      bytes.toString('hex'),
      bytes.toString('base64url'),
      bytes.toString('base64').replace(/=+$/, ''),
    ],
  )
}

/**
 * Starts a server in the place of one that has ended, which gives up what it has tried once: sooner than a
 * file may say.
 *
 * @returns its log
 */
async function startImpatient(t: Test, { config }: LatchkeyProcess): Promise<string[]> {
  const lines: string[] = []
  const parsed = parseConfig(JSON.stringify(config), {})
  const server = await startServer({
    config: { ...parsed, notify: { ...parsed.notify, giveUp: 1 } },
    logStream: {
      write(line: string) {
        lines.push(line)
      },
    },
  })
  t.teardown(() => server.close())
  return lines
}

const WAYS = { mail: mailWay, webhook: webhookWay }

for (const store of STORES) {
  for (const [by, makeWay] of Object.entries(WAYS)) {
    t.test(`by ${by}, on ${store.name}`, async t => {
      const way = await makeWay(t)
      const storeUrl = await storeUrlFor(t, store)
      const server = await startLatchkey({
        storeUrl,
        addUser: false,
        config: {
          log: { level: 'trace' },
          attributes: { email: { unique: true, self: true } },
          selfService: {
            registration: 'open',
            recovery: true,
            codes: true,
            perTarget: { max: 10 },
          },
          notify: way.notify,
        },
      })
      t.teardown(() => server.stop())
      const answers: string[] = []
      const stored: string[] = []
      const look = async () => stored.push(await storedIn(storeUrl))
      const post = async (path: string, body: object) => {
        const answer = await fetch(`${server.url}/account${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
        answers.push(await answer.text())
        return answer.status
      }
      const arrived = async (count: number): Promise<Arrived> => {
        await until(() => way.arrived().length >= count)
        const message = way.arrived()[count - 1]
        if (message === undefined) throw new Error('nothing arrived')
        t.match(message, { ticket: /^tk_/, code: /^[0-9]{8}$/ })
        return message
      }
      const metrics = async () => (await fetch(`${server.managementUrl}/metrics`)).text()
      const counted = async (result: string) =>
        (await metrics()).includes(`way="${by}",result="${result}"} 1\n`)

      const attributes = { email: 'alice@example.com' }
      way.refuse(false)
      t.equal(await post('', { name: 'alice', password: FIRST, attributes }), 202)
      await until(() => counted('failed'))
      await look()
      const first = await arrived(1)
      await look()
      const wrong = first.code === '00000000' ? '00000001' : '00000000'
      t.equal(await post('/verification', { name: 'alice', code: wrong }), 400)
      t.equal(await post('/verification', { name: 'bob', code: first.code }), 400)
      t.equal(await post('/verification', { name: 'alice', code: first.code }), 204)
      t.equal(await post('/verification', { name: 'alice', code: first.code }), 400)
      t.equal(await post('/recovery', { name: 'alice' }), 202)
      const second = await arrived(2)
      await look()
      const { code } = second
      const complete = (body: object) => post('/recovery/completion', body)
      t.equal(await complete({ code, name: 'alice', password: code }), 400)
      t.equal(await complete({ ...second, password: SECOND }), 400, 'both')
      t.equal(await complete({ code, name: 'alice', password: SECOND }), 204)
      t.equal(await complete({ ticket: second.ticket, password: FIRST }), 400)
      const login = await postForm(`${server.url}/token`, {
        grant_type: 'password',
        client_id: 'mobile',
        resource: ORDERS,
        username: 'alice',
        password: SECOND,
      })
      t.equal(login.status, 200)
      t.equal(await post('/recovery', { name: 'alice' }), 202)
      const third = await arrived(3)
      if (by === 'mail') {
        way.refuse(true)
        await post('/recovery', { name: 'alice' })
        await server.logged(/message\.abandoned/)
      }
      await look()
      const metricsBefore = await metrics()
      await server.stop()
      const logAfter = await startImpatient(t, server)
      const before = way.refused().length
      way.refuseAll()
      t.equal(await post('/recovery', { name: 'alice' }), 202)
      await until(() => logAfter.some(line => GIVEN_UP.test(line)))
      t.ok(way.refused().length > before, 'what was given up had been sent')
      await look()

      const messages = [first, second, third, ...way.refused()]
      const tickets = messages.map(({ ticket }) => ticket)
      t.equal(tickets.length, new Set(tickets).size, 'each try has a ticket of its own')
      const secrets = [FIRST, SECOND, MAIL_PASSWORD, SECRET].concat(
        messages.flatMap(({ ticket, code, words }) => [ticket, code, ...words]),
      )
      const places = {
        log: [...server.lines, ...logAfter].join('\n'),
        metrics: metricsBefore + (await metrics()),
        errors: answers.join('\n'),
        store: stored.join('\n'),
      }
      t.match(places.log, '"ticket.refused"', 'where the audit is found')
      t.match(places.metrics, /way="\w+",result="abandoned"\} [1-9]/)
      t.match(places.errors, 'invalid_ticket')
      t.ok(stored.every(bytes => bytes.includes('alice')) && stored.length === 5)
      for (const [place, text] of Object.entries(places)) {
        const found = secrets.filter(secret =>
          spellings(secret).some(each => text.includes(each)),
        )
        t.same(found, [], place)
      }
      t.notMatch(places.log, /canary-of-the-reply/, 'nor what a mail server says')
    })
  }
}
