// A real SMTP server that a test holds in its hand, with the certificate of the tests' authority, and what it
// was sent, read by a library that did not write it.
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { Test } from 'tap'

const tlsFile = (name: string) => new URL(`tls/${name}`, import.meta.url).pathname

/** The user of the SMTP server. */
export const MAIL_USER = 'latchkey'
/** The password; it is in nothing that anybody reads. */
export const MAIL_PASSWORD = 'canary-password-of-the-mail-server'

/** A mail that the server took. */
export interface TakenMail {
  readonly from: string
  readonly to: readonly string[]
  readonly raw: string
  readonly mail: Email
  /** Whether it came over TLS, and who had logged in. */
  readonly secure: boolean
  readonly user: string | undefined
}

/** An SMTP server on loopback. */
export interface MailServer {
  readonly port: number
  readonly mails: TakenMail[]
  /** Answers to RCPT TO and to the data, in their order; none left: taken. */
  readonly replies: Array<{
    readonly at: 'RCPT' | 'DATA' | 'MAIL'
    readonly code: number
    /** The enhanced status code before the text, if any. */
    readonly status?: string
  }>
  /** What `notify.mail` says of it: StartTLS and a login. */
  readonly settings: MailServerSettings
  /** What it answers once none of these is left; nothing: it takes the mail. */
  standing: MailServer['replies'][number] | undefined
  /** The mails whose data it refused. */
  readonly refused: TakenMail[]
  /** Changes which password it takes. */
  password: string
}

/** How it is reached. */
export interface MailServerSettings {
  readonly host: string
  readonly port: number
  readonly tls: 'starttls' | 'implicit' | 'none'
  readonly caFile: string
  readonly serverName: string
  readonly user: string
  readonly password: string
}

/** Starts a server that takes mails over StartTLS of whoever logs in. */
export async function startMailServer(
  t: Test,
  options: SMTPServerOptions = {},
): Promise<MailServer> {
  const mails: TakenMail[] = []
  const refused: TakenMail[] = []
  const replies: MailServer['replies'] = []
  const refuse = (at: 'RCPT' | 'DATA' | 'MAIL') => {
    const next = replies[0] ?? made.standing
    if (next?.at !== at) return null
    replies.shift()
    const { code, status = '' } = next
    // Servers repeat the address, and more.
    const error = new Error(`${status} no <alice@example.com> canary-of-the-reply`.trim())
    return Object.assign(error, { responseCode: code })
  }
  const server = new SMTPServer({
    key: readFileSync(tlsFile('server-key.pem')),
    cert: readFileSync(tlsFile('server.pem')),
    authMethods: ['PLAIN', 'LOGIN'],
    ...options,
    onAuth({ username, password }, _session, done) {
      const isRight = username === MAIL_USER && password === made.password
      done(isRight ? null : new Error('wrong'), { user: username })
    },
    onMailFrom: (_address, _session, done) => done(refuse('MAIL')),
    onRcptTo: (_address, _session, done) => done(refuse('RCPT')),
    onData(stream, session, done) {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', async () => {
        const raw = Buffer.concat(parts).toString()
        const refusal = refuse('DATA')
        const { mailFrom, rcptTo } = session.envelope
        const list = refusal === null ? mails : refused
        list.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw,
          mail: await PostalMime.parse(raw),
          secure: session.secure,
          user: typeof session.user === 'string' ? session.user : undefined,
        })
        done(refusal)
      })
    },
  })
  // Whoever breaks off is no news.
  server.on('error', () => {})
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise<void>(resolve => server.close(resolve)))
  const { port } = server.server.address() as AddressInfo
  const made: MailServer = {
    port,
    mails,
    refused,
    replies,
    standing: undefined,
    password: MAIL_PASSWORD,
    settings: {
      host: '127.0.0.1',
      port,
      tls: 'starttls',
      caFile: tlsFile('ca.pem'),
      serverName: 'redis.test',
      user: MAIL_USER,
      password: MAIL_PASSWORD,
    },
  }
  return made
}

/** The link of a mail's text, and its ticket. */
export function linkOf({ mail }: TakenMail): {
  readonly page: string
  readonly ticket: string
} {
  const [, page = '', ticket = ''] =
    /^(https?:\S+)#(tk_\S+)$/m.exec(mail.text ?? '') ?? []
  return { page, ticket }
}
