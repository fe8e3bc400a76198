// A sorted list of SHA-1 lines, as breached passwords are published (`HASH:COUNT`, gigabytes). It is searched
// by bisection, never loaded.
import type { FileHandle } from 'node:fs/promises'

/** The form of its lines. */
export const SHA1_LINE = /^[0-9A-Fa-f]{40}(?::\d+)?\r?$/

const HASH_CHARACTERS = 40
// Longer than any line.
const LINE_BYTES = 96
// A range this short is read as a whole.
const CHUNK_BYTES = 4096
const SAMPLES = 32

/**
 * Makes the search of an open file.
 *
 * @returns whether a SHA-1 is listed; throws when the lines aren't in the order of their hashes
 */
export async function openSortedFile(
  file: FileHandle,
): Promise<(sha1: Buffer) => Promise<boolean>> {
  const { size } = await file.stat()
  await checkOrder(file, size)
  return async sha1 => search(file, size, sha1.toString('hex').toUpperCase())
}

async function search(file: FileHandle, size: number, wanted: string): Promise<boolean> {
  // The wanted line begins between the two.
  let [from, to] = [0, size]
  while (to - from > CHUNK_BYTES) {
    const middle = Math.floor((from + to) / 2)
    const line = await lineAfter(file, middle)
    if (line !== undefined && line < wanted) from = middle
    else to = middle + LINE_BYTES
  }
  // Whole lines: what comes before the first and after the last is too short to be one.
  const text = await read(
    file,
    Math.max(0, from - LINE_BYTES),
    to - from + 2 * LINE_BYTES,
  )
  return text.split('\n').some(line => hashOf(line) === wanted)
}

/** The hash of the first line that begins after `at`; undefined behind the last one. */
async function lineAfter(file: FileHandle, at: number): Promise<string | undefined> {
  const [, line] = (await read(file, at, 2 * LINE_BYTES)).split('\n')
  return line === undefined || line === '' ? undefined : hashOf(line)
}

function hashOf(line: string): string {
  return line.slice(0, HASH_CHARACTERS).toUpperCase()
}

async function read(file: FileHandle, at: number, length: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
  return buffer.toString('latin1', 0, bytesRead)
}

// The same list is published in the order of how often a password was seen, too.
async function checkOrder(file: FileHandle, size: number): Promise<void> {
  let last = (await read(file, 0, HASH_CHARACTERS)).toUpperCase()
  for (let sample = 1; sample < SAMPLES; sample++) {
    const line = await lineAfter(file, Math.floor((size / SAMPLES) * sample))
    if (line === undefined) return
    if (!SHA1_LINE.test(line)) {
      throw new Error('the blocklist holds lines that are no SHA-1')
    }
    if (line < last) {
      throw new Error(
        'the blocklist is not in the order of its hashes: get the one that is, or make a filter of ' +
          'it (latchkey passwords blocklist build)',
      )
    }
    last = line
  }
}
