// Waiting for what has no event to wait for.
import { setTimeout as wait } from 'node:timers/promises'

/**
 * How long a suite waits for what must come, milliseconds: so long that a machine with ten times as much to
 * do as it can bear is no reason to give up. What is slow passes later; only what never comes fails.
 */
export const PATIENCE_MS = 120_000

/**
 * How long "soon" may last on a busy machine, milliseconds, where a test knows no other way to see that
 * something waits for nothing: much shorter than what it would wait for otherwise.
 */
export const SOON_MS = 30_000

/** For a store on Redis, in tests that aren't about its deadline: a busy machine doesn't answer in time. */
export const PATIENT = { deadlineMs: SOON_MS }

const LOOK_AGAIN_MS = 10

/** Waits until something holds, and rejects when it never comes. What rejects doesn't hold yet. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  patienceMs = PATIENCE_MS,
): Promise<true> {
  const giveUpAt = process.uptime() + patienceMs / 1000
  for (;;) {
    // Read before: whatever held us up, the last look comes after the time is over.
    const now = process.uptime()
    const came = await Promise.resolve()
      .then(holds)
      .catch(() => false)
    if (came) return true
    if (now >= giveUpAt) throw new Error(`it never came: ${holds}`)
    await wait(LOOK_AGAIN_MS)
  }
}

/**
 * Asks until the answer holds, and gives the last one in any case: the suite says what it should have been.
 * For questions with a real time limit, which a busy machine may miss.
 */
export async function askUntil<T>(
  ask: () => Promise<T>,
  holds: (answer: T) => boolean,
): Promise<T> {
  const giveUpAt = process.uptime() + PATIENCE_MS / 1000
  for (;;) {
    const now = process.uptime()
    const answer = await ask()
    if (holds(answer) || now >= giveUpAt) return answer
    await wait(LOOK_AGAIN_MS)
  }
}
