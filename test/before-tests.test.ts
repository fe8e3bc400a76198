// What `npm test` does before the tests: it brings Redis and curl where it may, and says what to type where
// it may not.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'

const SCRIPT = join(import.meta.dirname, '../scripts/before-tests.ts')
const IS_ROOT = process.getuid?.() === 0

/** Runs the script where the PATH holds these programs and no others. */
function run(t: Test, programs: Record<string, string>) {
  const bin = t.testdir({})
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  const ran = spawnSync(process.execPath, [SCRIPT], {
    encoding: 'utf8',
    env: { PATH: bin },
    timeout: 60_000,
  })
  return { ...ran, bin }
}

/** A package manager that writes down what it is asked, and installs when it is asked to. */
const manager = (command: string) =>
  `cd "$(/usr/bin/dirname "$0")"\necho "$@" >>asked\n` +
  [
    [command, 'redis-server'],
    ['curl', 'curl'],
  ]
    .map(
      ([word, program]) =>
        `case "$*" in *${word}*) echo '#!/bin/sh' >${program}; /bin/chmod +x ${program};; esac`,
    )
    .join('\n')

t.test('with both of them there it only says how long the tests take', async t => {
  const { status, stdout, stderr } = run(t, {
    'redis-server': 'exit 0',
    curl: 'exit 0',
  })
  t.equal(status, 0)
  t.match(stdout, /^The tests take .* minutes/)
  t.equal(stderr, '')
})

for (const { name, installer, asks, types } of [
  {
    name: 'Debian',
    installer: 'apt-get',
    asks: 'update -qq\ninstall -y -qq redis-server curl\n',
    types: 'sudo apt-get install redis-server curl',
  },
  {
    name: 'Fedora',
    installer: 'dnf',
    asks: 'install -y -q redis curl\n',
    types: 'sudo dnf install redis curl',
  },
  {
    name: 'Alpine',
    installer: 'apk',
    asks: 'add --quiet redis curl\n',
    types: 'sudo apk add redis curl',
  },
]) {
  t.test(`on ${name} root gets what is missing, and others what to type`, async t => {
    const { status, stdout, stderr, bin } = run(t, { [installer]: manager('redis') })
    if (IS_ROOT) {
      t.equal(status, 0, stderr)
      t.equal(readFileSync(join(bin, 'asked'), 'utf8'), asks)
      t.match(stdout, `installing by ${installer}`)
    } else {
      t.equal(status, 1)
      t.equal(stderr, `npm test needs redis-server and curl on the PATH: ${types}\n`)
      t.notOk(existsSync(join(bin, 'asked')))
    }
  })
}

t.test('Homebrew serves users, and root is told what to type', async t => {
  const { status, stderr, stdout } = run(t, { brew: manager('redis') })
  t.equal(status, IS_ROOT ? 1 : 0)
  t.match(IS_ROOT ? stderr : stdout, IS_ROOT ? ': brew install redis curl\n' : 'by brew')
})

t.test('an installer that brings nothing, and none at all', async t => {
  const idle = run(t, { 'apt-get': 'exit 0' })
  t.equal(idle.status, 1)
  t.match(idle.stderr, 'needs redis-server and curl')
  const broken = run(t, { 'apt-get': 'exit 1' })
  t.equal(broken.status, 1)
  if (IS_ROOT) {
    t.match(broken.stderr, 'apt-get install -y -qq redis-server curl brought none')
  }
  const stale = run(t, {
    'apt-get': `${manager('install')}\ncase "$*" in update*) exit 100;; esac`,
  })
  t.equal(stale.status, IS_ROOT ? 0 : 1, stale.stderr)
  const half = run(t, { 'apt-get': manager('redis'), curl: 'exit 0' })
  t.equal(half.status, IS_ROOT ? 0 : 1, 'what is there is not asked for')
  if (IS_ROOT) t.notMatch(readFileSync(join(half.bin, 'asked'), 'utf8'), 'curl')
  const none = run(t, {})
  t.equal(none.status, 1)
  t.match(none.stderr, "install what is missing by your system's package manager")
})
