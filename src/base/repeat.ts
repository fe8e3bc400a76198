// Work that is done again and again while the process runs.

/**
 * Does the work, which never rejects, every so many milliseconds, without keeping the process alive.
 *
 * @returns the way to stop
 */
export function every(ms: number, work: () => Promise<void>): () => void {
  const timer = setInterval(work, ms).unref()
  return () => clearInterval(timer)
}

/**
 * Makes work that never rejects.
 *
 * @param failed is given the first of several faults in a row; the others are no news
 */
export function reportFirstFailure(
  work: () => Promise<void>,
  failed: (error: unknown) => void,
): () => Promise<void> {
  let works = true
  return () =>
    work().then(
      () => {
        works = true
      },
      (error: unknown) => {
        if (works) failed(error)
        works = false
      },
    )
}
