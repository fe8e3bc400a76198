// Which addresses are those of our own proxies (http.trustedProxies).
import { BlockList, isIP, isIPv6 } from 'node:net'

/**
 * Makes the function that checks whether an address lies in one of the ranges.
 *
 * @param ranges addresses and CIDRs
 */
export function createTrust(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/', 2)
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  // A socket that was closed meanwhile has no address.
  return address =>
    isIP(address) !== 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
