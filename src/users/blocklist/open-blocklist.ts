// This folder searches the list of breached passwords, in either form that the file may have. It knows no
// rule for passwords. src/core/ opens the list, and the check of new passwords asks it.
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
 * Opens a list; without a file no password is listed.
 *
 * @throws Error with advice when the file can't be read or has neither form
 */
export async function openBlocklist(name: string | undefined): Promise<Blocklist> {
  if (name === undefined) return { isBreached: async () => false, close: async () => {} }
  const file = await open(name)
  try {
    const has = await openSearch(file)
    return { isBreached: password => has(sha1Of(password)), close: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** The SHA-1 by which a list knows a password. */
export function sha1Of(password: string): Buffer {
  return hash('sha1', password.normalize('NFC'), 'buffer')
}

async function openSearch(file: FileHandle) {
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
