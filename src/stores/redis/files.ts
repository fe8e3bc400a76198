// Files that are read anew for every connection, so that a renewed certificate needs no restart.
import { readFileSync } from 'node:fs'

/** A file's text, as it is now. */
export type Reading = () => string

/**
 * Reads a file, now and at each call. One that is just being replaced can't be read: the text of before goes
 * on.
 *
 * @param key of the configuration, which names the file
 * @throws TypeError when it can't be read now
 */
export function rereading(key: string, file: string): Reading {
  let text = firstReading(key, file)
  return () => {
    try {
      text = readFileSync(file, 'utf8')
    } catch {
      // The one of before goes on.
    }
    return text
  }
}

function firstReading(key: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code =
      error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    throw new TypeError(`${key}: expected a file that can be read${code}: ${file}`, {
      cause: error,
    })
  }
}
