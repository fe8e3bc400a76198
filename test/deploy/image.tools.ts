// The image: built from the Dockerfile, looked at, and put through the process tests as an unprivileged user
// on a read-only root.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { PROJECT, run, runWell } from './support/commands.ts'
import { createBuilder } from './support/image.ts'
import { passProcessTests } from './support/process-tests.ts'

const MEBIBYTE = 1024 * 1024

const builder = await createBuilder()
const image = await builder.build()
const dir = await mkdtemp(join(tmpdir(), 'latchkey-image-'))
t.teardown(async () => {
  await builder.remove()
  await rm(dir, { recursive: true, force: true })
})

t.test('the image says what a platform team asks', async t => {
  const { User, Entrypoint, Cmd, StopSignal, ExposedPorts, Labels, Healthcheck } =
    image.config
  t.match(User, /^[1-9]\d*:[1-9]\d*$/, "a number that is not root's")
  const start = ['node', '--no-maglev', '/app/bin/latchkey.js']
  t.same(Entrypoint, start, 'no shell before Node')
  t.same(Cmd, ['serve'])
  t.equal(StopSignal, 'SIGTERM')
  t.same(Object.keys(ExposedPorts).sort(), ['3000/tcp', '3001/tcp'])
  t.equal(Healthcheck, undefined)
  const { version } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
  t.equal(Labels['org.opencontainers.image.version'], version)
  t.equal(Labels['org.opencontainers.image.revision'], 'test')
  for (const name of ['title', 'description', 'licenses']) {
    t.ok(Labels[`org.opencontainers.image.${name}`], name)
  }
})

t.test(
  'it holds production packages, the source and its bundle, and little else',
  async t => {
    t.ok(
      image.bytesAboveBase < 40 * MEBIBYTE,
      `${Math.round(image.bytesAboveBase / MEBIBYTE)} MiB above the base`,
    )
    const folder = join(image.root, 'app/node_modules')
    const unread = ['*.d.ts', '*.map', '*.d.mts'].flatMap(name => ['-o', '-name', name])
    t.equal(await runWell('find', [folder, ...unread.slice(1)]), '', 'nothing unread')
    const packages = (await runWell('ls', [folder])).split('\n')
    t.ok(packages.includes('fastify'))
    for (const name of ['tap', 'typescript', 'eslint', 'node']) {
      t.notOk(packages.includes(name), `no ${name}`)
    }
    t.same(
      (await runWell('ls', ['-A', join(image.root, 'app')])).trim().split('\n').sort(),
      [
        'LICENSE',
        'bin',
        'bundle',
        'compile-cache',
        'native',
        'node_modules',
        'package.json',
        'src',
      ],
    )
    t.equal(
      await runWell('find', [
        join(image.root, 'app'),
        '(',
        '-perm',
        '/022',
        '-not',
        '-type',
        'l',
        ')',
        '-o',
        '-not',
        '-user',
        '0',
      ]),
      '',
      'nothing that its user could change',
    )
  },
)

t.test('the same lockfile and source give the same image', async t => {
  t.equal((await builder.build()).id, image.id)
})

t.test(
  'its user is nobody of importance and can write nothing but where it was told to',
  async t => {
    const probe = `const fs = require('node:fs')
    const tryWrite = file => {
      try { fs.writeFileSync(file, ''); return 'written' } catch (error) { return error.code }
    }
    const { 1: caps } = /CapEff:\\s*(\\w+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))
    console.log(JSON.stringify({
      pid: process.pid, uid: process.getuid(), groups: process.getgroups(), caps,
      app: tryWrite('/app/x'), root: tryWrite('/x'), tmp: tryWrite('/tmp/x')
    }))`
    const inside = join(PROJECT, 'test/deploy/support/run-image.sh')
    const printed = await runWell(inside, [
      image.root,
      '65532',
      '65532',
      dir,
      '/opt/node/bin/node',
      '--eval',
      probe,
    ])
    t.same(JSON.parse(printed), {
      pid: 1,
      uid: 65532,
      groups: [65532],
      caps: '0000000000000000',
      app: 'EROFS',
      root: 'EROFS',
      tmp: 'written',
    })
  },
)

