// What a start reads: the bundle where there is one, and of Node only what is used.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { ROOT } from './support/python.ts'

/** Runs Node with nothing in its environment; what it printed, and how it ended. */
const run = (...args: string[]) =>
  spawnSync(process.execPath, args, { env: {}, encoding: 'utf8' })

t.test('no HTTP client of Node comes with a server', async t => {
  const { stdout, stderr } = run(
    '--input-type=module',
    '--eval',
    `await import(${JSON.stringify(`${ROOT}/src/server.ts`)})
    console.log(process.moduleLoadList.map(line => line.split(' ').at(-1)).join('\\n'))`,
  )
  const loaded = stdout.split('\n')
  t.ok(loaded.includes('_http_server'), stderr)
  t.notOk(loaded.includes('internal/deps/undici/undici'))
})

t.test('a command runs the bundle, else the source, else what was packed', async t => {
  const dir = t.testdir()
  cpSync(join(ROOT, 'bin'), join(dir, 'bin'), { recursive: true })
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
  const files = ['bundle/cli.js', 'src/cli/main.ts', 'dist/cli/main.js']
  for (const file of files) {
    mkdirSync(dirname(join(dir, file)), { recursive: true })
    writeFileSync(join(dir, file), `export const main = () => console.log('${file}')`)
  }
  for (const file of files) {
    t.match(run(join(dir, 'bin/latchkey.js')), { stdout: `${file}\n`, stderr: '' })
    rmSync(join(dir, file))
  }
})

t.test(
  'a checkout gets no bundle, which would hide what changes in its source',
  async t => {
    const dir = t.testdir({ '.git': '', bundle: { 'cli.js': '' } })
    const { status, stderr } = run(join(ROOT, 'scripts/bundle/bundle.ts'), dir)
    t.equal(status, 1)
    t.match(stderr, `${dir} is a checkout`)
  },
)
