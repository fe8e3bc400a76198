// Hands a mail to an SMTP server: one connection each, with TLS unless the configuration says otherwise, and
// with what the files of it say now. What goes wrong names the host, the port and the reply's code; never the
// reply's text, which may repeat an address, and never a password.
import { readFileSync } from 'node:fs'
import { readValueFile } from '../../base/value-file.ts'
import { DeliveryFailed } from '../delivery.ts'

/** How the SMTP server is reached. */
export interface SmtpSettings {
  readonly host: string
  /** Default: 587 with StartTLS, 465 with TLS, 25 without. */
  readonly port?: number | undefined
  readonly tls: 'starttls' | 'implicit' | 'none'
  readonly caFile?: string | undefined
  /** The name in the server's certificate, where it isn't the host's. */
  readonly serverName?: string | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly passwordFile?: string | undefined
  /** In milliseconds. */
  readonly timeout: number
}

/** A mail, whose addresses are read already. */
export interface Mail {
  readonly id: string
  readonly at: number
  readonly from: { readonly name: string; readonly address: string }
  readonly replyTo: string | undefined
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly lang: string
}

/**
 * Hands a mail over. Resolves when the server has taken it.
 *
 * @throws DeliveryFailed
 */
export type PostMail = (
  settings: SmtpSettings,
  mail: Mail,
  signal: AbortSignal,
) => Promise<void>

// The library reads a list of addresses, with names and comments, where one is meant.
const ONE_ADDRESS = /^[^\s\p{Cc}<>()[\]@,;:"\\]+@[^\s\p{Cc}<>()[\]@,;:"\\]+$/u

const PORTS = { starttls: 587, implicit: 465, none: 25 } as const

/** Hands a mail over; it reads the library with the first. */
export const postMail: PostMail = async (settings, mail, signal) => {
  const port = settings.port ?? PORTS[settings.tls]
  const where = `${settings.host}:${port}`
  if (!ONE_ADDRESS.test(mail.to)) {
    throw new DeliveryFailed(`${where} was not asked: that is no address`, {
      isFinal: true,
    })
  }
  const { createTransport } = await import('nodemailer')
  const transport = createTransport({
    ...connectionOf(settings, port),
    ...tlsOf(settings, where),
    ...loginOf(settings, where),
    // Nothing in a mail is ever read from a file or a URL.
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const { name, address } = mail.from
  try {
    await transport.sendMail({
      messageId: `<${mail.id}@${address.slice(address.lastIndexOf('@') + 1)}>`,
      date: new Date(mail.at),
      from: { name, address },
      ...(mail.replyTo !== undefined && { replyTo: { name: '', address: mail.replyTo } }),
      to: { name: '', address: mail.to },
      envelope: { from: address, to: [mail.to] },
      subject: mail.subject,
      text: mail.text,
      html: mail.html,
      headers: {
        // RFC 3834: nothing answers by itself.
        'Auto-Submitted': 'auto-generated',
        'X-Auto-Response-Suppress': 'All',
        'Content-Language': mail.lang,
      },
      signal,
    })
  } catch (error) {
    throw failureOf(error, where)
  } finally {
    transport.close()
  }
}

function connectionOf({ host, tls, timeout }: SmtpSettings, port: number) {
  return {
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    socketTimeout: timeout,
    dnsTimeout: timeout,
    maxResponseSize: 65_536,
  }
}

function tlsOf({ caFile, serverName }: SmtpSettings, where: string) {
  return {
    tls: {
      minVersion: 'TLSv1.2' as const,
      ...(serverName !== undefined && { servername: serverName }),
      ...(caFile !== undefined && { ca: readAuthorities(caFile, where) }),
    },
  }
}

function readAuthorities(file: string, where: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const expected = `the file ${file} to be readable (${Object(error).code})`
    throw new DeliveryFailed(`${where} was not asked: expected ${expected}`)
  }
}

function loginOf({ user, password, passwordFile }: SmtpSettings, where: string) {
  if (user === undefined) return {}
  // A server that offers no login is not one that may have the mail without.
  return {
    forceAuth: true,
    auth: { user, pass: passwordOf({ password, passwordFile }, where) },
  }
}

function passwordOf(
  { password = '', passwordFile }: Pick<SmtpSettings, 'password' | 'passwordFile'>,
  where: string,
): string {
  if (passwordFile === undefined) return password
  const read = readValueFile(passwordFile)
  if ('value' in read) return read.value
  throw new DeliveryFailed(`${where} was not asked: expected ${read.expected}`)
}

/** What was refused because of whom it goes to, or what it says: trying again is no use. */
const ABOUT_THE_MAIL = new Set(['RCPT TO', 'DATA'])
/** Who may send is the operator's business (RFC 4954 §6), and may be mended before it is given up. */
const ABOUT_THE_SENDER = new Set([530, 534, 535, 538])
/** So is policy (RFC 3463 §3.8), such as a relay that doesn't know this server's address. */
const IS_POLICY = /^\d{3}[ -]5\.7\.\d/

/** What the library says of it, in words that hold nothing of the mail. */
function failureOf(error: unknown, where: string): DeliveryFailed {
  const { code, originalCode, response, responseCode, command } = Object(error)
  if (typeof responseCode === 'number') {
    const isFinal =
      responseCode >= 500 &&
      ABOUT_THE_MAIL.has(command) &&
      !ABOUT_THE_SENDER.has(responseCode) &&
      !IS_POLICY.test(response)
    return new DeliveryFailed(`${where} answered ${responseCode} to ${command}`, {
      isFinal,
    })
  }
  const why = WHYS[code] ?? 'no answer'
  return new DeliveryFailed(`${where}: ${why} (${originalCode ?? code})`)
}

const WHYS: Readonly<Record<string, string>> = {
  ETLS: 'no TLS',
  EAUTH: 'no login',
  EABORT: 'no answer in time',
  ETIMEDOUT: 'no answer in time',
}
