// The list of breached passwords, in whichever of the two forms the file has.
import { hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import type { IsBreached } from '../new-password.ts'
import { FILTER_MAGIC, openFilter } from './filter.ts'
import { openSortedFile, SHA1_LINE } from './sorted-file.ts'

/** An open list. */
export interface Blocklist {
  readonly isBreached: IsBreached
  close(): Promise<void>
}

const FIRST_LINE_BYTES = 64

/**
 * Opens a list; no file: nothing is listed.
 *
 * @throws Error, which says what to do, when the file can't be read or is neither of both
 */
export async function openBlocklist(name: string | undefined): Promise<Blocklist> {
  if (name === undefined) return { isBreached: async () => false, close: async () => {} }
  const file = await open(name)
  try {
    const has = await questionOf(file)
    return { isBreached: password => has(sha1Of(password)), close: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** What a list keeps of a password. */
export function sha1Of(password: string): Buffer {
  return hash('sha1', password.normalize('NFC'), 'buffer')
}

async function questionOf(file: FileHandle) {
  const { buffer, bytesRead } = await file.read(
    Buffer.alloc(FIRST_LINE_BYTES),
    0,
    FIRST_LINE_BYTES,
    0,
  )
  const start = buffer.toString('latin1', 0, bytesRead)
  if (start.startsWith(FILTER_MAGIC)) return openFilter(file)
  if (SHA1_LINE.test(start.replace(/\n[^]*$/, ''))) return openSortedFile(file)
  throw new Error(
    'the blocklist is neither a sorted list of SHA-1 lines nor a filter: make one of it (latchkey ' +
      'passwords blocklist build)',
  )
}
