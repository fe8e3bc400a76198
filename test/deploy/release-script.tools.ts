// What scripts/release builds from, by a builder that only lists what it is given: no engine, no base images.
// release.tools.ts builds in earnest.
import { createPublicKey, verify } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { blockOf } from '../docs/support/blocks.ts'
import { freePort } from '../support/free-port.ts'
import { PROJECT, run, runWell } from './support/commands.ts'

const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'))

/** Writes down the files of its context, and an image that is none. */
const BUILDER = `#!/usr/bin/env bash
case "$1 $2" in
  bud*) (cd "\${!#}" && find . -type f | sort) >"$LISTED"; echo image ;;
  'manifest push')
    folder="\${!#}"; folder="\${folder#oci:}"; folder="\${folder%:*}"
    mkdir -p "$folder"
    echo '{"manifests":[{"digest":"sha256:00"}]}' >"$folder/index.json" ;;
esac
`

/** A project that is committed, with a server of one file, and the script in it. */
async function makeProject(t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-release-script-'))
  t.teardown(() => {
    rmSync(dir, { recursive: true, force: true })
  })
  const project = join(dir, 'project')
  for (const part of [
    '.gitignore',
    '.dockerignore',
    'Dockerfile',
    'helm',
    'package.json',
    'package-lock.json',
    'scripts',
  ]) {
    cpSync(join(PROJECT, part), join(project, part), { recursive: true })
  }
  const put = (file: string, text: string) => {
    mkdirSync(dirname(join(dir, file)), { recursive: true })
    writeFileSync(join(dir, file), text)
  }
  put('project/src/main.ts', '')
  put('builder', BUILDER)
  chmodSync(join(dir, 'builder'), 0o755)
  symlinkSync(join(PROJECT, 'node_modules'), join(project, 'node_modules'))
  const git = ['-C', project, '-c', 'user.name=t', '-c', 'user.email=t@t.example']
  await runWell('git', [...git, 'init', '--quiet'])
  // The link to the packages is no part of it.
  put('project/.git/info/exclude', 'node_modules\n')
  await runWell('git', [...git, 'add', '--all'])
  await runWell('git', [...git, 'commit', '--quiet', '--message', 'release'])
  const listed = join(dir, 'listed')
  return {
    dir,
    put,
    out: join(project, '.release', version),
    listed: () => readFileSync(listed, 'utf8'),
    /** From a folder beside the project. */
    release: (...args: string[]) =>
      run('project/scripts/release', args, {
        cwd: dir,
        env: {
          ...process.env,
          HOME: dir,
          BUILDAH: join(dir, 'builder'),
          LISTED: listed,
        },
      }),
  }
}

t.test('only what is committed gets into image and chart', async t => {
  const { release, put, out, listed } = await makeProject(t)
  put('project/helm/latchkey/prod-values.yaml', 'secret: S\n')
  put('project/helm/latchkey/debug.log', 'ignored by git\n')
  put('project/src/x.ts', '')
  const { code, stderr } = await release()
  t.equal(code, 0, stderr)
  t.match(listed(), './src/main.ts\n')
  t.notMatch(listed(), 'x.ts')
  const chart = await runWell('tar', ['tzf', join(out, `latchkey-${version}.tgz`)])
  t.match(chart, 'latchkey/values.yaml\n')
  t.notMatch(chart, /prod-values|debug\.log/)
})

t.test('a key is named from where one stands', async t => {
  const { dir, release, out } = await makeProject(t)
  const [make = '', use = ''] = blockOf('docs/operations.md', 'openssl ecparam').split(
    '\n',
  )
  await runWell('bash', ['-ec', make], { cwd: dir })
  // The page pushes, too, which release.tools.ts does.
  const [script, ...args] = use.replace(/ --push .*/, '').split(' ')
  t.equal(script, 'scripts/release')
  const { code, stderr } = await release(...args)
  t.equal(code, 0, stderr)
  const publicKey = createPublicKey(readFileSync(join(dir, 'release.key')))
  const sums = readFileSync(join(out, 'sha256sums.txt'))
  const signature = readFileSync(join(out, 'sha256sums.txt.sig'), 'utf8')
  t.ok(verify('sha256', sums, publicKey, Buffer.from(signature, 'base64')))
})

t.test('a key of that name in the project is another one', async t => {
  const { release, put, out } = await makeProject(t)
  put('project/release.key', 'not the one that is meant')
  const { code, stderr } = await release('--key', 'release.key')
  t.equal(code, 1)
  t.match(stderr, /\/release\.key can't be read/)
  t.notOk(existsSync(out))
})

t.test('a login that may not push is noticed before anything is built', async t => {
  const { dir, release, out } = await makeProject(t)
  const place = `127.0.0.1:${await freePort()}/team`
  const { code, stderr } = await release('--push', place)
  t.equal(code, 1)
  t.match(stderr, `scripts/release: ${place}/latchkey: connect ECONNREFUSED`)
  t.match(stderr, /; there is no login for it in \S+\/\.docker\/config\.json, /)
  t.notOk(existsSync(join(dir, 'listed')))
  t.notOk(existsSync(out))
})
