// Who gives commands, for the audit log.
import { userInfo } from 'node:os'
import type { Actor } from '../../base/events/events.ts'

/**
 * The user of the operating system that runs the command: its name, or its number where it has none, as in a
 * container that runs under any number.
 *
 * @param read reads the user; throws where it has no name
 */
export function operator(read: () => { username: string } = userInfo): Actor {
  try {
    return `cli:${read().username}`
  } catch {
    return `cli:${process.getuid?.()}`
  }
}
