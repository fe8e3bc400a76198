import type { Clock } from '../../src/base/clock.ts'

/** A clock that stands still until a test moves it. */
export interface HandClock extends Clock {
  /** Moves it by so many milliseconds; backwards when negative. */
  advance(ms: number): void
  /** Puts it to an instant. */
  set(at: number): void
}

export function createHandClock(start = Date.now()): HandClock {
  let at = start
  return Object.assign(() => at, {
    advance(ms: number) {
      at += ms
    },
    set(instant: number) {
      at = instant
    },
  })
}
