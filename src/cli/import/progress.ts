// How far an import is.
import { createBar } from '../terminal/bar.ts'
import type { Io } from '../terminal/io.ts'

/** What was done so far. */
export interface Count {
  imported: number
  alreadyThere: number
  refused: number
}

export interface Progress {
  /** Shows that `part` (0 to 1, or undefined where nobody knows) is done. */
  show(part: number | undefined, count: Count): void
  /** Takes the bar away. */
  clear(): void
}

/** Makes the bar; `monotonic` is a clock in milliseconds that never goes back. */
export function createProgress(io: Io, monotonic?: () => number): Progress {
  const bar = createBar(io, monotonic)
  return {
    show(part, { imported, alreadyThere, refused }) {
      bar.show(
        part,
        `${imported} imported, ${alreadyThere} already there, ${refused} refused`,
      )
    },
    clear: bar.clear,
  }
}
