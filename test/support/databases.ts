// Databases of other systems, each a server of its own on a free port: PostgreSQL, and MariaDB.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { runChild, startChild } from './children.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

/** A database server that runs. */
export interface Database {
  readonly kind: 'postgres' | 'mysql'
  readonly port: number
  /** The URL of a user who may do all. */
  readonly url: string
  /** Runs statements as a user who may do all. */
  run(sql: string): Promise<void>
  /** Stops it at once, or lets it go on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  kill(): Promise<void>
  start(): Promise<void>
}

/** Whom a server may run as: none of them runs as root. */
function userOf(name: string): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string) =>
    Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

function folderFor(t: Test, { uid, gid }: ReturnType<typeof userOf>): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-db-'))
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid)
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly user: ReturnType<typeof userOf>
  /** Whether it takes statements. */
  readonly answers: () => Promise<unknown>
}

/** Starts a program, and again; t.teardown ends it. */
async function keep(t: Test, { command, args, user, answers }: Program) {
  let child: ReturnType<typeof startChild> | undefined
  const running = {
    async start() {
      child = startChild(command, [...args], { stdio: 'ignore', ...user })
      await until(() => answers().then(() => true))
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
        return
      }
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
    signal(name: 'SIGSTOP' | 'SIGCONT') {
      child?.kill(name)
    },
  }
  t.teardown(running.kill)
  await running.start()
  return running
}

/** Where Debian puts the programs of PostgreSQL's server, or the PATH. */
function postgresProgram(name: string): string {
  return globSync(`/usr/lib/postgresql/*/bin/${name}`).toSorted().at(-1) ?? name
}

/** Starts PostgreSQL. */
export async function startPostgres(t: Test): Promise<Database> {
  const user = userOf('postgres')
  const folder = folderFor(t, user)
  const data = join(folder, 'data')
  await runChild(
    postgresProgram('initdb'),
    [
      ...['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'],
      ...['-E', 'UTF8', '--locale=C.UTF-8'],
    ],
    { ...user, cwd: folder },
  )
  return runPostgres(t, { user, folder, data })
}

/** A PostgreSQL that follows another one, until it is promoted. */
export interface Standby extends Database {
  promote(): Promise<void>
}

/** Starts a standby by streaming replication; the primary sees it as `standby`. */
export async function startStandby(t: Test, primary: Database): Promise<Standby> {
  const user = userOf('postgres')
  const folder = folderFor(t, user)
  const data = join(folder, 'data')
  const options = { ...user, cwd: folder }
  const from = `host=127.0.0.1 port=${primary.port} user=postgres application_name=standby`
  await runChild(
    postgresProgram('pg_basebackup'),
    ['-D', data, '-d', from, '-R', '-X', 'stream', '-c', 'fast', '--no-sync'],
    options,
  )
  const running = await runPostgres(t, { user, folder, data })
  return {
    ...running,
    async promote() {
      await runChild(postgresProgram('pg_ctl'), ['promote', '-w', '-D', data], options)
    },
  }
}

interface Cluster {
  readonly user: ReturnType<typeof userOf>
  readonly folder: string
  readonly data: string
}

async function runPostgres(t: Test, { user, folder, data }: Cluster): Promise<Database> {
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const psql = async (sql: string) => {
    await runChild('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', url, '-c', sql])
  }
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    'fsync=off',
    'max_connections=30',
  ]
  const running = await keep(t, {
    command: postgresProgram('postgres'),
    args: ['-D', data, '-p', String(port), ...settings.flatMap(each => ['-c', each])],
    user,
    answers: () => psql('SELECT 1'),
  })
  return { ...running, kind: 'postgres', port, url, run: psql }
}

/** Starts MariaDB. A server that starts clears its folder for temporary files, so each has one of its own. */
export async function startMariaDb(t: Test): Promise<Database> {
  const user = userOf('mysql')
  const folder = folderFor(t, user)
  const [data, port] = [join(folder, 'data'), await freePort()]
  mkdirSync(data)
  if (user.uid !== undefined && user.gid !== undefined) {
    chownSync(data, user.uid, user.gid)
  }
  const socket = join(folder, 'mysqld.sock')
  await runChild(
    'mariadb-install-db',
    [
      '--no-defaults',
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      `--tmpdir=${folder}`,
    ],
    { ...user, cwd: folder },
  )
  const mariadb = async (sql: string) => {
    const where = ['--protocol=socket', `--socket=${socket}`, '-uroot']
    await runChild('mariadb', [
      '--no-defaults',
      ...where,
      '--default-character-set=utf8mb4',
      '-e',
      sql,
    ])
  }
  const running = await keep(t, {
    command: 'mariadbd',
    args: [
      ...[
        '--no-defaults',
        `--datadir=${data}`,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
      ],
      ...[
        `--socket=${socket}`,
        `--pid-file=${join(folder, 'pid')}`,
        `--tmpdir=${folder}`,
        '--skip-name-resolve',
      ],
      '--innodb-flush-log-at-trx-commit=0',
    ],
    user,
    answers: () => mariadb('SELECT 1'),
  })
  await mariadb(
    "CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE USER boss@'127.0.0.1' IDENTIFIED BY 'boss-secret'; " +
      "GRANT ALL ON *.* TO boss@'127.0.0.1' WITH GRANT OPTION",
  )
  const url = `mysql://boss:boss-secret@127.0.0.1:${port}/shop`
  return { ...running, kind: 'mysql', port, url, run: sql => mariadb(`USE shop; ${sql}`) }
}
