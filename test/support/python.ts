// Python with the packages that the suites need, made by scripts/python-env.sh.
import { join } from 'node:path'
import { runChild } from './children.ts'

export const ROOT = join(import.meta.dirname, '../..')

/** The path of its interpreter; throws with the script's words when something has to be installed. */
export async function python(): Promise<string> {
  const { stdout } = await runChild(join(ROOT, 'scripts/python-env.sh'))
  return stdout.trim()
}

/**
 * Runs a script, which writes one JSON text to its standard output; throws what it wrote to standard error
 * when it fails.
 */
export async function runPython(
  interpreter: string,
  script: string,
  env: Record<string, string>,
): Promise<any> {
  const { PATH } = process.env
  const { stdout } = await runChild(interpreter, [join(ROOT, script)], {
    env: { PATH, PYTHONWARNINGS: 'error', ...env },
    timeout: 60_000,
  })
  return JSON.parse(stdout)
}
