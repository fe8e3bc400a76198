// So many hashes at once, and never more memory than there is for them: a foreign hash may need more of it
// than ours.

export interface LimiterOptions {
  readonly slots: number
  readonly memoryKiB: number
}

/**
 * Does the work when a slot and so much memory are free; in order of arrival, so that a large one gets
 * through.
 */
export type Limiter = <Result>(
  memoryKiB: number,
  work: () => Promise<Result>,
) => Promise<Result>

/**
 * Makes the limiter. Work that needs more than all memory there is runs alone: who asks has checked what is
 * bearable.
 */
export function createLimiter({ slots, memoryKiB: all }: LimiterOptions): Limiter {
  const waiting: { readonly memoryKiB: number; readonly start: () => void }[] = []
  let [busy, used] = [0, 0]

  function startNext(): void {
    const [next] = waiting
    if (
      next === undefined ||
      busy === slots ||
      (busy > 0 && used + next.memoryKiB > all)
    ) {
      return
    }
    waiting.shift()
    busy += 1
    used += next.memoryKiB
    next.start()
    startNext()
  }

  return async (memoryKiB, work) => {
    await new Promise<void>(resolve => {
      waiting.push({ memoryKiB, start: resolve })
      startNext()
    })
    try {
      return await work()
    } finally {
      busy -= 1
      used -= memoryKiB
      startNext()
    }
  }
}
