// Comparing http URIs as RFC 3986 does. WHATWG's URL corrects its input (a backslash, a tab, a host that is a
// number) and keeps percent-encodings: equal URIs may differ as text, and a text that is no URI may pass.

const HEX = '%[0-9A-Fa-f]{2}'
const NAME = `(?:[A-Za-z0-9._~!$&'()*+,;=-]|${HEX})`
// Browsers send `[`, `]`, `^` and `|` in a path as they are, though RFC 3986 wants them encoded.
const SEGMENT = `(?:[A-Za-z0-9._~!$&'()*+,;=:@[\\]^|-]|${HEX})*`
const REST = `(?:[A-Za-z0-9._~!$&'()*+,;=:@/?[\\]^|-]|${HEX})*`
const HTTP_URI = new RegExp(
  `^(https?)://(\\[[0-9A-Fa-f:.]+\\]|${NAME}+)(?::([0-9]*))?((?:/${SEGMENT})*)(?:\\?${REST})?(?:#${REST})?$`,
  'i',
)
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' }

/**
 * An http or https URI without query and fragment, after the normalisations of RFC 3986 §6.2.2 and §6.2.3:
 * equal results, equal URIs.
 *
 * @returns undefined for a text that is no such URI (§4.3), and for one with user info, which an http URI
 * never needs (RFC 9110 §4.2.4)
 */
export function normaliseHttpUri(text: string): string | undefined {
  const [, scheme = '', host = '', port = '', path = ''] = HTTP_URI.exec(text) ?? []
  const name = normaliseHost(host)
  if (name === undefined) return undefined
  const protocol = scheme.toLowerCase()
  const number = port.replace(/^0+(?=.)/, '')
  const explicit = number === '' || number === DEFAULT_PORTS[protocol] ? '' : `:${number}`
  return `${protocol}://${name}${explicit}${withoutDots(decodeUnreserved(path))}`
}

function normaliseHost(host: string): string | undefined {
  if (!host.startsWith('[')) return decodeUnreserved(host).toLowerCase() || undefined
  // IPv6 has many spellings; this is the one of RFC 5952.
  return URL.parse(`http://${host}`)?.hostname
}

// §6.2.2.1 and §6.2.2.2: what needs no encoding has none, and the digits of the rest are capitals.
function decodeUnreserved(text: string): string {
  return text
    .replace(/[[\]^|]/g, character => encodeURIComponent(character))
    .replace(/%[0-9A-Fa-f]{2}/g, encoded => {
      const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
      return /[A-Za-z0-9._~-]/.test(character) ? character : encoded.toUpperCase()
    })
}

// §6.2.2.3 and §5.2.4; §6.2.3: an empty path is a slash.
function withoutDots(path: string): string {
  const kept: string[] = []
  const segments = path.split('/').slice(1)
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1
    if (segment === '..') kept.pop()
    if (segment !== '.' && segment !== '..') kept.push(segment)
    else if (isLast) kept.push('')
  }
  return `/${kept.join('/')}`
}
