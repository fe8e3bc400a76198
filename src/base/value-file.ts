// The text of a file that holds one value, as secrets are mounted into containers.
import { readFileSync, statSync } from 'node:fs'

/** Far more than any secret; a wrong path must not fill the memory. */
const MOST_BYTES = 65_536

/** The value, or what was expected of the file. */
export type ValueFile = { readonly value: string } | { readonly expected: string }

/**
 * Reads the file anew at each call. One line break at its end is cut off: editors and `echo` put one there.
 *
 * @param file its path, relative to the working directory
 * @returns the value; or what was expected, which names the path and holds nothing of the file
 */
export function readValueFile(file: string): ValueFile {
  try {
    const stat = statSync(file)
    // A pipe would be waited for, and give its text only once.
    if (!stat.isFile()) return expectedOf(file, 'to be a regular file')
    if (stat.size > MOST_BYTES) {
      return expectedOf(file, `to have at most ${MOST_BYTES} bytes`)
    }
    const value = decode(readFileSync(file))
    if (value === undefined) return expectedOf(file, 'to be UTF-8')
    return value === '' ? expectedOf(file, 'not to be empty') : { value }
  } catch (error) {
    return expectedOf(file, `to be readable (${Object(error).code})`)
  }
}

function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '')
  } catch {
    return undefined
  }
}

function expectedOf(file: string, what: string): ValueFile {
  return { expected: `the file ${file} ${what}` }
}
