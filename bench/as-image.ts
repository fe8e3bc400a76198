// A folder with what the image has of a checkout: its modules in a few files (scripts/bundle).
import { readFileSync } from 'node:fs'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChild } from '../test/support/children.ts'

/** Node's flags for a Latchkey: the image has those of the first line of bin/latchkey.js. */
export function nodeFlags(bin: string): string[] {
  const [first = ''] = readFileSync(bin, 'utf8').split('\n')
  return first.split(' ').filter(word => word.startsWith('--'))
}

/** Makes the folder, which goes with the stack. Needs npm's registry the first time. */
export async function asImage(
  parts: AsyncDisposableStack,
  checkout: string,
): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  for (const name of ['bin', 'src', 'package.json']) {
    await cp(join(checkout, name), join(dir, name), { recursive: true })
  }
  await symlink(join(checkout, 'node_modules'), join(dir, 'node_modules'))
  const tools = join(checkout, 'scripts/bundle')
  await runChild('npm', ['ci', '--prefix', tools, '--ignore-scripts'])
  await runChild(process.execPath, [join(tools, 'bundle.ts'), dir])
  return dir
}
