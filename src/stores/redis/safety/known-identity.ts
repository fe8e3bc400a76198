// What this server takes for the store's identity, and what it makes of marks that are others: a new store, a
// loss, a loss that another server found, or data that has come back.
import { RedisFault, unavailable } from '../connection/reasons.ts'
import { differing, markOf, newMark, type Mark, type Marks } from './identity-marks.ts'
import type { IdentityRecords } from './identity-records.ts'

export interface KnownIdentityOptions {
  readonly records: IdentityRecords
  /** Whether the store is known to have lost its data. */
  readonly isLost: () => boolean
  /** Called before a loss is written down. */
  readonly foundLoss: () => void
}

export interface KnownIdentity {
  /** Whether this server has seen the store's identity. */
  isKnown(): boolean
  /** Whether each mark that was read is the known one. */
  isIn(marks: Marks): boolean
  /**
   * Takes over the marks that are there, or makes them. False when they are those of before.
   *
   * @throws StoreUnavailable when they are others and the first one can't be read
   */
  adopt(marks: Marks): Promise<boolean>
  /** The store has all of its data, or its loss is accepted. */
  settle(): void
}

/** Knows nothing at first. */
export function createKnownIdentity({
  records,
  isLost,
  foundLoss,
}: KnownIdentityOptions): KnownIdentity {
  let known: Mark | undefined
  // In a cluster: the marks that were lost and are not back; undefined: only another server knows them.
  let missing: readonly number[] | undefined = []

  // A server that starts can't tell a store that lost its data from a new one.
  async function begin(first: string | null): Promise<void> {
    known = first === null ? await records.replaceFirst(newMark(''), '') : markOf(first)
    missing = undefined
    await records.writeOthers(records.indexes, known.text)
  }

  async function announceLoss(before: Mark, marks: Marks): Promise<void> {
    const seen = marks[0] ?? ''
    const mark = newMark(`${before.text} ${seen}`)
    foundLoss()
    await records.markLost()
    known = await records.replaceFirst(mark, seen)
    // Another server may have been faster; it knows which are missing.
    if (known.id !== mark.id) missing = undefined
    missing &&= [...missing, ...differing(marks, before)]
    await records.writeOthers(records.indexes, known.text)
  }

  /** Puts our mark in the place of those that are back, and ends the loss when none is missing any more. */
  async function takeBack(mark: Mark, marks: Marks): Promise<void> {
    const returned = differing(marks, mark)
    // One server has one mark. Of a cluster's, only the server that found the loss knows which are missing.
    missing =
      records.indexes.length === 1
        ? []
        : missing?.filter(index => !returned.includes(index))
    if (missing === undefined) return
    const isWhole = missing.length === 0
    if (!isWhole) await records.markLost()
    const isFirstBack = returned.includes(0)
    known = isFirstBack ? await records.replaceFirst(mark, String(marks[0])) : mark
    await records.writeOthers(returned, known.text)
    if (isWhole) await records.endLoss()
  }

  async function adopt(marks: Marks): Promise<boolean> {
    if (known !== undefined && differing(marks, known).length === 0) return false
    const [first] = marks
    if (first === undefined) {
      const fault = new RedisFault("the master that knows the store's identity is away")
      throw unavailable(fault, '')
    }
    if (known === undefined) await begin(first)
    else if (isLost() && isReturn(marks, known)) await takeBack(known, marks)
    else if (first !== null && isSuccessor(first, known)) {
      // Another server has found the loss and has announced it.
      known = markOf(first)
      missing = undefined
    } else await announceLoss(known, marks)
    return true
  }

  return {
    isKnown: () => known !== undefined,
    isIn: marks => differing(marks, known).length === 0,
    adopt,
    settle() {
      missing = []
    },
  }
}

/**
 * Whether all marks that differ are from before the loss: the data is back. Nothing could be written since
 * then, as everything was refused, so it lacks no more than any back-up does.
 */
function isReturn(marks: Marks, known: Mark): boolean {
  return differing(marks, known).every(index =>
    known.before.includes(markOf(marks[index] ?? '').id),
  )
}

/** Whether the first mark names the known one among those before it. */
function isSuccessor(first: string, known: Mark): boolean {
  return markOf(first).before.includes(known.id)
}
