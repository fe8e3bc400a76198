// Mails over real sockets: with TLS or not at all, with a login or not at all, and what is made of servers
// that refuse, hang, lie or are somebody else.
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DeliveryFailed } from '../../../src/outbox/delivery.ts'
import { createMail, type MailSettings } from '../../../src/outbox/mail/mail.ts'
import { postMail } from '../../../src/outbox/mail/smtp.ts'
import { openTemplates } from '../../../src/outbox/mail/templates.ts'
import { linkOf, MAIL_PASSWORD, MAIL_USER, startMailServer } from '../../support/smtp.ts'
import { SOON_MS } from '../../support/until.ts'
import { someMessage } from '../support.ts'

const never = () => new AbortController().signal
const LINKS = {
  verification: 'https://app.example.com/verify',
  recovery: 'https://app.example.com/reset',
}
const NOW = Date.UTC(2026, 10, 29, 4, 0, 0)

type Server = Pick<MailSettings, 'host' | 'tls'> & Partial<MailSettings>

function senderTo(server: Server, now = NOW) {
  return createMail({
    settings: () => ({
      from: 'Shop <no-reply@shop.example>',
      links: LINKS,
      timeout: SOON_MS,
      ...server,
    }),
    templates: () => openTemplates({ locale: 'en' }),
    post: postMail,
    clock: () => now,
  })
}

const withoutLogin = { user: undefined, password: undefined }

/** A server of plain lines: what it says at first, and then to each line. */
async function lineServer(
  t: Test,
  onConnection: (socket: Socket) => void,
): Promise<{ readonly port: number; readonly heard: string[] }> {
  const heard: string[] = []
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', data => heard.push(data.toString('latin1')))
    onConnection(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, heard }
}

