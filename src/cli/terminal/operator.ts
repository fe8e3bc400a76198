// Who gives commands, for the audit log.
import { userInfo } from 'node:os'
import type { Actor, Emit } from '../../base/events.ts'

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

/**
 * Emits as a command does: what changes accounts or keys serves servers, too, and names no actor; its events
 * get this one.
 */
export function emitAs(actor: Actor, emit: Emit): Emit {
  return function emitAsActor(event, origin) {
    const isOurs = event.type === 'user.changed' || event.type === 'keys.changed'
    emit(isOurs ? { ...event, actor: event.actor ?? actor } : event, origin)
  }
}
