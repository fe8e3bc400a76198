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

/** Most people change networks every day; logins are many. Whoever wants these names them in `types`. */
const UNASKED: readonly MessageType[] = [
  'notice.new_network',
  'session.started',
  'session.ended',
  'session.revoked',
]
const isAsked = (type: MessageType) => !UNASKED.includes(type)

/** What goes to people, and what to apps, where the configuration doesn't name it. */
const FOR_PEOPLE: readonly MessageType[] = [...TICKETS, ...NOTICES].filter(isAsked)
const FOR_APPS: readonly MessageType[] = EVENTS.filter(isAsked)

/** The ways out of a message. */
export function waysOf(
  { webhook, mail }: WaysSettings,
  type: MessageType,
): readonly Way[] {
  const sends = (settings: WaySettings | undefined, own: readonly string[]) =>
    settings !== undefined && (settings.types ?? own).includes(type)
  return [
    ...(sends(webhook, mail === undefined ? FOR_PEOPLE : FOR_APPS)
      ? (['webhook'] as const)
      : []),
    ...(sends(mail, FOR_PEOPLE) ? (['mail'] as const) : []),
  ]
}
