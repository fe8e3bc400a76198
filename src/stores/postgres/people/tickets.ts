// The tickets of accounts in PostgreSQL: they lie beside the subject, in the store of the sessions, which
// takes one in the step that ends the sessions. Then comes the row. Whoever dies in between has spent the
// ticket and ended the sessions, and changed nothing else: its user asks for another one.
import type { Account } from '../../ports/directory.ts'
import type { Tickets } from '../../ports/people/tickets.ts'
import { createChangeAccount, type ChangeParts } from './change-account.ts'
import { NO_HASH } from './settle.ts'
import { valueTaken } from './texts.ts'

/** Makes the tickets. */
export function createPostgresTickets(parts: ChangeParts): Tickets {
  const { tickets, directory } = parts.sessions
  const change = createChangeAccount(parts)

  return {
    make: tickets.make,
    look: tickets.look,
    setPassword({ ticket, passwordHash, provesAddress, version }) {
      const { tag } = ticket
      const proved = { emailVerified: true, pending: null }
      const set = { passwordHash, ...(provesAddress && proved) }
      return change({ tag, version, set, end: endedAlready }, async () => {
        const subject = subjectOf(await directory.byTag(tag))
        return unlessChanged(
          await tickets.setPassword({
            ticket,
            passwordHash: NO_HASH,
            provesAddress: false,
            version: subject.version,
          }),
        )
      })
    },
    setAttributes({ ticket, tag, version, uniqueValues, logins, ...set }) {
      const texts = { tag, uniqueValues, logins }
      return change({ ...texts, version, set }, async run => {
        const taken = await valueTaken(run, texts)
        if (taken !== undefined) return taken
        // The ticket goes, and what the subject is stays: the row comes first.
        const subject = subjectOf(await directory.byTag(tag))
        return unlessChanged(await tickets.setAttributes({ ticket, tag, ...subject }))
      })
    },
  }
}

/** The step that takes the ticket has done so. */
async function endedAlready(): Promise<void> {}

/** What the store of the sessions has to be told to change nothing; one that has lost it has no ticket. */
function subjectOf({
  attributes = {},
  emailVerified = false,
  version = 0,
}: Partial<Account> = {}) {
  return { attributes, emailVerified, version, uniqueValues: [] }
}

function unlessChanged<Outcome extends { readonly kind: string }>(
  outcome: Outcome,
): Outcome | undefined {
  return outcome.kind === 'changed' ? undefined : outcome
}