/** The failure, which says nothing that nobody may read. */
async function failure(sending: Promise<void>): Promise<DeliveryFailed> {
  const error = await sending.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(error instanceof DeliveryFailed)) {
    throw new Error('it did not fail', { cause: error })
  }
  const said = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`
  if (/canary|alice|tk_/.test(said)) throw new Error(`it tells: ${said}`)
  return error
}

t.test('a mail arrives whole, over each kind of connection', async t => {
  const starttls = await startMailServer(t)
  const implicit = await startMailServer(t, { secure: true })
  const none = await startMailServer(t, {
    authOptional: true,
    disabledCommands: ['STARTTLS'],
  })
  const rows = [
    [starttls, starttls.settings],
    [implicit, { ...implicit.settings, tls: 'implicit' }],
    [none, { host: '127.0.0.1', port: none.port, tls: 'none', ...withoutLogin }],
  ] as const
  for (const [server, settings] of rows) {
    await senderTo({ ...settings, replyTo: 'help@shop.example' })(someMessage(), never())
    const [taken] = server.mails
    if (taken === undefined) throw new Error('no mail')
    t.equal(taken.secure, settings.tls !== 'none')
    t.equal(taken.user, settings.tls === 'none' ? undefined : MAIL_USER)
    t.equal(taken.from, 'no-reply@shop.example')
    t.strictSame(taken.to, ['alice@example.com'])
    const { mail } = taken
    t.match(mail, {
      subject: 'Neues Passwort für Shop',
      from: { name: 'Shop', address: 'no-reply@shop.example' },
      messageId: '<msg_1@shop.example>',
      date: '2026-11-29T04:00:00.000Z',
    })
    t.strictSame(
      mail.to?.map(({ address }) => address),
      ['alice@example.com'],
    )
    t.strictSame(
      mail.replyTo?.map(({ address }) => address),
      ['help@shop.example'],
    )
    t.strictSame(linkOf(taken), { page: LINKS.recovery, ticket: 'tk_canary' })
    t.match(mail.text, /\n\n12345678\n\n/)
    t.match(mail.text, /innerhalb von 30 Minuten/)
    t.match(mail.text, /192\.0\.2\.0\/24/)
    t.match(mail.html, '<a class="link" href="https://app.example.com/reset#tk_canary">')
    t.match(mail.html, '<p class="code">12345678</p>')
    t.match(mail.html, '<html lang="de">')
    t.match(taken.raw, /^Auto-Submitted: auto-generated$/im)
    t.match(taken.raw, /^Content-Language: de$/im)
  }
})

t.test('where TLS is missing nothing is said: no password, no mail', async t => {
  const stripped = await startMailServer(t, { disabledCommands: ['STARTTLS'] })
  t.match(await failure(senderTo(stripped.settings)(someMessage(), never())), {
    message: `127.0.0.1:${stripped.port} answered 500 to STARTTLS`,
    isFinal: false,
  })
  // Somebody between who answers for the server, and offers whatever is asked for.
  const between = await lineServer(t, socket => {
    socket.write('220 hello\r\n')
    socket.on('data', () => socket.write('250-hello\r\n250 AUTH PLAIN LOGIN\r\n'))
  })
  const { port } = between
  const error = await failure(
    senderTo({ ...stripped.settings, port })(someMessage(), AbortSignal.timeout(500)),
  )
  t.equal(error.isFinal, false)
  t.notMatch(between.heard.join(''), /AUTH|MAIL FROM/)
  for (const [settings, why] of [
    [{ caFile: undefined }, /no TLS|no answer/],
    [{ serverName: 'other.test' }, /ERR_TLS_CERT_ALTNAME_INVALID/],
    [
      { caFile: '/nowhere/ca.pem' },
      /was not asked: expected the file \/nowhere\/ca\.pem to be readable \(ENOENT\)/,
    ],
  ] as const) {
    const good = await startMailServer(t)
    const sending = senderTo({ ...good.settings, ...settings })(someMessage(), never())
    t.match(await failure(sending), { message: why, isFinal: false })
    t.equal(good.mails.length, 0)
  }
})

t.test(
  'who may not log in sends nothing; a renewed password is read at once',
  async t => {
    const server = await startMailServer(t)
    const file = join(t.testdir({}), 'password')
    const send = senderTo({ ...server.settings, password: undefined, passwordFile: file })
    const missing = await failure(send(someMessage(), never()))
    t.match(missing.message, `expected the file ${file} to be readable (ENOENT)`)
    writeFileSync(file, 'canary-of-before\n')
    t.match(await failure(send(someMessage(), never())), {
      message: `127.0.0.1:${server.port} answered 535 to AUTH PLAIN`,
      isFinal: false,
    })
    writeFileSync(file, `${MAIL_PASSWORD}\n`)
    await send(someMessage(), never())
    t.equal(server.mails.length, 1)

    const silent = await startMailServer(t, {
      disabledCommands: ['AUTH'],
      authOptional: true,
    })
    t.match(await failure(senderTo(silent.settings)(someMessage(), never())), {
      message: /AUTH/,
      isFinal: false,
    })
    t.equal(silent.mails.length, 0, 'without the login that it was told to make')
  },
)

t.test('what comes again, and what is refused for good', async t => {
  const server = await startMailServer(t)
  const send = senderTo(server.settings)
  const rows = [
    ['RCPT', 450, 'RCPT TO', false],
    ['RCPT', 550, 'RCPT TO', true],
    ['RCPT', 530, 'RCPT TO', false],
    ['DATA', 451, 'DATA', false],
    ['DATA', 554, 'DATA', true],
    ['MAIL', 451, 'MAIL FROM', false],
    // Who may send is the operator's business.
    ['MAIL', 550, 'MAIL FROM', false],
    ['RCPT', 554, 'RCPT TO', false, '5.7.1'],
    ['DATA', 550, 'DATA', false, '5.7.26'],
    ['RCPT', 550, 'RCPT TO', true, '5.1.1'],
    ['DATA', 552, 'DATA', true, '5.2.2'],
  ] as const
  for (const [at, code, command, isFinal, status] of rows) {
    server.replies.push({ at, code, ...(status && { status }) })
    t.match(await failure(send(someMessage(), never())), {
      message: `127.0.0.1:${server.port} answered ${code} to ${command}`,
      isFinal,
    })
    await send(someMessage(), never())
  }
  t.equal(server.mails.length, rows.length, 'the next is taken each time')
})

t.test('nobody waits for a server that hangs, is slow, or is none', async t => {
  const login = { tls: 'none', ...withoutLogin } as const
  const hangs = await lineServer(t, () => {})
  const halfway = await lineServer(t, socket => socket.write('220 hello\r\n'))
  const drips = await lineServer(t, socket => {
    const timer = setInterval(() => socket.write('220-and so on\r\n'), 20)
    socket.on('close', () => clearInterval(timer))
  })
  for (const { port } of [hangs, halfway, drips]) {
    const sending = senderTo({ host: '127.0.0.1', port, ...login })
    t.match(await failure(sending(someMessage(), AbortSignal.timeout(150))), {
      message: `127.0.0.1:${port}: no answer in time (EABORT)`,
      isFinal: false,
    })
  }
  const { port } = hangs
  const impatient = senderTo({ host: '127.0.0.1', port, ...login, timeout: 100 })
  t.match(await failure(impatient(someMessage(), never())), { message: /ETIMEDOUT/ })
  const http = await lineServer(t, socket =>
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
  )
  const gone = await lineServer(t, socket => socket.destroy())
  const endless = await lineServer(t, socket =>
    socket.write(`220-${'x'.repeat(100_000)}`),
  )
  for (const server of [http, gone, endless]) {
    const sending = senderTo({ host: '127.0.0.1', port: server.port, ...login })
    t.equal((await failure(sending(someMessage(), never()))).isFinal, false)
  }
  const closed = senderTo({ host: '127.0.0.1', port: 1, ...login })
  t.match(await failure(closed(someMessage(), never())), {
    message: '127.0.0.1:1: no answer (ECONNREFUSED)',
    isFinal: false,
  })
  for (const [tls, port] of [
    ['starttls', 587],
    ['implicit', 465],
    ['none', 25],
  ] as const) {
    const aborted = AbortSignal.abort()
    const sending = senderTo({ host: '127.0.0.1', tls, ...withoutLogin })
    t.match(await failure(sending(someMessage(), aborted)), {
      message: `127.0.0.1:${port}`,
    })
  }
})

t.test('no address and no name becomes a header, a recipient or a command', async t => {
  const server = await startMailServer(t)
  const send = senderTo(server.settings)
  const bad = [
    'alice@example.com\r\nBcc: mallory@evil.example',
    'alice@example.com>\r\nRCPT TO:<mallory@evil.example',
    'alice@example.com, mallory@evil.example',
    'Alice <alice@example.com>, mallory@evil.example',
    '',
  ]
  for (const email of bad) {
    await send(someMessage({ email }), never()).catch((error: unknown) => {
      t.ok(error instanceof DeliveryFailed, email)
    })
  }
  await send(
    someMessage({ name: 'a\r\nBcc: mallory@evil.example\r\n\r\nhello' }),
    never(),
  )
  for (const { to, raw, mail } of server.mails) {
    t.notOk(to.some(address => address === 'mallory@evil.example'))
    t.notMatch(raw, /^Bcc:/im)
    t.equal(mail.bcc, undefined)
  }
  const odd = "o'b!#$%&*+-/=?^_`{|}~@example.com"
  await send(someMessage({ email: odd }), never())
  t.strictSame(server.mails.at(-1)?.to, [odd])
  await send(someMessage({ email: 'jürgen@exämple.com' }), never())
  t.strictSame(server.mails.at(-1)?.to, ['jürgen@exämple.com'])
  const last = server.mails.at(-3)
  t.match(last?.mail.text, 'Ihr Name dort: a Bcc: mallory@evil.example hello\n')
})
