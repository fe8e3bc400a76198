// Files that are read anew for every connection, so that a renewed certificate or password needs no
// restart.
import { readFileSync } from 'node:fs'
import { readValueFile, type ValueFile } from '../../../base/value-file.ts'

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
    const code = String(Object(error).code)
    throw new TypeError(`${key}: expected a file that can be read (${code}): ${file}`, {
      cause: error,
    })
  }
}

/**
 * Reads a password from a file, as `rereading` does. One line break at its end, as editors and `echo` put
 * there, is cut off.
 *
 * @param key of the configuration, which names the file
 * @throws TypeError when the file can't be read now, is empty, or has several lines
 */
export function rereadingPassword(key: string, file: string): Reading {
  const first = readPassword(file)
  if ('expected' in first) throw new TypeError(`${key}: expected ${first.expected}`)
  let { value } = first
  return () => {
    const found = readPassword(file)
    // One that is being written may be empty for a moment: the one of before goes on.
    if ('value' in found) value = found.value
    return value
  }
}

function readPassword(file: string): ValueFile {
  const found = readValueFile(file)
  return 'value' in found && /[\r\n]/.test(found.value)
    ? { expected: `the file ${file} to have one line` }
    : found
}
