// Replaces an account's attributes in Redis (write-around.ts).
import type {
  AttributesChange,
  AttributesOutcome,
  ValueTaken,
} from '../../ports/directory.ts'
import type { PresentedTicket, TicketRefused } from '../../ports/people/tickets.ts'
import type { RedisAdapter } from '../adapter.ts'
import { oneOf } from '../replies.ts'
import type { AccountReader, FoundAccount } from './account-reader.ts'
import { CHANGED, createChangeAt, outcomeOf } from './change-account.ts'
import type { FindTaken } from './claims/login-texts.ts'
import type { UniqueValues } from './claims/unique-values.ts'
import type { AccountIndex } from './index/account-index.ts'
import { createWriteAround, type Texts } from './write-around.ts'

/** What the change needs beside the adapter. */
interface SetParts {
  readonly reader: AccountReader
  readonly values: UniqueValues
  readonly index: AccountIndex
  readonly findTaken: FindTaken
}

/** The two ways to replace attributes. */
export interface SetAttributes {
  /** For whoever may. */
  plainly(change: AttributesChange): Promise<AttributesOutcome>
  /** For the holder of a ticket, which goes in the step that writes the record. */
  byTicket(
    ticket: PresentedTicket,
    change: AttributesChange,
  ): Promise<AttributesOutcome | TicketRefused>
}

/** Makes both. */
export function createSetAttributes(
  adapter: RedisAdapter,
  parts: SetParts,
): SetAttributes {
  const changeAt = createChangeAt(adapter)
  const set = createSet(parts, async change => {
    await changeAt(writeOf(change))
  })
  return {
    // Without a ticket none is refused.
    plainly: change =>
      set(change, async () => ({
        kind: oneOf(CHANGED, await changeAt(writeOf(change))),
      })),
    byTicket: (ticket, change) =>
      set(change, async () => outcomeOf(await changeAt({ ...writeOf(change), ticket }))),
  }
}

/** What comes of writing the record; anything but `changed` has changed nothing. */
interface Written {
  readonly kind: string
}

interface Missing {
  readonly kind: 'superseded' | 'user_unknown'
}

/** Makes the change around a write; `undo` writes what was there before. */
function createSet(parts: SetParts, undo: (change: AttributesChange) => Promise<void>) {
  const { reader, values, findTaken } = parts
  const writeAround = createWriteAround(parts)

  async function claim(
    { tag, uniqueValues }: Texts,
    { logins }: AttributesChange,
    { uniqueValues: had }: FoundAccount,
  ): Promise<ValueTaken | undefined> {
    const taken = await values.claimAll(tag, uniqueValues)
    if (taken !== undefined) return taken
    const text = await findTaken({ tag, logins, isNamed: false, had })
    // The name stays.
    if (text?.kind !== 'value_taken') return undefined
    await values.giveUp(tag, uniqueValues)
    return text
  }

  return async function setAttributes<Outcome extends Written>(
    change: AttributesChange,
    write: () => Promise<Outcome>,
  ): Promise<Outcome | ValueTaken | Missing> {
    const { tag, version, uniqueValues } = change
    const before = await reader.read(tag)
    if (before === undefined) return { kind: 'user_unknown' }
    if (before.account.version !== version) return { kind: 'superseded' }
    const { pending = null, ...account } = before.account
    return writeAround<Outcome, ValueTaken>({
      before,
      next: { ...before.account, uniqueValues },
      claim: texts => claim(texts, change, before),
      giveUp: texts => values.giveUp(tag, texts.uniqueValues),
      write,
      undo: () => undo({ ...before, ...account, pending, version: version + 1 }),
    })
  }
}

function writeOf({ tag, version, ...change }: AttributesChange) {
  const { attributes, emailVerified, uniqueValues, pending } = change
  const next = { attributes, emailVerified, uniqueValues }
  return { tag, version, set: { ...next, ...(pending !== undefined && { pending }) } }
}
