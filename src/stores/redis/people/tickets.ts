// The tickets in Redis: a hash for each, beside the account, that goes by itself. What takes one is a part of
// the script that changes the account.
import type { TicketRef, Tickets } from '../../ports/people/tickets.ts'
import { TICKET_FAULTS } from '../../ports/people/tickets.ts'
import type { RedisAdapter } from '../adapter.ts'
import { oneOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'
import { createAccountReader } from './account-reader.ts'
import { createChangeAt, outcomeOf, ticketArgs } from './change-account.ts'
import { createAccountIndex } from './index/account-index.ts'
import { createSetAttributes } from './set-attributes.ts'
import { createClaims } from './claims/claims.ts'
import { createFindTaken } from './claims/login-texts.ts'
import { createUniqueValues } from './claims/unique-values.ts'

/** Makes the tickets of this Redis. */
export function createRedisTickets(adapter: RedisAdapter): Tickets {
  const { link, keys, time, doubt } = adapter
  const makeScript = loadScript(link, 'people/ticket-make')
  const lookScript = loadScript(link, 'people/ticket-look')
  const changeAt = createChangeAt(adapter)
  const reader = createAccountReader(adapter)
  const values = createUniqueValues(adapter, reader)
  const names = createClaims(adapter, { at: adapter.names.at, holds: reader.holds })
  const { byTicket } = createSetAttributes(adapter, {
    reader,
    values,
    index: createAccountIndex(adapter, reader),
    findTaken: createFindTaken({ names, values }),
  })
  const keysOf = ({ tag, purpose }: TicketRef) => [
    keys.user(tag),
    keys.ticket(tag, purpose),
  ]

  return {
    async make(ticket) {
      const { sessionsEpoch, hash, address, code = '', codeTries, forMs } = ticket
      const [expiresAt] = await makeScript(keysOf(ticket), [
        time(),
        sessionsEpoch,
        hash,
        address,
        code,
        codeTries,
        forMs,
      ])
      return expiresAt === 0 ? undefined : Number(expiresAt)
    },

    async look(ticket) {
      const [reply] = await lookScript(keysOf(ticket), [time(), ...ticketArgs(ticket)])
      if (reply === 1) return undefined
      const fault = oneOf(TICKET_FAULTS, reply)
      // It may have been lost.
      if (fault === 'ticket_unknown') await doubt()
      return fault
    },

    async setPassword({ ticket, passwordHash, provesAddress, version }) {
      const set = {
        passwordHash,
        ...(provesAddress && { emailVerified: true, pending: null }),
      }
      const { tag } = ticket
      return outcomeOf(await changeAt({ tag, version, ticket, set, endsSessions: true }))
    },

    setAttributes: ({ ticket, ...change }) => byTicket(ticket, change),
  }
}
