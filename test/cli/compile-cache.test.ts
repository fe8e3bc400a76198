// The compile cache of bin/latchkey.js: it is filled and read in a folder that is the user's alone, and in no
// other, as whoever writes there decides what the command runs.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { ROOT } from '../support/python.ts'

const CLI = join(ROOT, 'bin/latchkey.js')

/** Runs a command with nothing in its environment but what is given. */
function runWith(env: Record<string, string>): void {
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'clients', 'secret'], {
    env,
    encoding: 'utf8',
  })
  t.equal(status, 0, stderr)
}

/** How many files are in the folder, in those below, too. */
const filesIn = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry =>
        entry.isFile(),
      ).length
    : 0

t.test('modules are kept in the cache folder of the user', async t => {
  const home = t.testdir()
  runWith({ HOME: home })
  const folder = join(home, '.cache/latchkey')
  t.ok(filesIn(folder) > 50, `${filesIn(folder)} files`)
  t.equal(statSync(folder).mode & 0o777, 0o700, 'for the user alone')
  const before = filesIn(folder)
  runWith({ HOME: home })
  t.equal(filesIn(folder), before, 'and read from there')
})

t.test('XDG_CACHE_HOME goes first', async t => {
  const dir = t.testdir({ home: {}, cache: {} })
  runWith({ HOME: join(dir, 'home'), XDG_CACHE_HOME: join(dir, 'cache') })
  t.same(readdirSync(join(dir, 'home')), [])
  t.ok(filesIn(join(dir, 'cache/latchkey')) > 50)
})

/** A copy of bin/ that came with a cache, as the image has one; says which folder it reads, with `env`. */
function readFrom(dir: string, env: Record<string, string>): string {
  cpSync(join(ROOT, 'bin'), join(dir, 'bin'), { recursive: true })
  mkdirSync(join(dir, BROUGHT), { recursive: true })
  const program = `import { realpathSync } from 'node:fs'
    import { getCompileCacheDir } from 'node:module'
    import { useCompileCache } from ${JSON.stringify(join(dir, 'bin/compile-cache.js'))}
    useCompileCache()
    console.log(realpathSync(getCompileCacheDir()))`
  const args = ['--input-type=module', '--eval', program]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    env,
    encoding: 'utf8',
  })
  t.equal(status, 0, stderr)
  return stdout.trim()
}

const BROUGHT = `compile-cache/${process.version}-${process.arch}`

t.test('what came along is read where it is, and nothing is left behind', async t => {
  const dir = t.testdir({ home: {}, tmp: {} })
  const env = { HOME: join(dir, 'home'), TMPDIR: join(dir, 'tmp') }
  t.equal(readFrom(dir, env), join(dir, BROUGHT))
  t.same(readdirSync(join(dir, 'home')), [])
  t.same(readdirSync(join(dir, 'tmp')), [])
})

t.test('it is not looked for where others may write', async t => {
  const dir = t.testdir({ home: {}, tmp: {} })
  chmodSync(join(dir, 'tmp'), 0o777)
  const env = { HOME: join(dir, 'home'), TMPDIR: join(dir, 'tmp') }
  t.equal(readFrom(dir, env), join(dir, BROUGHT), 'by way of shared memory')
  t.same(readdirSync(join(dir, 'tmp')), [])
})

t.test("Node's own setting goes before what came along", async t => {
  const dir = t.testdir({ home: {}, own: {} })
  const env = { HOME: join(dir, 'home'), NODE_COMPILE_CACHE: join(dir, 'own') }
  t.match(readFrom(dir, env), join(dir, 'own/'))
})

const OPEN_TO_OTHERS: Record<string, (home: string) => string> = {
  'that others may write to': home => {
    const folder = join(home, '.cache/latchkey')
    mkdirSync(folder, { recursive: true })
    chmodSync(folder, 0o777)
    return folder
  },
  'below one that others may write to': home => {
    mkdirSync(join(home, '.cache'))
    chmodSync(join(home, '.cache'), 0o777)
    return join(home, '.cache/latchkey')
  },
  'behind a link to one that others may write to': home => {
    const folder = join(home, 'open')
    mkdirSync(folder)
    chmodSync(folder, 0o777)
    mkdirSync(join(home, '.cache'))
    symlinkSync(folder, join(home, '.cache/latchkey'))
    return folder
  },
}

for (const [what, prepare] of Object.entries(OPEN_TO_OTHERS)) {
  t.test(`nothing is kept in a folder ${what}`, async t => {
    const home = t.testdir()
    const folder = prepare(home)
    runWith({ HOME: home })
    t.equal(filesIn(folder), 0)
  })
}

t.test('nothing is kept where coverage is measured, or Node is told not to', async t => {
  const home = t.testdir({ coverage: {} })
  runWith({ HOME: home, NODE_V8_COVERAGE: join(home, 'coverage') })
  runWith({ HOME: home, NODE_DISABLE_COMPILE_CACHE: '1' })
  t.notOk(existsSync(join(home, '.cache')))
})

t.test(
  'a command without a home, or with one that cannot be written to, runs',
  async () => {
    runWith({})
    runWith({ HOME: 'nowhere' })
    runWith({ HOME: '/dev/null' })
  },
)

t.test(
  'every start has the flag of V8 that the cache of an image is filled with',
  async t => {
    const FLAG = '--no-maglev'
    const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
    t.equal(read('bin/latchkey.js').split('\n')[0], `#!/usr/bin/env -S node ${FLAG}`)
    const dockerfile = read('Dockerfile')
    t.match(dockerfile, `ENTRYPOINT ["node", "${FLAG}", "/app/bin/latchkey.js"]`)
    t.match(
      dockerfile,
      new RegExp(`^RUN node ${FLAG} [^&]*scripts/fill-compile-cache`, 'm'),
    )
    const { status, stderr } = spawnSync(CLI, ['clients', 'secret'], {
      env: { PATH: dirname(process.execPath) },
      encoding: 'utf8',
    })
    t.equal(status, 0, stderr)
  },
)
