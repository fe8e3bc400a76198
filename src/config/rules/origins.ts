// Origins as browsers write them in the Origin header (RFC 6454 §6.2); one that is written otherwise never
// matches.

// Of an app in a web view or a browser's extension: capacitor://localhost, tauri://localhost,
// chrome-extension://ID. For file: and data: browsers write `null`.
const APP_ORIGIN =
  /^(?!file:|data:|blob:|ftp:|wss?:)[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(:[0-9]+)?$/

/**
 * What an origin of the configuration should be; undefined: it is right, or `*`.
 *
 * @param text `scheme://` and something behind it
 */
export function originMeant(text: string): string | undefined {
  if (text === '*') return undefined
  if (!/^https?:/i.test(text)) return appOriginMeant(text)
  if (text.includes('*')) return 'each origin by its own name, or * alone for all'
  const url = URL.parse(text)
  if (url === null) return 'an origin such as https://app.example.com, or *'
  return url.origin === text ? undefined : `${url.origin}, as browsers write it`
}

function appOriginMeant(text: string): string | undefined {
  if (APP_ORIGIN.test(text)) return undefined
  const origin = text.toLowerCase().replace(/(:\/\/[^/?#]*).*/, '$1')
  return APP_ORIGIN.test(origin)
    ? `${origin}, as browsers write it`
    : 'an origin such as https://app.example.com or capacitor://localhost, or *'
}
