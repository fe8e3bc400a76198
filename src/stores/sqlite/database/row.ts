// What SQLite gives for one row.
import type { SQLOutputValue } from 'node:sqlite'

/** A row by its columns. */
export type Row = Record<string, SQLOutputValue>

/** A list of texts that is stored as JSON. */
export function strings(json: SQLOutputValue | undefined): readonly string[] {
  const list: readonly string[] = JSON.parse(String(json))
  return list
}
