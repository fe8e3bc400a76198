// Waiting for what has no event to wait for.
import { setTimeout as wait } from 'node:timers/promises'

/** Waits up to 20 seconds until something holds, and tells whether it came. What rejects doesn't hold yet. */
export async function until (holds: () => unknown): Promise<boolean> {
  for (let attempts = 2_000; attempts > 0; attempts--) {
    if (await Promise.resolve().then(holds).catch(() => false)) return true
    await wait(10)
  }
  return false
}
