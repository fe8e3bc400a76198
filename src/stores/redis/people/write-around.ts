// Writes an account's record in Redis with what stands in other slots: its entries in the index are put and
// its name and unique values claimed before, and looked at once more after. Whoever dies in between leaves
// entries and claims that no account holds: the first are never shown, the second may be taken over. What the
// account has already is left alone: a change that moves no such text is one write.
import type { UniqueValue } from '../../ports/directory.ts'
import type { FoundAccount } from './account-reader.ts'
import { without, type UniqueValues } from './claims/unique-values.ts'
import { indexedOf, type AccountIndex } from './index/account-index.ts'
import { entriesIn, type Indexed } from './index/entries.ts'

/** A name, and some of an account's unique values. */
export type Texts = Pick<Indexed, 'tag' | 'foldedName' | 'uniqueValues'>

/** A write, and what is done around it. */
export interface AroundWrite<Outcome, Taken> {
  /** The account of the version that is written. */
  readonly before: FoundAccount
  readonly next: Indexed
  /** Claims them, or none: then says what is taken. */
  readonly claim: (texts: Texts) => Promise<Taken | undefined>
  /** Gives those up that the account hasn't got. */
  readonly giveUp: (texts: Texts) => Promise<void>
  /** Writes the record; anything but `changed` has changed nothing. */
  readonly write: () => Promise<Outcome>
  /** Writes what was there before. */
  readonly undo: () => Promise<unknown>
}

/** Makes the write. */
export function createWriteAround({
  values,
  index,
}: {
  readonly values: UniqueValues
  readonly index: AccountIndex
}) {
  async function writeMoved<Outcome extends { readonly kind: string }, Taken>(
    { before, next, claim, giveUp, write, undo }: AroundWrite<Outcome, Taken>,
    { fresh, put }: { fresh: readonly UniqueValue[]; put: () => Promise<unknown> },
  ): Promise<Outcome | Taken> {
    const texts = { ...next, uniqueValues: fresh }
    await put()
    const taken = await claim(texts)
    if (taken !== undefined) return taken
    const outcome = await write()
    if (outcome.kind !== 'changed') {
      await giveUp(texts)
      return outcome
    }
    await put()
    // Somebody may have taken a claim over while we were slow.
    const lost = await claim(texts)
    if (lost !== undefined) {
      await undo()
      await giveUp(texts)
      return lost
    }
    const { uniqueValues } = before
    await giveUp({
      ...before.account,
      uniqueValues: without(uniqueValues, next.uniqueValues),
    })
    return outcome
  }

  return async function writeAround<Outcome extends { readonly kind: string }, Taken>(
    around: AroundWrite<Outcome, Taken>,
  ): Promise<Outcome | Taken> {
    const { before, next } = around
    const { tag, foldedName, uniqueValues } = next
    const fresh = await values.unclaimed(tag, uniqueValues, before.uniqueValues)
    const isMoved = fresh.length > 0 || foldedName !== before.account.foldedName
    const put = async () => isMoved && index.put(next)
    const outcome = await writeMoved(around, { fresh, put })
    const was = entriesIn('texts', indexedOf(before))
    const is = entriesIn('texts', next)
    // Whatever was put may belong to nobody by now.
    const texts = isMoved ? [...was, ...is] : was.filter(text => !is.includes(text))
    if (texts.length > 0) await index.tidy(tag, { created: [], texts })
    return outcome
  }
}
