// The program as a process, and what it says about failures.
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { pageText } from '../../scripts/cli-page.ts'
import { run } from '../../src/cli/main.ts'
import { failureOf } from '../../src/cli/terminal/refused.ts'
import { invalidRequest, temporarilyUnavailable } from '../../src/oauth/errors.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { startChild } from '../support/children.ts'
import { PATIENCE_MS } from '../support/until.ts'

const BIN = fileURLToPath(new URL('../../bin/latchkey.js', import.meta.url))

t.test('bin/latchkey.js runs commands and exits with their code', async t => {
  const options = {
    encoding: 'utf8',
    cwd: t.testdir(),
    env: { ...process.env, LATCHKEY_CONFIG: '' },
    input: 'correct horse battery staple\n',
  } as const
  t.match(spawnSync(process.execPath, [BIN, 'clients', 'secret', '--json'], options), {
    status: 0,
    stdout: /^\{"secret":"/,
    stderr: '',
  })
  t.match(spawnSync(process.execPath, [BIN, 'users', 'add', 'alice'], options), {
    status: 0,
    stdout: /^alice is added/,
  })
  t.match(spawnSync(process.execPath, [BIN, 'users', 'show', 'bob'], options), {
    status: 1,
    stderr: 'latchkey: user unknown: bob\n',
  })
  t.match(spawnSync(process.execPath, [BIN, 'nonsense'], options), { status: 2 })
})

t.test(
  'a command ends when it has read its line, though the pipe stays open',
  async t => {
    const child = startChild(process.execPath, [BIN, 'users', 'add', 'alice'], {
      cwd: t.testdir(),
      env: { ...process.env, LATCHKEY_CONFIG: '' },
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const timer = setTimeout(() => child.kill(), PATIENCE_MS)
    child.stdin.write('correct horse battery staple\n')
    const [code] = await once(child, 'close')
    clearTimeout(timer)
    t.equal(code, 0)
  },
)

t.test('a pipe that closes early is no fault', async t => {
  const child = startChild(process.execPath, [BIN, '--help'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  const errors: string[] = []
  child.stderr.on('data', chunk => errors.push(String(chunk)))
  const [code] = await once(child, 'close')
  t.equal(code, 0)
  t.strictSame(errors, [])
})

t.test('an old Node is told in one line what to do', async t => {
  const source = readFileSync(BIN, 'utf8').replace('process.versions.node', '"22.1.0"')
  t.match(
    spawnSync(
      process.execPath,
      ['--input-type=module', '-e', source.replace(/^#!.*/, '')],
      { encoding: 'utf8' },
    ),
    { status: 1, stdout: '', stderr: /^latchkey needs Node.js 24 or newer.*\n$/ },
  )
})

t.test('docs/cli.md has every command as --help tells of it', async t => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
  t.equal(page, await pageText(page), 'run node scripts/cli-page.ts')
  const commands = [...page.matchAll(/^\| `(\w+(?: [\w-]+)?)/gm)].map(
    ([, command]) => command,
  )
  t.ok(commands.length >= 20, `${commands.length} commands`)
  for (const [, example = ''] of page.matchAll(
    /^(?:.*\| )?latchkey (\w+(?: [\w-]+)?)/gm,
  )) {
    t.ok(
      commands.some(command => example.startsWith(String(command))),
      `an example of a command that exists: ${example}`,
    )
  }
})

t.test('help is as wide as the terminal, and 80 characters without one', async t => {
  const widest = async (columns?: number) => {
    let text = ''
    const stdout = new Writable({
      write(chunk, _encoding, done) {
        text += String(chunk)
        done()
      },
    })
    await run(['keys', 'status', '--help'], {
      stdin: Readable.from([]),
      stdout,
      stderr: stdout,
      env: {},
      isTTY: false,
      columns,
    })
    const [, options = ''] = /Global Options:\n([^]*?)\n\n/.exec(text) ?? []
    return Math.max(...options.split('\n').map(line => line.length))
  }
  t.ok((await widest()) <= 80)
  t.ok((await widest()) > 60)
  t.ok((await widest(60)) <= 60)
  t.ok((await widest(200)) > 80)
})

t.test('failures are named without what a driver says', async t => {
  const rows: [unknown, object][] = [
    [
      new StoreUnavailable(new Error('redis://:password@host'), 'nobody is there'),
      {
        error: 'store_unavailable',
        message: 'the store is unavailable: nobody is there',
      },
    ],
    [temporarilyUnavailable('hash_queue_full'), { error: 'hash_queue_full' }],
    [invalidRequest('no'), { error: 'malformed_request' }],
    [new Error('what'), { error: 'failed', message: 'what' }],
    ['what', { error: 'failed', message: 'what' }],
  ]
  for (const [error, expected] of rows) t.match(failureOf(error), expected)
})
