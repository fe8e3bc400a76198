// Fetches a document that a configuration names, with limits of time and size, and never from an address that
// only this server can reach (SSRF).
import { lookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Agent } from 'undici'

const MAX_BYTES = 64 * 1024
const TIMEOUT_MS = 2_000

/**
 * Whether the address is one of the internet's: not private, loopback, link-local, multicast or otherwise
 * reserved, mapped or not.
 */
export function isPublicAddress(address: string): boolean {
  return isIP(address) !== 0 && ipaddr.process(address).range() === 'unicast'
}

export interface GuardedFetchOptions {
  /** Whether private addresses are allowed too: keys served inside one's own network. */
  readonly allowPrivate: boolean
}

/**
 * Makes a fetch of JSON documents. It follows no redirect: that could lead anywhere.
 *
 * @returns a function that takes a URL and resolves with the parsed document
 * @throws Error when that fails: refused address, no answer within 2 s, another status than 200, more
 * than 64 KiB, no JSON
 */
export function createGuardedFetch({
  allowPrivate,
}: GuardedFetchOptions): (url: string) => Promise<unknown> {
  const { open, refuseLiteral } = createGuard(allowPrivate, TIMEOUT_MS)
  return async url => {
    refuseLiteral(url)
    const { fetch, dispatcher } = await open()
    const response = await fetch(url, {
      dispatcher,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { accept: 'application/json' },
    })
    if (response.status !== 200) throw new Error(`status ${response.status}`)
    return response.json()
  }
}

type Client = Pick<typeof import('undici'), 'fetch' | 'request'> & {
  readonly dispatcher: Agent
}

/** What keeps a fetch away from addresses that aren't allowed. */
interface Guard {
  /** The client, and the dispatcher that keeps it away. */
  open(): Promise<Client>
  /** A literal address is never looked up. */
  refuseLiteral(url: string): void
}

/** Makes the guard of a fetch; `timeout` in milliseconds: connecting, the head and the body, each. */
export function createGuard(allowPrivate: boolean, timeout: number): Guard {
  const isAllowed = (address: string) => allowPrivate || isPublicAddress(address)
  const load = async (): Promise<Client> => {
    // Only here: a start, and every command, is faster without it.
    const { Agent, fetch, request } = await import('undici')
    // The address is checked where the connection is made: a name that was checked earlier may lead elsewhere
    // by now.
    const dispatcher = new Agent({
      connect: {
        timeout: TIMEOUT_MS,
        lookup: (hostname, options, done) => {
          resolveAllowed(hostname, { options, isAllowed }, done)
        },
      },
      maxResponseSize: MAX_BYTES,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    })
    return { fetch, request, dispatcher }
  }
  let client: Promise<Client> | undefined
  return {
    open: () => (client ??= load()),
    refuseLiteral(url) {
      const literal = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
      if (isIP(literal) !== 0 && !isAllowed(literal)) {
        throw new Error('the address is not allowed')
      }
    },
  }
}

interface AllowedLookup {
  readonly options: LookupOptions
  readonly isAllowed: (address: string) => boolean
}

type Done = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void

// All of a name's addresses must be allowed: which of them is taken is not ours to say.
function resolveAllowed(
  hostname: string,
  { options, isAllowed }: AllowedLookup,
  done: Done,
): void {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) done(error, [])
    else if (addresses.every(({ address }) => isAllowed(address))) done(null, addresses)
    else done(new Error('the address is not allowed'), [])
  })
}
