// A SQLite client of the operating system, through Python: the version that Node brings along leaves a
// write-ahead log alone whose user has lost its locks, those before 3.51 remove it when they close.
import { runChild } from '../../support/children.ts'

const READ = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
db.close()
`
const BACK_UP = `
import sqlite3, sys
db, copy = sqlite3.connect(sys.argv[1]), sqlite3.connect(sys.argv[2])
db.backup(copy)
copy.close()
db.close()
`

/** Connects to the file, reads and closes cleanly. */
export async function readByOldSqlite(file: string): Promise<void> {
  await runChild('python3', ['-c', READ, file])
}

/** Copies the file as `sqlite3 FILE ".backup COPY"` does, and closes cleanly. */
export async function backUpByOldSqlite(file: string, copy: string): Promise<void> {
  await runChild('python3', ['-c', BACK_UP, file, copy])
}
