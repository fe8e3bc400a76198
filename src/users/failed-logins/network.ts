// Logins are counted by network, not by address: one customer may have many addresses. An IPv6 customer may
// have many networks, too: a home gets a /56, a rented machine a /48.
import { isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'

const IPV4_BITS = 24
const IPV6_BITS = 64
const WIDER_IPV6_BITS = [56, 48]

/**
 * The network of an address: `192.0.2.0/24` or `2001:db8::/64`. An IPv4 address written as IPv6 is IPv4.
 *
 * @returns the text itself when it is no address
 */
export function networkOf(address: string): string {
  return networksOf(address)[0]
}

/**
 * The networks of an address from the smallest to the largest: the /64, the /56 and the /48 of IPv6, the /24
 * alone of IPv4. Each is a text of its own, as it ends in the number of bits.
 *
 * @returns the text itself when it is no address
 */
export function networksOf(address: string): readonly [string, ...string[]] {
  // Nearly all addresses are of this form, and every line about a request asks.
  if (isIPv4(address)) return [address.replace(/\d+$/, `0/${IPV4_BITS}`)]
  if (!ipaddr.isValid(address)) return [address]
  const parsed = ipaddr.process(address)
  const text = withoutZone(parsed.toString())
  if (parsed.kind() === 'ipv4') return [cut(ipaddr.IPv4, text, IPV4_BITS)]
  const wider = WIDER_IPV6_BITS.map(bits => cut(ipaddr.IPv6, text, bits))
  return [cut(ipaddr.IPv6, text, IPV6_BITS), ...wider]
}

function cut(
  family: typeof ipaddr.IPv4 | typeof ipaddr.IPv6,
  address: string,
  bits: number,
): string {
  return `${family.networkAddressFromCIDR(`${address}/${bits}`).toString()}/${bits}`
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/, '')
}
