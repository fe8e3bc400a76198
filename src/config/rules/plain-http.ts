// An issuer of http: what is sent to it can be read on its way.
import { isLoopbackName } from '../../base/loopback.ts'
import type { Config } from '../schema.ts'

/** Whether what is sent to the issuer, a URL, crosses a network in the clear: http, and not on loopback. */
export function isInTheClear(issuer: string): boolean {
  const { protocol, hostname } = new URL(issuer)
  return protocol !== 'https:' && !isLoopbackName(hostname)
}

/** The warning for an operator whose issuer is in the clear, which allowHttp allows; undefined: it isn't. */
export function plainHttpWarning({ issuer }: Pick<Config, 'issuer'>): string | undefined {
  return isInTheClear(issuer)
    ? `PLAIN HTTP: the issuer ${issuer} is not https (allowHttp): whoever listens in that network reads ` +
        'passwords and tokens, and can give verifiers other keys than ours. For trying out only'
    : undefined
}

/** Warns in the log of an issuer in the clear. */
export function warnOfPlainHttp(
  config: Pick<Config, 'issuer'>,
  log: { warn(message: string): void },
): void {
  const warning = plainHttpWarning(config)
  if (warning !== undefined) log.warn(warning)
}
