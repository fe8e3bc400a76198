// Which files belong to the project, and that `npm test` finds them in a downloaded archive: without a
// repository, and without git.
import { cpSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { projectFiles } from '../scripts/project-files.ts'
import { runChild } from './support/children.ts'

const ROOT = join(import.meta.dirname, '..')

t.test('all files are listed, but for those that .gitignore names', t => {
  const root = t.testdir({
    '.gitignore': 'node_modules/\n*.log\n# a comment\n/secret\n!kept.log\n',
    '.git': { config: '' },
    '.ci': { run: '' },
    'a.md': '',
    'a.log': '',
    'kept.log': '',
    link: t.fixture('symlink', 'a.md'),
    node_modules: { a: { 'a.md': '' } },
    secret: '',
    src: {
      'a.ts': '',
      secret: '',
      node_modules: { 'b.md': '' },
      deep: { '.b': '' },
    },
    // A second working tree, whose .git is a file.
    tree: { '.git': '', 'c.md': '' },
  })
  t.strictSame(projectFiles(root).sort(), [
    '.ci/run',
    '.gitignore',
    'a.md',
    'kept.log',
    'src/a.ts',
    'src/deep/.b',
    'src/secret',
    'tree/c.md',
  ])
  t.end()
})

t.test('the lint scripts look through an archive, where no git is', async t => {
  const root = t.testdir({
    '.gitignore': 'node_modules\n/ignored/\n',
    'a.md': `${'word '.repeat(40)}\n`,
    'a.lua': `${'-'.repeat(111)}\n`,
    ignored: { 'b.md': 'a  b\n', 'b.lua': '-'.repeat(111) },
    scripts: {},
  })
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
  for (const script of ['line-width.ts', 'markdown.ts', 'project-files.ts']) {
    cpSync(join(ROOT, 'scripts', script), join(root, 'scripts', script))
  }
  /** What a script complains about. */
  const lint = (...args: string[]) =>
    runChild(process.execPath, args, { cwd: root, env: { PATH: '' } }).then(
      () => '',
      ({ stderr }: { stderr: string }) => stderr,
    )
  t.equal(
    await lint('scripts/markdown.ts', '--check'),
    "a.md isn't laid out: run `npm run format`.\n",
  )
  t.strictSame((await lint('scripts/line-width.ts')).trimEnd().split('\n').sort(), [
    'a.lua:1: 111 columns, 110 at most',
    'a.md:1: 200 columns, 110 at most',
  ])
})

t.test('neither the scripts nor the tests of `npm test` start git', async t => {
  // The other suites may: release.tools.ts makes a release of a repository of its own.
  const run = /^(?:scripts\/.*\.(?:js|ts)|test\/.*\.test\.ts)$/
  const files = projectFiles(ROOT).filter(file => run.test(file))
  const word = ['g', 'it'].join('')
  const asks = new RegExp(`['"\`]${word}['"\` ]`)
  t.strictSame(
    files.filter(file => asks.test(readFileSync(join(ROOT, file), 'utf8'))),
    [],
  )
  t.ok(files.length > 100)
})
