// What the owner of a session recognises it by: how the device is called, and by what program it logged in.
import { printable } from '../base/printable.ts'
import { invalidRequest } from '../oauth/errors.ts'

const MAX_NAME = 64

/** Browsers by what only they write; each also names those behind it. */
const BROWSERS = [
  ['Edge', /\bEdg(?:A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(?:Firefox|FxiOS)\//],
  ['Chrome', /\b(?:Chrome|CriOS|Chromium)\//],
  ['Safari', /\bVersion\/.* Safari\//],
] as const

/** The name before the first version (RFC 9110 §10.1.5), as far as a list has room for it. */
const PRODUCT = /^([A-Za-z0-9][A-Za-z0-9._-]{0,23})(?:\/|$)/

/** Longer ones are no longer read. */
const MAX_USER_AGENT = 512

/**
 * The parameter device_name.
 *
 * @throws OAuthError invalid_request when it has more than 64 characters, or one that moves a cursor or turns
 * the writing round
 */
export function deviceName(given: string | undefined): string | undefined {
  const name = given?.trim()
  if (name === undefined || name === '') return undefined
  if (printable(name) !== name) {
    throw invalidRequest('device_name holds a character that is not printable')
  }
  if ([...name].length > MAX_NAME) {
    throw invalidRequest('device_name is longer than 64 characters')
  }
  return name
}

/** The family of a User-Agent: a browser's name, or the product's; undefined where it says neither. */
export function userAgentFamily(header: unknown): string | undefined {
  if (typeof header !== 'string') return undefined
  const text = header.slice(0, MAX_USER_AGENT)
  const browser = BROWSERS.find(([, pattern]) => pattern.test(text))
  if (browser !== undefined) return browser[0]
  const product = PRODUCT.exec(text)?.[1]
  return product === 'Mozilla' ? undefined : product
}
