// What is reported of directories elsewhere: each question in the metrics, and in the log when one stops to
// answer or answers again.
import type { DirectoryAnswer, DirectoryCounts } from './metrics/directory-metrics.ts'

/** Told of directories elsewhere. */
export interface DirectoryWatch {
  answered(answer: DirectoryAnswer): void
  /** With the fault, or undefined when it answers again. */
  changed(directory: string, fault: string | undefined): void
  /** A password that was right there was copied, and could not be checked by the rules for new ones. */
  unchecked(directory: string, error: unknown): void
}

/** The log's levels that are used here. */
interface DirectoryLog {
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Makes the watch. */
export function watchDirectories(
  counts: DirectoryCounts,
  log: () => DirectoryLog | undefined,
): DirectoryWatch {
  return {
    answered: counts.countDirectoryAnswer,
    changed(directory, fault) {
      counts.showDirectory(directory, fault === undefined)
      if (fault === undefined) {
        log()?.warn({ directory }, 'the directory answers again: its users can log in')
        return
      }
      log()?.error(
        { directory, fault },
        'the directory does not answer: its users cannot log in, those with a session go on for ' +
          'directory.grace',
      )
    },
    unchecked(directory, error) {
      log()?.warn(
        { directory, err: error },
        'a copied password could not be checked: the blocklist cannot be read',
      )
    },
  }
}
