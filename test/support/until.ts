// Waiting for what has no event to wait for.
import { setTimeout as wait } from 'node:timers/promises'

/**
 * Waits until something holds, and rejects when it hasn't come in 20 seconds. What rejects doesn't hold yet.
 */
export async function until(holds: () => boolean | Promise<boolean>): Promise<true> {
  for (let attempts = 2_000; attempts > 0; attempts--) {
    if (
      await Promise.resolve()
        .then(holds)
        .catch(() => false)
    ) {
      return true
    }
    await wait(10)
  }
  throw new Error(`it never came: ${holds}`)
}
