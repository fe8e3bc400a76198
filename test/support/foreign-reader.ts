// A SQLite client in a process of its own, as an operator's back-up or a look at the file is.
import { runChild } from './children.ts'

const READ =
  'const db = new DatabaseSync(file); console.log(db.prepare("SELECT count(*) AS n FROM ' +
  'users").get().n); db.close()'
const BACK_UP =
  'const db = new DatabaseSync(file); backup(db, copy).then(() => db.close())'

/** Connects, counts the accounts and closes cleanly. */
export async function readForeign(file: string): Promise<number> {
  return Number(await foreign(READ, file))
}

/** Copies the file by SQLite's back-up API and closes cleanly. */
export async function backUpForeign(file: string, copy: string): Promise<void> {
  await foreign(BACK_UP, file, copy)
}

async function foreign(work: string, ...args: string[]): Promise<string> {
  const script =
    `const { DatabaseSync, backup } = require('node:sqlite'); const [, file, copy] = process.argv; ` +
    `${work}`
  const { stdout } = await runChild(process.execPath, ['-e', script, ...args])
  return stdout
}
