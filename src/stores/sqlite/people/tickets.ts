// The tickets in SQLite: a row each, which goes with its account (ON DELETE CASCADE). What takes one is a
// part of the transaction that changes the account.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type {
  PresentedTicket,
  TicketFault,
  TicketRef,
  TicketRefused,
  Tickets,
} from '../../ports/people/tickets.ts'
import { writing } from '../database/database.ts'
import type { Row } from '../database/row.ts'
import { ACCOUNT_SQL, readAccount } from './account-columns.ts'
import { createChangeIn } from './change-account.ts'
import { createSetAttributesIn } from './set-attributes.ts'

/** How many expired tickets a new one takes along. */
const SWEEP = 20

/** Looks at a ticket and takes it, as parts of a transaction. */
interface TicketRows {
  whyNot(ticket: PresentedTicket, now: number): TicketFault | undefined
  remove(ticket: TicketRef): void
}

/** Makes the tickets of this file. */
export function createSqliteTickets(db: DatabaseSync, clock: Clock): Tickets {
  const rows = createTicketRows(db)
  const select = db.prepare(ACCOUNT_SQL.byTag)
  const changeIn = createChangeIn(db, clock)
  const setAttributes = createSetAttributesIn(db, clock)

  /** The change, and with it the ticket's end; a ticket that is no good changes nothing. */
  function taking<Outcome extends { readonly kind: string }>(
    ticket: PresentedTicket,
    change: () => Outcome,
  ): Promise<Outcome | TicketRefused> {
    return writing(db, () => {
      const reason = rows.whyNot(ticket, clock())
      if (reason !== undefined) return { kind: 'ticket_refused', reason }
      const outcome = change()
      if (outcome.kind === 'changed') rows.remove(ticket)
      return outcome
    })
  }

  return {
    make: createMake(db, clock),
    look: ticket => writing(db, () => rows.whyNot(ticket, clock())),
    setPassword: ({ ticket, passwordHash, provesAddress, version }) =>
      taking(ticket, () => {
        const [account] = select.all(ticket.tag).map(readAccount)
        if (account?.version !== version) return { kind: 'superseded' }
        const proved = { emailVerified: true, pending: null }
        const set = { passwordHash, ...(provesAddress && proved) }
        changeIn({ tag: ticket.tag, set, endsSessions: true })
        return { kind: 'changed' }
      }),
    setAttributes: ({ ticket, ...change }) => taking(ticket, () => setAttributes(change)),
  }
}

function createMake(db: DatabaseSync, clock: Clock): Tickets['make'] {
  const select = db.prepare(ACCOUNT_SQL.byTag)
  const sweep = db.prepare(`DELETE FROM tickets WHERE (user_tag, purpose) IN
    (SELECT user_tag, purpose FROM tickets WHERE expires_at <= ? LIMIT ?)`)
  const insert = db.prepare(`INSERT OR REPLACE INTO tickets
    (user_tag, purpose, hash, epoch, address, code, tries, expires_at)
    VALUES (:tag, :purpose, :hash, :sessionsEpoch, :address, :code, :codeTries, :expiresAt)`)
  return ({ forMs, code = null, ...ticket }) =>
    writing(db, () => {
      const now = clock()
      sweep.run(now, SWEEP)
      const row = select.get(ticket.tag)
      const epoch = row && readAccount(row).sessionsEpoch
      if (epoch !== ticket.sessionsEpoch) return undefined
      const expiresAt = now + forMs
      insert.run({ ...ticket, code, expiresAt })
      return expiresAt
    })
}

function createTicketRows(db: DatabaseSync): TicketRows {
  const select = db.prepare(`SELECT t.*, u.epoch AS now_epoch
    FROM tickets t JOIN users u ON u.tag = t.user_tag WHERE user_tag = ? AND purpose = ?`)
  const remove = db.prepare('DELETE FROM tickets WHERE user_tag = ? AND purpose = ?')
  // The last wrong code that is allowed voids the code.
  const countWrong = db.prepare(`UPDATE tickets
    SET tries = tries - 1, code = iif(tries > 1, code, NULL) WHERE user_tag = ? AND purpose = ?`)

  function whyNotRow(
    row: Row,
    { tag, purpose, hash, codes, address }: PresentedTicket,
    now: number,
  ): TicketFault | undefined {
    if (hash !== '' && hash !== row['hash']) return 'ticket_unknown'
    if (now >= Number(row['expires_at'])) return 'ticket_expired'
    if (hash === '' && !codes.some(code => code === row['code'])) {
      countWrong.run(tag, purpose)
      return 'ticket_code_wrong'
    }
    const isSame = row['epoch'] === row['now_epoch'] && row['address'] === address
    return isSame ? undefined : 'ticket_outdated'
  }

  return {
    whyNot(ticket, now) {
      const row = select.get(ticket.tag, ticket.purpose)
      return row === undefined ? 'ticket_unknown' : whyNotRow(row, ticket, now)
    },
    remove({ tag, purpose }) {
      remove.run(tag, purpose)
    },
  }
}
