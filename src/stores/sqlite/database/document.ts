// What servers share and replace as a whole, in SQLite: one row each, replaced when its version is the
// expected one.
import type { DatabaseSync } from 'node:sqlite'
import type { Shared, Versioned } from '../../ports/documents/shared.ts'
import { reading, writing } from './database.ts'
import type { Row } from './row.ts'

/** The document of that name; `empty` stands for one that was never saved. */
export function createSqliteDocument<Content extends Versioned>(
  db: DatabaseSync,
  name: string,
  empty: Content,
): Shared<Content> {
  const select = db.prepare('SELECT version, content FROM documents WHERE name = ?')
  const insert = db.prepare(
    'INSERT INTO documents (name, version, content) VALUES (?, 1, ?) ON CONFLICT DO NOTHING',
  )
  const update = db.prepare(
    'UPDATE documents SET version = version + 1, content = ? WHERE name = ? AND version = ?',
  )

  return {
    load: () => reading(db, () => documentOf(select.get(name), empty)),
    save: ({ version, ...content }) =>
      writing(db, () => {
        const text = JSON.stringify(content)
        const { changes } =
          version === 0 ? insert.run(name, text) : update.run(text, name, version)
        return changes === 1
      }),
  }
}

function documentOf<Content extends Versioned>(
  row: Row | undefined,
  empty: Content,
): Content {
  return row === undefined
    ? empty
    : { ...empty, ...JSON.parse(String(row['content'])), version: Number(row['version']) }
}
