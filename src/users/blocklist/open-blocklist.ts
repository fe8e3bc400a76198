// This folder searches the lists of breached passwords, in either form that a file may have. It knows no
// rule for passwords. Whoever composes the core opens them, and the check of new passwords asks.
import { hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { IsBreached } from '../new-password.ts'
import { FILTER_MAGIC, openFilter } from './filter.ts'
import { openSortedFile, SHA1_LINE } from './sorted-file.ts'

/** An open list. */
export interface Blocklist {
  readonly isBreached: IsBreached
  close(): Promise<void>
}

const FIRST_LINE_BYTES = 64

/** What the configuration says of it. */
export interface BlocklistSettings {
  /** A file of the operator's; undefined: none. */
  readonly blocklist?: string | undefined
  /** Whether the most common passwords are refused, too. */
  readonly refuseCommon: boolean
}

/** The most common passwords, as scripts/common-passwords.ts makes them of a public list. */
const COMMON = fileURLToPath(new URL('common-passwords.filter', import.meta.url))

/**
 * Opens the lists; without any no password is listed.
 *
 * @throws Error with advice when a file can't be read or has neither form
 */
export async function openBlocklist({
  blocklist,
  refuseCommon,
}: BlocklistSettings): Promise<Blocklist> {
  const own = await openList(blocklist)
  const common = await openList(refuseCommon ? COMMON : undefined)
  return {
    // The common ones are common in capitals, too.
    isBreached: async password =>
      (await own.isBreached(password)) ||
      (await common.isBreached(password.normalize('NFC').toLowerCase())),
    async close() {
      await Promise.all([own.close(), common.close()])
    },
  }
}

async function openList(name: string | undefined): Promise<Blocklist> {
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
