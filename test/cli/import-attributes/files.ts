// The files of other systems, in the form in which those write them. Their people are made up.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Table {
  readonly delimiter: string
  /** The first one is the head. */
  readonly rows: readonly (readonly string[])[]
}

const TABLES: Readonly<Record<string, Table>> = JSON.parse(
  readFileSync(join(import.meta.dirname, 'tables.json'), 'utf8'),
)

/** The path of a file; a table is written into the folder first. */
export function fileOf(name: string, folder: string): string {
  const table = TABLES[name]
  if (table === undefined) return join(import.meta.dirname, name)
  const { delimiter, rows } = table
  const cell = (text: string) => `"${text.replaceAll('"', '""')}"`
  const file = join(folder, name)
  writeFileSync(file, rows.map(row => row.map(cell).join(delimiter)).join('\n'))
  return file
}
