// Where an LDAP server is, and who we are there.
import { readFileSync } from 'node:fs'
import { readValueFile } from '../../../base/value-file.ts'

/** Where a server is, and who searches there. */
export interface LdapServer {
  /** `ldaps://HOST` for TLS from the first byte, or `ldap://HOST` for StartTLS. */
  readonly url: string
  /** Whether `ldap://` may do without TLS. */
  readonly plaintext: boolean
  /** PEM of the authorities that may vouch for the server; undefined: those that Node knows. */
  readonly caFile?: string | undefined
  /** The name in its certificate; undefined: the host of `url`. */
  readonly serverName?: string | undefined
  /** Who searches; undefined: nobody in particular. */
  readonly bindDn?: string | undefined
  readonly password?: string | undefined
  /** A file that holds it, read again at every connection. */
  readonly passwordFile?: string | undefined
  /** How many connections may search, and as many may check passwords. */
  readonly connections: number
}

/** A server gave no answer that says anything. The message is for the log: no name, no password. */
export class LdapFault extends Error {
  override name = 'LdapFault'
}

/** No connection was free in time, which says nothing of the server. */
export class LdapBusy extends LdapFault {
  override name = 'LdapBusy'

  constructor() {
    super('no connection was free in time (connections)')
  }
}

/** A server answered a question with another result code than 0 (RFC 4511 §4.1.9). */
export class LdapResult extends Error {
  override name = 'LdapResult'
  readonly code: number

  /** @param message what the server says; it may hold anything, and isn't logged. */
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** The host, without brackets, and the port. */
export function whereOf({ url }: Pick<LdapServer, 'url'>) {
  const { protocol, hostname, port } = new URL(url)
  const isLdaps = protocol === 'ldaps:'
  const standard = isLdaps ? 636 : 389
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? standard : Number(port),
    isLdaps,
  }
}

/** The password of `bindDn`, read anew. Throws LdapFault that names a file that can't be read. */
export function servicePassword({ password = '', passwordFile }: LdapServer): string {
  if (passwordFile === undefined) return password
  const read = readValueFile(passwordFile)
  if ('value' in read) return read.value
  throw new LdapFault(`passwordFile: expected ${read.expected}`)
}

/** The authorities, read anew. Throws LdapFault that names a file that can't be read. */
export function authoritiesOf({ caFile }: LdapServer): { readonly ca?: string } {
  if (caFile === undefined) return {}
  try {
    return { ca: readFileSync(caFile, 'utf8') }
  } catch (error) {
    const { code } = Object(error)
    throw new LdapFault(`caFile: expected ${caFile} to be readable (${code})`)
  }
}
