// The key ring in SQLite: one row, replaced when its version is the expected one.
import type { DatabaseSync } from 'node:sqlite'
import type { Keys, StoredKey, StoredRing } from '../ports.ts'
import { reading, writing } from './database.ts'
import type { Row } from './rows.ts'

export function createSqliteKeys (db: DatabaseSync): Keys {
  const select = db.prepare('SELECT version, keys FROM ring')
  const update = db.prepare('UPDATE ring SET version = version + 1, keys = ? WHERE version = ?')

  return {
    load: () => reading(() => ringOf(select.get())),
    save: ({ version, keys }) => writing(db, () => update.run(JSON.stringify(keys), version).changes === 1),
  }
}

/** The row is there from the first migration on. */
function ringOf (row: Row | undefined): StoredRing {
  const keys: readonly StoredKey[] = JSON.parse(String(row?.['keys']))
  return { version: Number(row?.['version']), keys }
}
