// A client's credentials by derived ids: those name by which of them a client got tokens of its own, so that
// these die with it. An id gives nothing back of what it was derived from.
import { hash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { BlockOwner } from '../stores/ports/status-lists.ts'
import type { Client, ClientRegistry } from './registry.ts'

/** The public members of a JWK that make the key what it is (RFC 7638 §3.2). */
const KEY_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const

/** What a client proved to have. */
export type Proven =
  /** SHA-256 of its secret. */
  | { readonly secretHash: Uint8Array }
  /** The public key (JWK) of `keys` that signed its assertion. */
  | { readonly key: object }
  /** Its keys are where this says. */
  | { readonly jwksUri: string }

/** A client that proved who it is. */
export interface Authenticated {
  readonly client: Client
  /** The id of the credential that it has proved to have; undefined: it is a public client. */
  readonly credential: () => string | undefined
}

/**
 * The id of a credential.
 *
 * @returns 22 characters of base64url: SHA-256 of the client's id and of the credential, cut to 16 bytes
 */
export function credentialId(client: Pick<Client, 'id'>, proven: Proven): string {
  const parts = JSON.stringify([client.id, ...partsOf(proven)])
  return hash('sha256', parts, 'buffer').toString('base64url', 0, 16)
}

/** The ids of all credentials of a client. */
export function credentialsOf(client: Client): string[] {
  const { secretHashes, keys, jwksUri } = client
  return [
    ...secretHashes.map(secretHash => ({ secretHash })),
    ...keys.map(key => ({ key })),
    ...(jwksUri === undefined ? [] : [{ jwksUri }]),
  ].map(proven => credentialId(client, proven))
}

/** The credentials that may get tokens of a client's own now, as this server knows them. */
export interface LiveCredentials {
  /** Since when this server has known these credentials and no others; milliseconds since the epoch. */
  since(): number
  /**
   * Whether a block of status indices is one of a credential that is gone. A server that has read its
   * configuration before the owner of the block did can't say so: the credential may be newer than its file.
   */
  isGone(owner: BlockOwner): boolean
}

/** Makes the view of a registry; `mayHold`: whether a client may hold tokens of its own. */
export function createLiveCredentials({
  clients,
  mayHold,
  clock,
}: {
  readonly clients: Pick<ClientRegistry, 'all' | 'generation'>
  readonly mayHold: (client: Client) => boolean
  readonly clock: Clock
}): LiveCredentials {
  let seen = Number.NaN
  let live: ReadonlySet<string> = new Set()
  let since = -Infinity

  // A reload that changes nothing here says nothing of what is newer.
  function refresh(): void {
    if (seen === clients.generation()) return
    const now = new Set(clients.all().filter(mayHold).flatMap(credentialsOf))
    const isOther = [...now].sort().join() !== [...live].sort().join()
    if (isOther || Number.isNaN(seen)) since = Math.floor(clock())
    seen = clients.generation()
    live = now
  }

  return {
    since() {
      refresh()
      return since
    },
    isGone({ credential, since: ownerSince }) {
      refresh()
      return ownerSince < since && !live.has(credential)
    },
  }
}

function partsOf(proven: Proven): readonly unknown[] {
  if ('secretHash' in proven) {
    return ['secret', Buffer.from(proven.secretHash).toString('base64url')]
  }
  if ('jwksUri' in proven) return ['jwksUri', proven.jwksUri]
  const members = new Map(Object.entries(proven.key))
  return ['key', ...KEY_MEMBERS.map(name => members.get(name) ?? null)]
}
