// What each port's adapter is made of.
import type { Link } from './link.ts'
import type { RedisKeys } from './redis-keys.ts'

export interface RedisAdapter {
  readonly link: Link
  readonly keys: RedisKeys
  /** The scripts' time argument: empty, so that they ask the server, or a test clock's instant. */
  readonly time: () => string
}
