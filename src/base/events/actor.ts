// Who changes accounts and keys. The services that do it serve servers and commands alike and name nobody in
// their events; whoever calls them for somebody gives them this emitter.
import type { Actor, Emit, Origin } from './events.ts'

/**
 * Emits for somebody: events that name no actor get this one.
 *
 * @param request in which it happens, for the audit log; default: what each event says
 */
export function emitAs(actor: Actor, emit: Emit, request?: Origin): Emit {
  return function emitAsActor(event, origin = request, aside = {}) {
    const isOurs =
      event.type === 'user.changed' ||
      event.type === 'group.changed' ||
      event.type === 'keys.changed'
    emit(isOurs ? { ...event, actor: event.actor ?? actor } : event, origin, aside)
  }
}
