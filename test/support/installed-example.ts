// An example of Node's in a folder of its own, as its README says: with the verifier in its packed form, and
// everything that its package.json names, installed by npm.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Test } from 'tap'
import { runChild } from './children.ts'
import { PROGRAMS } from './programs.ts'
import { ROOT } from './python.ts'
import { buildProgram } from './toolchain.ts'

/** Installs the example of that name; gives its folder, which goes when the tests are over. */
export async function installExample(t: Test, name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `latchkey-example-${name}-`))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await cp(join(ROOT, 'examples', name), folder, {
    recursive: true,
    filter: path => basename(path) !== 'node_modules',
  })
  await cp(await buildProgram(PROGRAMS.verifierPackage), folder, { recursive: true })
  await runChild('npm', ['install', '--no-audit', '--no-fund'], { cwd: folder })
  return folder
}
