// Names that lead to the machine itself.

/**
 * Whether a host name leads to the machine itself, whatever a name server says: `localhost` and the names
 * below it (RFC 6761 §6.3), 127.0.0.0/8 and ::1.
 *
 * @param hostname as URL.hostname gives it: lower case, IPv6 in brackets
 */
export function isLoopbackName(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d+){3}$/.test(hostname)
  )
}
