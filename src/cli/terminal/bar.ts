// A bar for a person who waits at the terminal; nothing for pipes.
import { monotonicClock } from '../../base/clock.ts'
import type { Io } from './io.ts'

const WIDTH = 30
// Redrawing more often only costs.
const STEP_MS = 200

export interface Bar {
  /** Shows that `part` (0 to 1, or undefined where nobody knows) is done, and a text. */
  show(part: number | undefined, text: string): void
  /** Takes the bar away. */
  clear(): void
}

/** Makes the bar; `monotonic` is a clock in milliseconds that never goes back. */
export function createBar(
  { stderr, showsProgress }: Io,
  monotonic = monotonicClock,
): Bar {
  if (!showsProgress) return { show() {}, clear() {} }
  let drawnAt = -Infinity
  const write = (text: string) => {
    stderr.write(`\r\x1B[K${text}`)
  }
  return {
    show(part, text) {
      if (monotonic() - drawnAt < STEP_MS) return
      drawnAt = monotonic()
      write(`${part === undefined ? '' : barOf(part)}${text}`)
    },
    clear: () => write(''),
  }
}

function barOf(part: number): string {
  const full = Math.min(WIDTH, Math.round(part * WIDTH))
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${Math.round(part * 100)} %  `
}