t.test('it hashes with AVX2 where the processor has it, and alike', async t => {
  const probe = `const { argon2Build } = await import('/app/src/users/hashing/argon2.ts')
    const { argon2: chosen, name, reason } = argon2Build
    const { default: portable } = await import('/app/node_modules/argon2/argon2.cjs')
    const settings = { memoryCost: 19456, timeCost: 2, parallelism: 1 }
    const best = async build => {
      const took = []
      for (let i = 0; i < 12; i++) {
        const at = process.cpuUsage()
        await build.hash('password', settings)
        took.push(process.cpuUsage(at).user)
      }
      return Math.min(...took)
    }
    const alike = [
      await portable.verify(await chosen.hash('password', settings), 'password'),
      await chosen.verify(await portable.hash('password', settings), 'password')
    ]
    console.log(JSON.stringify({ name, reason, alike, ratio: await best(portable) / await best(chosen) }))`
  const inside = join(PROJECT, 'test/deploy/support/run-image.sh')
  const { ratio, ...rest } = JSON.parse(
    await runWell(inside, [
      image.root,
      '65532',
      '65532',
      dir,
      '/opt/node/bin/node',
      '--input-type=module',
      '--eval',
      probe,
    ]),
  )
  const capable = /^flags.*\bavx2\b/m.test(await readFile('/proc/cpuinfo', 'utf8'))
  t.same(
    rest,
    capable
      ? { name: 'avx2', alike: [true, true] }
      : { name: 'portable', reason: 'processor_without_avx2', alike: [true, true] },
  )
  t.comment(
    `argon2 in the image computes ${ratio.toFixed(2)} times the hashes of the portable build`,
  )
})

t.test('the command line is in it', async t => {
  const { code, stdout } = await run(await image.starter(dir, ['--help']), [])
  t.equal(code, 0)
  t.match(stdout, /keys[\s\S]*users/)
})

for (const uid of ['65532', '1000660000']) {
  t.test(`no module is compiled at a start, nor kept, by user ${uid}`, async t => {
    const inside = join(PROJECT, 'test/deploy/support/run-image.sh')
    const start = [
      image.root,
      uid,
      '0',
      dir,
      '/opt/node/bin/node',
      ...image.config.Entrypoint.slice(1),
    ]
    // Not this process's environment: the test runner turns the cache off.
    const env = { NODE_ENV: 'production', NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }
    // Without a configuration the second is refused, once the process's own modules are loaded.
    for (const args of [['users', '--help'], ['serve']]) {
      const { stderr } = await run(inside, [...start, ...args], { env })
      const verdicts = stderr.match(/(?<= was )[a-z ]+(?=, \w+ the in-memory)/g) ?? []
      t.same([...new Set(verdicts)], ['accepted'])
      t.match(stderr, / file:\/\/\/app\/bundle\/cli\.js was accepted/)
      t.notMatch(stderr, / file:\/\/\/app\/src\//, 'it runs the bundle')
      t.ok(verdicts.length < 150, `${verdicts.length} modules of ${args.join(' ')}`)
      t.notMatch(stderr, /Creating temporary file/)
    }
  })
}

t.test('`docker exec CONTAINER latchkey …` finds it on the PATH', async t => {
  const command = await image.execer(dir, ['latchkey', 'users', '--help'])
  const { code, stdout, stderr } = await run(command, [])
  t.equal(code, 0, stderr)
  t.match(stdout, /^Usage: latchkey users/)
})

t.test('the process tests pass against it', async t => {
  await passProcessTests(t, await image.starter(dir), { TMPDIR: dir })
})
