// Limits the open connections of a listener: in all, so that its memory has a bound, and of one address, so
// that no single caller takes them all.
import type { Server } from 'node:http'
import { isIPv6 } from 'node:net'
import type { ConnectionReason } from '../../base/events/reasons.ts'

export interface ConnectionBounds {
  /** How many connections may be open at once. */
  readonly maxConnections: number
  /** How many of these may come from one IPv4 address or one IPv6 /64. */
  readonly maxConnectionsPerAddress: number
  /** Whether an address is one of ours, such as a proxy's: it isn't counted by itself. */
  readonly isExempt: (address: string) => boolean
}

/** Notified of connections. Never throws. */
export interface ConnectionObserver {
  opened(): void
  closed(): void
  /** A connection was refused or cut off, and why. */
  cut(reason: ConnectionReason, address: string): void
}

/** Makes the function that bounds the connections of a server; several servers may share the bounds. */
export function createConnectionBounds(
  { maxConnections, maxConnectionsPerAddress, isExempt }: ConnectionBounds,
  observer: ConnectionObserver,
): (server: Server) => void {
  const perPlace = new Map<string, number>()
  let open = 0

  function count(place: string | undefined, step: 1 | -1): void {
    open += step
    if (place === undefined) return
    const left = (perPlace.get(place) ?? 0) + step
    if (left === 0) perPlace.delete(place)
    else perPlace.set(place, left)
  }

  function refusal(place: string | undefined): ConnectionReason | undefined {
    if (open >= maxConnections) return 'connections_full'
    return place !== undefined && (perPlace.get(place) ?? 0) >= maxConnectionsPerAddress
      ? 'connections_of_address_full'
      : undefined
  }

  return server => {
    server.on('connection', socket => {
      const { remoteAddress: address = '' } = socket
      const place = isExempt(address) ? undefined : placeOf(address)
      const reason = refusal(place)
      if (reason !== undefined) {
        observer.cut(reason, address)
        socket.destroy()
        return
      }
      count(place, 1)
      observer.opened()
      socket.once('close', () => {
        count(place, -1)
        observer.closed()
      })
    })
  }
}

/**
 * What counts as one caller: an IPv4 address, or the /64 that one customer usually gets of IPv6. An IPv4
 * address written as IPv6 is IPv4.
 *
 * @param address as Node gives that of a socket
 */
export function placeOf(address: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? []
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = 8 - before.length - after.length
  const zeros = Array.from({ length: missing }, () => '0')
  const groups = [...before, ...zeros, ...after]
  return groups.slice(0, 4).join(':')
}
