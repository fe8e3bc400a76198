// Bounds hashing by slots and by memory: a foreign hash may need more memory than one of ours.

export interface HashSlotsOptions {
  readonly slots: number
  readonly memoryKiB: number
}

/**
 * Runs the job when a slot and enough memory are free. Jobs start in order of arrival, so that a large one
 * gets its turn.
 */
export type HashSlots = <Result>(
  memoryKiB: number,
  job: () => Promise<Result>,
) => Promise<Result>

/**
 * Makes the slots. A job that needs more than all the memory runs alone: the caller has checked that its hash
 * is bearable.
 */
export function createHashSlots({ slots, memoryKiB: all }: HashSlotsOptions): HashSlots {
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

  return async (memoryKiB, job) => {
    await new Promise<void>(resolve => {
      waiting.push({ memoryKiB, start: resolve })
      startNext()
    })
    try {
      return await job()
    } finally {
      busy -= 1
      used -= memoryKiB
      startNext()
    }
  }
}
