// One connection to an LDAP server. The library would connect again by itself, and without StartTLS: here a
// connection that is gone stays gone.
import { Client, type Entry, type SearchOptions } from 'ldapts'
import { LdapFault, LdapResult, type LdapServer } from './server.ts'
import { openSocket } from './socket.ts'

/** A search. */
export interface Search extends Pick<
  SearchOptions,
  'filter' | 'scope' | 'sizeLimit' | 'explicitBufferAttributes'
> {
  readonly base: string
  readonly attributes: readonly string[]
}

/**
 * A connection; one question at a time. Promises reject with LdapResult where the server refuses, and with
 * LdapFault where it gives no answer or `signal` aborts: it is closed then.
 */
export interface LdapConnection {
  isOpen(): boolean
  /** Says who we are. Neither may be empty: that "succeeds" for anybody (RFC 4513 §5.1.1, §5.1.2). */
  bind(dn: string, password: string, signal: AbortSignal): Promise<void>
  /** Finds entries. References to other servers are left alone. */
  search(search: Search, signal: AbortSignal): Promise<readonly Entry[]>
  close(): void
}

/** Connects. Rejects with LdapFault. */
export async function openConnection(
  server: LdapServer,
  signal: AbortSignal,
): Promise<LdapConnection> {
  const socket = await openSocket(server, signal)
  // The same one each time: once it is closed, nothing opens any more.
  const client = new Client({
    url: 'ldap://opened.invalid',
    createConnection: () => socket,
  })
  const isOpen = () => !socket.destroyed && socket.writable
  const close = () => {
    socket.destroy()
  }

  async function ask<Answer>(
    within: AbortSignal,
    question: () => Promise<Answer>,
  ): Promise<Answer> {
    if (within.aborted) close()
    if (!isOpen()) throw new LdapFault('the connection was closed')
    within.addEventListener('abort', close, { once: true })
    const answer = await question().catch(faultOf)
    within.removeEventListener('abort', close)
    if (answer instanceof LdapFault) close()
    if (answer instanceof Error) throw answer
    return answer
  }

  return {
    isOpen,
    close,
    async bind(dn, password, within) {
      if (dn === '' || password === '' || password.includes('\0')) {
        throw new LdapFault('a bind without a name or a password was not sent')
      }
      await ask(within, () => client.bind(dn, password))
    },
    search: ({ base, attributes, ...more }, within) =>
      ask(within, async () => {
        const options = { ...more, attributes: [...attributes] }
        return (await client.search(base, options)).searchEntries
      }),
  }
}

/** The library's errors carry a result code where the server gave one. */
function faultOf(error: unknown): LdapFault | LdapResult {
  const { code, message } = Object(error)
  return typeof code === 'number'
    ? new LdapResult(code, String(message))
    : new LdapFault('the connection was closed before the answer')
}
