// The packed Latchkey: `npm pack`, installed into an empty folder without development's packages, and put
// through the process tests. No TypeScript is in it: Node strips no types under node_modules.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import t from 'tap'
import { freePortPair } from '../support/free-port.ts'
import { DRIVER, EC, tokenOf } from '../support/pkcs11.ts'
import { postForm, runNode } from '../support/server.ts'
import { PROJECT, run, runWell } from './support/commands.ts'
import { passProcessTests } from './support/process-tests.ts'

const MEBIBYTE = 1024

const dir = await mkdtemp(join(tmpdir(), 'latchkey-package-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))
const app = join(dir, 'app')
await mkdir(app)
const beganAt = performance.now()
/** How long it took until now, since the command that packs it. */
const taken = () =>
  `${((performance.now() - beganAt) / 1000).toFixed(1)} s after \`npm pack\``
await runWell('npm', ['pack', '--pack-destination', dir])
const [tarball = 'no tarball'] = (await readdir(dir)).filter(name =>
  name.endsWith('.tgz'),
)
await runWell('npm', ['install', '--omit=dev', '--prefix', app, join(dir, tarball)])
const installedAfter = taken()
const installed = join(app, 'node_modules/latchkey')
const command = join(app, 'node_modules/.bin/latchkey')

t.test('`latchkey serve` in an empty folder gives the demo user a token', async t => {
  const empty = join(dir, 'empty')
  await mkdir(empty)
  const port = await freePortPair()
  const server = runNode([command, 'serve'], { LATCHKEY_DEV_PORT: String(port) }, empty)
  t.teardown(() => server.stop())
  await server.logged(/Try the API: /)
  const { status, body } = await postForm(`http://127.0.0.1:${port}/token`, {
    grant_type: 'password',
    client_id: 'demo',
    username: 'demo',
    password: await readFile(join(empty, '.latchkey/demo-password'), 'utf8'),
  })
  t.equal(status, 200, JSON.stringify(body))
  t.equal(decodeJwt(String(body['access_token'])).iss, `http://127.0.0.1:${port}`)
  t.comment(`a token ${taken()}; 60 s are wanted, and a busy machine may take longer`)
})

t.test('it holds what runs, no source, and is small', async t => {
  t.same((await readdir(installed)).sort(), [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'bin',
    'dist',
    'package.json',
  ])
  const files = await readdir(installed, { recursive: true })
  t.same(
    files.filter(name => name.endsWith('.ts')),
    [],
  )
  const [kibibytes] = (await runWell('du', ['-sk', app])).split('\t')
  t.ok(Number(kibibytes) < 120 * MEBIBYTE, `${kibibytes} KiB with all that it depends on`)
  t.comment(`installed ${installedAfter}: ${kibibytes} KiB`)
})

t.test('its command is on the PATH of npx and says its version', async t => {
  const { version } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
  t.equal((await runWell(command, ['--version'])).trim(), version)
  t.match(await runWell('npx', ['latchkey', '--help'], { cwd: app }), /serve/)
})

t.test('the programs that it starts beside itself are packed and run', async t => {
  const selfTest = join(installed, 'dist/users/hashing/argon2-self-test.js')
  const argon2 = join(app, 'node_modules/argon2/argon2.cjs')
  t.equal((await run(process.execPath, [selfTest, argon2])).code, 0)
  const { module } = tokenOf(t, [{ label: 'first', pem: EC }])
  const options = {
    driver: DRIVER,
    module,
    token: 'latchkey',
    pin: '1234',
    algorithms: ['ES256'],
    openMs: 60_000,
  }
  const probe = `const { openPkcs11 } = await import('${installed}/dist/keys/external/pkcs11.js')
    const source = await openPkcs11(${JSON.stringify(options)})
    console.log(source.keys().length, 'key')
    await source.close()`
  const file = join(dir, 'probe.mjs')
  await writeFile(file, probe)
  t.equal(
    (await runWell(process.execPath, [file])).trim(),
    '1 key',
    'the process beside it opened the token',
  )
})

t.test('it passes the process tests', async t => {
  const program = join(dir, 'packed')
  await writeFile(
    program,
    `#!/bin/sh\nexec ${process.execPath} ${installed}/bin/latchkey.js serve\n`,
  )
  await chmod(program, 0o755)
  await passProcessTests(t, program)
})
