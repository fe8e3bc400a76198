// Compilers that turn an example, or a suite's own source, into a program.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runChild } from './children.ts'
import { ROOT } from './python.ts'

const MINUTES = 60_000

/** A step that builds a program: a command, and what to install when there is none. */
export interface Build {
  readonly name: string
  /** Where the source is; default: the example of that name. */
  readonly source?: string
  readonly command: string
  readonly args: (folder: string) => readonly string[]
  readonly install: string
  readonly env?: Record<string, string>
}

/** Builds a program into a folder that goes with the tests; gives the folder. */
export async function buildProgram({
  name,
  source = join('examples', name),
  command,
  args,
  install,
  env,
}: Build): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `latchkey-${name}-`))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  try {
    await runChild(command, [...args(folder)], {
      cwd: join(ROOT, source),
      env: { ...process.env, ...env },
      timeout: 10 * MINUTES,
    })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error(`${command} is not on the PATH: install ${install}`)
    }
    throw error
  }
  return folder
}
