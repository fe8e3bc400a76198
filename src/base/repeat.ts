// Work that repeats while the process runs.

/**
 * Runs the work, which never rejects, every `ms` milliseconds, without keeping the process alive.
 *
 * @returns a function that stops it
 */
export function every(ms: number, work: () => Promise<void>): () => void {
  const timer = setInterval(work, ms).unref()
  return () => clearInterval(timer)
}

/**
 * Makes work that never rejects.
 *
 * @param report is called with the first of several errors in a row; the others are no news
 */
export function reportFirstFailure(
  work: () => Promise<void>,
  report: (error: unknown) => void,
): () => Promise<void> {
  let works = true
  return () =>
    work().then(
      () => {
        works = true
      },
      (error: unknown) => {
        if (works) report(error)
        works = false
      },
    )
}
