// Compilers that turn an example, or a suite's own source, into a program. A program is built once: it stays
// in .tap/builds, and whoever needs it next takes it from there.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runChild, startChild } from './children.ts'
import { ROOT } from './python.ts'

const MINUTES = 60_000
/** How long one waits for another that builds; a machine that is merely busy takes some minutes. */
const LOCK_SECONDS = 1_200
const BUILDS = join(ROOT, '.tap/builds')
/** What a build may have left in its source. */
const NO_SOURCES = ['target', 'node_modules', 'dist']
/**
 * Crates that two programs share are compiled once: in one folder, with the same profile. What is built for a
 * test needs neither symbols nor what a second build would be made faster by.
 */
const CARGO = {
  CARGO_TARGET_DIR: join(BUILDS, 'cargo'),
  CARGO_PROFILE_DEV_DEBUG: 'false',
  CARGO_INCREMENTAL: '0',
}

/** A step that builds a program: a command, and what to install when there is none. */
export interface Build {
  readonly name: string
  /** Where the source is; default: the example of that name. */
  readonly source?: string
  readonly command: string
  /** Cargo needs no folder: its programs are in `CARGO_PROGRAMS`. */
  readonly args: (folder: string) => readonly string[]
  /** A command for the shell, in the folder, after the first one. */
  readonly then?: string
  readonly install: string
  readonly env?: Record<string, string>
}

/** Where Cargo puts its programs. */
export const CARGO_PROGRAMS = join(CARGO.CARGO_TARGET_DIR, 'debug')

/**
 * Builds a program unless it was built of the same source by the same command; gives its folder. Suites that
 * ask at the same time wait for each other, as compilers share their caches and Maven takes no other beside
 * itself. Rejects with what to install where the compiler isn't there.
 */
export async function buildProgram(build: Build): Promise<string> {
  const folder = join(BUILDS, build.name)
  const stamp = `${folder}.made-of`
  const madeOf = await digestOf(build, folder)
  const isMade = async () =>
    (await readFile(stamp, 'utf8').catch(() => undefined)) === madeOf
  if (await isMade()) return folder
  await mkdir(BUILDS, { recursive: true })
  const release = await lock(join(BUILDS, `${build.command}.lock`))
  try {
    if (await isMade()) return folder
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder)
    await run(build, folder)
    await writeFile(stamp, madeOf)
  } finally {
    await release()
  }
  return folder
}

async function run(
  { name, source = join('examples', name), command, args, then, install, env }: Build,
  folder: string,
): Promise<void> {
  const options = { env: { ...process.env, ...CARGO, ...env }, timeout: 15 * MINUTES }
  try {
    await runChild(command, [...args(folder)], { ...options, cwd: join(ROOT, source) })
    if (then !== undefined) {
      await runChild('sh', ['-c', then], { ...options, cwd: folder })
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error(`${command} is not on the PATH: install ${install}`)
    }
    throw error
  }
}

/** What a program is made of: the commands, and every file of its source. */
async function digestOf(
  { name, source = join('examples', name), command, args, then, env }: Build,
  folder: string,
): Promise<string> {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([command, args(folder), then, env, CARGO]))
  const entries = await readdir(join(ROOT, source), {
    recursive: true,
    withFileTypes: true,
  })
  const files = entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .filter(file => !NO_SOURCES.some(part => file.includes(`/${part}/`)))
  for (const file of files.sort()) hash.update(`\n${file}\n`).update(await readFile(file))
  return hash.digest('hex')
}

/**
 * Takes a lock between processes; gives what gives it back, which the end of this process does, too. Where
 * there is no `flock` (macOS), suites that build at the same time aren't kept apart.
 */
async function lock(file: string): Promise<() => Promise<void>> {
  const holder = startChild(
    'flock',
    ['--wait', String(LOCK_SECONDS), file, 'sh', '-c', 'echo held; exec cat'],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  holder.stdin.on('error', () => {})
  const closed = once(holder, 'close').catch(() => [])
  const missing = once(holder, 'error').then(() => 'missing')
  const outcome = await Promise.race([
    once(holder.stdout, 'data').then(() => 'held'),
    missing,
    closed.then(() => 'busy'),
  ])
  if (outcome === 'busy') {
    throw new Error(`${file}: another build took more than ${LOCK_SECONDS} s`)
  }
  return async () => {
    holder.stdin.end()
    if (outcome === 'held') await closed
  }
}
