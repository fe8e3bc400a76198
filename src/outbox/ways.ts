// Which message goes out by which way. A ticket goes by one way only: making another voids the one before.
import {
  EVENTS,
  NOTICES,
  TICKETS,
  type MessageType,
} from '../base/events/message-types.ts'
import type { Way } from '../stores/ports/outbox.ts'

/** What the configuration says of a way. */
export interface WaySettings {
  /** Undefined: those that the way is made for. */
  readonly types?: readonly string[] | undefined
}

/** The ways that there are. */
export type WaysSettings = Readonly<Partial<Record<Way, WaySettings | undefined>>>

/** The ways out of a message. */
export function waysOf(
  { webhook, mail }: WaysSettings,
  type: MessageType,
): readonly Way[] {
  const people: readonly string[] = [...TICKETS, ...NOTICES]
  const events: readonly string[] = EVENTS
  const sends = (settings: WaySettings | undefined, own: readonly string[]) =>
    settings !== undefined && (settings.types ?? own).includes(type)
  return [
    ...(sends(webhook, mail === undefined ? [...people, ...events] : events)
      ? (['webhook'] as const)
      : []),
    ...(sends(mail, people) ? (['mail'] as const) : []),
  ]
}
