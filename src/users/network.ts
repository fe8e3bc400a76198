// What counts as one place: the network that one customer usually gets, not the single address, of which he
// may have many.
import ipaddr from 'ipaddr.js'

const IPV4_BITS = 24
const IPV6_BITS = 64

/**
 * The network of an address: `192.0.2.0/24` or `2001:db8::/64`. An IPv4 address written as IPv6 is IPv4.
 *
 * @returns the text itself when it is no address
 */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  const [family, bits] =
    parsed.kind() === 'ipv4'
      ? ([ipaddr.IPv4, IPV4_BITS] as const)
      : ([ipaddr.IPv6, IPV6_BITS] as const)
  return `${family.networkAddressFromCIDR(`${withoutZone(parsed.toString())}/${bits}`).toString()}/${bits}`
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/, '')
}
