// A command that did not do what it was asked.
import { ConfigError } from '../../config/faults.ts'
import { OAuthError } from '../../oauth/errors.ts'
import { StoreUnavailable } from '../../stores/ports/unavailable.ts'
import { NotUtf8 } from '../../base/utf8.ts'

/** Ends a command with exit code 1. */
export class Refused extends Error {
  override readonly name = 'Refused'
  /** A code for scripts, such as `user_unknown`. */
  readonly reason: string

  /** `message`: more than the code says, for people. */
  constructor(reason: string, message = reason.replaceAll('_', ' ')) {
    super(message)
    this.reason = reason
  }
}

/** What is told of a command that failed: a code for scripts and words for people. */
export interface Failure {
  readonly error: string
  readonly message: string
  readonly faults?: ConfigError['faults']
}

/** Names what went wrong. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Refused) return { error: error.reason, message: error.message }
  if (error instanceof ConfigError) {
    return {
      error: 'config_refused',
      message: `the configuration is refused\n${error.message}`,
      faults: error.faults,
    }
  }
  if (error instanceof StoreUnavailable) {
    return { error: 'store_unavailable', message: error.message }
  }
  if (error instanceof NotUtf8) return { error: 'not_utf8', message: error.message }
  if (error instanceof OAuthError) return { error: error.reason, message: error.message }
  return {
    error: 'failed',
    message: error instanceof Error ? error.message : String(error),
  }
}
