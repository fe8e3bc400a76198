// The form of a typed user name in audit events. The name is hashed, as it may be anything: users type
// passwords into the wrong field.
import { createHmac } from 'node:crypto'
import { deriveKeys } from '../../base/secrets.ts'
import { foldName } from './user-name.ts'

const CHARACTERS = 22

export interface NameInLogsOptions {
  readonly secrets: readonly string[]
  /** Whether names are logged as they are, as configured now. */
  readonly plain: () => boolean
}

/**
 * Gives a name's form for logs: `h:` and 22 characters of a keyed hash, the same for all ways of writing one
 * name, unless names are plain.
 */
export type NameInLogs = (name: string) => string

/** Makes the function. */
export function createNameInLogs({ secrets, plain }: NameInLogsOptions): NameInLogs {
  const [first] = deriveKeys(secrets, 'name-in-logs')
  if (first === undefined) throw new TypeError('there is no secret')
  return name =>
    plain()
      ? name
      : `h:${createHmac('sha256', first.key)
          .update(foldName(name) ?? name)
          .digest('base64url')
          .slice(0, CHARACTERS)}`
}
