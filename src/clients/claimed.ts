// What a request claims about its client, true or not: the audit log names the client of a failure.
import type { ClientMethod } from '../base/events/events.ts'
import { parseBasic } from '../oauth/basic.ts'
import type { Assertions } from './assertion.ts'
import type { PresentedClient } from './client-auth.ts'
import type { ClientRegistry } from './registry.ts'

export interface ClaimedClient {
  /** How it tries to authenticate. */
  readonly method: ClientMethod
  /** Its first 64 characters at the most, in printable ASCII; undefined: the request names no client. */
  readonly clientId?: string
}

/** As long as an id in the configuration may be. */
const MOST_CHARACTERS = 64
/** Looks like a generated secret in hexadecimal or base64, not like words. */
const LIKE_A_SECRET = /(?=\w*[a-z])(?=\w*[0-9])\w{16}/i
/** How much of it is shown: enough to find its owner, too little to use it. */
const SHOWN = 8

/**
 * Reads what a request claims, without checking it and without failing. People swap ids and secrets: an id
 * that is a client's secret is left out, and an unknown id that looks like a secret is cut to its beginning.
 */
export function claimedClient(
  presented: PresentedClient,
  assertions: Pick<Assertions, 'claimant'>,
  clients: Pick<ClientRegistry, 'find' | 'isSecret'>,
): ClaimedClient {
  const { method, id } = claimOf(presented, assertions)
  if (typeof id !== 'string' || clients.isSecret(id)) return { method }
  const isStrange = clients.find(id) === undefined && LIKE_A_SECRET.test(id)
  return { method, clientId: printable(id, isStrange ? SHOWN : MOST_CHARACTERS) }
}

function claimOf(
  { authorization, clientId, clientSecret, assertion }: PresentedClient,
  assertions: Pick<Assertions, 'claimant'>,
): { readonly method: ClientMethod; readonly id?: unknown } {
  if (/^basic(?: |$)/i.test(authorization ?? '')) {
    return { method: 'client_secret_basic', id: basicId(authorization) ?? clientId }
  }
  if (assertion !== undefined) {
    return { method: 'private_key_jwt', id: assertions.claimant(assertion) ?? clientId }
  }
  return {
    method: clientSecret === undefined ? 'none' : 'client_secret_post',
    id: clientId,
  }
}

function basicId(authorization: string | undefined): string | undefined {
  try {
    return parseBasic(authorization)?.clientId
  } catch {
    return undefined
  }
}

// A caller chose it: no control character, and nothing that only looks like another id. The backslash is
// escaped as well, so that what looks like an escape is one.
function printable(text: string, most: number): string {
  const cut = text.length > most ? `${text.slice(0, most)}...` : text
  return cut.replace(
    /[^\x20-\x5B\x5D-\x7E]/gu,
    character => `\\u{${Number(character.codePointAt(0)).toString(16)}}`,
  )
}
