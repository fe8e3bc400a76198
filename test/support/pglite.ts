// A PostgreSQL of one process, without a server's programs: the real one, compiled to WebAssembly, behind a
// socket. It has one connection at a time. What takes several asks a server of Debian's (databases.ts).
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import type { SqlServer } from '../../src/base/sql/server.ts'
import { freePort } from './free-port.ts'

/** A database in memory. */
export interface TestPostgres {
  readonly server: SqlServer
  /** Runs a statement beside its users. */
  run(sql: string): Promise<unknown[]>
  /** Lets nobody in any more, or again. */
  away(): Promise<void>
  back(): Promise<void>
  stop(): Promise<void>
}

const ROOT = join(import.meta.dirname, '../..')
const BUILDS = join(ROOT, '.tap/builds')

let fresh: Promise<Blob> | undefined

/** Starts one: a copy of the first that was ever made, as making one takes ten times as long. */
export async function startPglite(): Promise<TestPostgres> {
  fresh ??= openFresh()
  const db = await PGlite.create({ loadDataDir: await fresh })
  const port = await freePort()
  let listener: PGLiteSocketServer | undefined
  const running = {
    server: {
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      plaintext: false,
      connections: 1,
      timeout: 20_000,
    },
    run: async (sql: string) => (await db.query(sql)).rows,
    async away() {
      await listener?.stop()
      listener = undefined
    },
    async back() {
      listener = new PGLiteSocketServer({
        db,
        port,
        host: '127.0.0.1',
        maxConnections: 8,
      })
      await listener.start()
    },
    async stop() {
      await running.away()
      await db.close()
    },
  }
  await running.back()
  return running
}

/** A database without anything, as this version of PGlite makes it. */
async function openFresh(): Promise<Blob> {
  const manifest = join(ROOT, 'node_modules/@electric-sql/pglite/package.json')
  const { version } = JSON.parse(await readFile(manifest, 'utf8'))
  const file = join(BUILDS, `pglite-${version}.tar`)
  return readFile(file).then(
    bytes => new Blob([bytes]),
    () => makeFresh(file),
  )
}

async function makeFresh(file: string): Promise<Blob> {
  const db = await PGlite.create()
  const copy = await db.dumpDataDir('none')
  await db.close()
  await mkdir(BUILDS, { recursive: true })
  // Whoever reads it meanwhile finds the whole file, or none.
  const own = `${file}.${process.pid}`
  await writeFile(own, copy.stream())
  await rename(own, file)
  return copy
}
