// What other systems call an account (RFC 7643 §3.1, `externalId`): one text for each of them, unique among
// what it calls accounts. They are kept with the attributes, under names that no declared attribute can have.
import type { Actor } from '../../base/events/events.ts'
import type { Declaration } from './declarations.ts'

const PREFIX = '@externalId/'

/** What such a value may be. */
export const EXTERNAL_ID: Declaration = {
  type: 'string',
  maxLength: 255,
  list: false,
  unique: true,
  self: false,
}

/** The name under which the value of that system is kept. Holds no colon, whatever the system is called. */
export function externalIdOf(actor: Actor): string {
  const colon = actor.indexOf(':')
  return `${PREFIX}${actor.slice(0, colon)}/${encodeURIComponent(actor.slice(colon + 1))}`
}

/** Whether a value is kept under such a name. */
export function isExternalId(name: string): boolean {
  return name.startsWith(PREFIX)
}
