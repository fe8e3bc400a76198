// Whether the pages of a file are sound.
import type { DatabaseSync } from 'node:sqlite'
import { DamagedPages } from './faults.ts'

/** So much is read in a quarter of a second, and holds some 300,000 sessions. */
export const CHECKED_BYTES = 64 * 2 ** 20

/**
 * Reads every page, unless they are more than so many bytes: a start must not take minutes. SQLite looks at
 * the beginning and at the length of a file whenever it opens one, so a larger one is neither cut short nor
 * something else; a damaged page in it is found by whoever needs it.
 *
 * @throws DamagedPages, or SQLite's error
 */
export function checkPages(db: DatabaseSync, upTo: number): void {
  if (pragma(db, 'page_count') * pragma(db, 'page_size') > upTo) return
  const found = String(db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'])
  if (found !== 'ok') throw new DamagedPages(found)
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name])
}
