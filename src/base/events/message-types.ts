// What may be sent to people and apps, by its type: the configuration names the types, the outbox sends them.

/** Tickets: the mail or the webhook carries a one-time token, which is made when it is sent. */
export const TICKETS = [
  'ticket.verification',
  'ticket.recovery',
  'ticket.invitation',
] as const

/** Notices that a user is owed. */
export const NOTICES = [
  'notice.password_changed',
  'notice.address_changed',
  'notice.deletion_begun',
  'notice.account_deleted',
  'notice.already_registered',
  'notice.new_network',
] as const

/** Events for apps. */
export const EVENTS = [
  'account.created',
  'account.updated',
  'account.disabled',
  'account.deleted',
  'session.started',
  'session.ended',
  'session.revoked',
] as const

/** All of them. */
export const MESSAGE_TYPES = [...TICKETS, ...NOTICES, ...EVENTS] as const

/** A ticket. */
export type TicketType = (typeof TICKETS)[number]

/** Whatever may be sent. */
export type MessageType = (typeof MESSAGE_TYPES)[number]

/** What a ticket is good for: its type without `ticket.`. */
export type TicketPurpose = TicketType extends `ticket.${infer Purpose}` ? Purpose : never
