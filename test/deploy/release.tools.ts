// scripts/release against a real registry on loopback: what is in it afterwards is read back and verified as
// cosign, helm and a container engine would.
import { generateKeyPairSync, verify } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { projectFiles } from '../../scripts/project-files.ts'
import { digestOf } from '../../scripts/publishing/oci.ts'
import { startChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { until } from '../support/until.ts'
import { PROJECT, run, runWell } from './support/commands.ts'
import { createBuilder } from './support/image.ts'

const dir = await mkdtemp(join(tmpdir(), 'latchkey-release-'))
const builder = await createBuilder()
const port = await freePort()
const place = `localhost:${port}`
const registry = startChild('registry', ['-port', String(port)], { stdio: 'ignore' })
t.teardown(async () => {
  registry.kill('SIGTERM')
  if (registry.exitCode === null) await once(registry, 'exit')
  await builder.remove()
  await rm(dir, { recursive: true, force: true })
})
const url = `http://${place}/v2`
await until(async () => (await fetch(`${url}/`).catch(() => {}))?.ok === true)

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const keyFile = join(dir, 'cosign.key')
await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }))
const { version } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
const copy = join(dir, 'copy')

/** The script in a clean copy of the project. */
const release = (args: readonly string[]) =>
  run('scripts/release', args, {
    cwd: copy,
    timeout: 600_000,
    env: { ...process.env, ...builder.release },
  })

t.before(async () => {
  await mkdir(copy)
  for (const file of projectFiles(PROJECT)) {
    await mkdir(dirname(join(copy, file)), { recursive: true })
    await cp(join(PROJECT, file), join(copy, file))
  }
  await symlink(join(PROJECT, 'node_modules'), join(copy, 'node_modules'))
  const git = ['-C', copy, '-c', 'user.name=t', '-c', 'user.email=t@t.example']
  await runWell('git', ['-C', copy, 'init', '--quiet'])
  await runWell('git', [...git, 'add', '--all'])
  await runWell('git', [...git, 'commit', '--quiet', '--message', 'release'])
})

const get = async (path: string) => {
  const answer = await fetch(`${url}/${path}`, {
    headers: { accept: '*/*' },
  })
  t.equal(answer.status, 200, path)
  return Buffer.from(await answer.arrayBuffer())
}
const json = async (path: string): Promise<any> => JSON.parse(String(await get(path)))
const tagOf = (digest: string, kind: string) => `${digest.replace(':', '-')}.${kind}`

t.test('image, chart, bill, provenance and signatures are in the registry', async t => {
  const { code, stdout, stderr } = await release(['--key', keyFile, '--push', place])
  t.equal(code, 0, stdout + stderr)
  const out = join(copy, '.release', version)

  const indexBytes = await get(`latchkey/manifests/${version}`)
  const index = JSON.parse(String(indexBytes))
  t.same(index.manifests.map(({ platform }: any) => platform.architecture).sort(), [
    'amd64',
    'arm64',
  ])
  for (const { digest, platform } of index.manifests) {
    const { config, layers } = await json(`latchkey/manifests/${digest}`)
    const { architecture, config: image } = await json(`latchkey/blobs/${config.digest}`)
    t.equal(architecture, platform.architecture)
    t.match(image.Labels, {
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.revision': /^[0-9a-f]{40}$/,
      'org.opencontainers.image.source': /^https:/,
      'org.opencontainers.image.base.name': /./,
    })
    for (const layer of layers) {
      t.equal(digestOf(await get(`latchkey/blobs/${layer.digest}`)), layer.digest)
    }
  }

  const digest = digestOf(indexBytes)
  const signature = await json(`latchkey/manifests/${tagOf(digest, 'sig')}`)
  const [layer] = signature.layers
  const payload = await get(`latchkey/blobs/${layer.digest}`)
  t.match(JSON.parse(String(payload)).critical.image, {
    'docker-manifest-digest': digest,
  })
  const signed = Buffer.from(
    layer.annotations['dev.cosignproject.cosign/signature'],
    'base64',
  )
  t.ok(verify('sha256', payload, publicKey, signed), 'as cosign signs')

  const attached = await json(`latchkey/manifests/${tagOf(digest, 'att')}`)
  const types: string[] = []
  for (const { digest: blob } of attached.layers) {
    const envelope = await json(`latchkey/blobs/${blob}`)
    const body = Buffer.from(envelope.payload, 'base64')
    const head = `DSSEv1 ${envelope.payloadType.length} ${envelope.payloadType} ${body.length} `
    t.ok(
      verify(
        'sha256',
        Buffer.concat([Buffer.from(head), body]),
        publicKey,
        Buffer.from(envelope.signatures[0].sig, 'base64'),
      ),
    )
    const statement = JSON.parse(String(body))
    t.equal(`sha256:${statement.subject[0].digest.sha256}`, digest)
    types.push(statement.predicateType)
  }
  t.same(types, ['https://slsa.dev/provenance/v1', 'https://cyclonedx.org/bom'])

  const provenance = JSON.parse(
    await readFile(join(out, 'provenance.intoto.json'), 'utf8'),
  )
  t.match(provenance, {
    _type: 'https://in-toto.io/Statement/v1',
    predicate: {
      buildDefinition: {
        externalParameters: { version, platforms: ['linux/amd64', 'linux/arm64'] },
        resolvedDependencies: [{ digest: { gitCommit: /^[0-9a-f]{40}$/ } }, {}, {}],
      },
    },
  })
  await runWell('sha256sum', ['--check', '--quiet', 'sha256sums.txt'], { cwd: out })
  await writeFile(join(dir, 'pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  await writeFile(
    join(dir, 'sig'),
    Buffer.from(await readFile(join(out, 'sha256sums.txt.sig'), 'utf8'), 'base64'),
  )
  t.match(
    await runWell(
      'openssl',
      [
        'dgst',
        '-sha256',
        '-verify',
        join(dir, 'pub'),
        '-signature',
        join(dir, 'sig'),
      ].concat('sha256sums.txt'),
      { cwd: out },
    ),
    'Verified OK',
  )

  await runWell('helm', [
    'pull',
    `oci://${place}/charts/latchkey`,
    '--version',
    version,
    '--plain-http',
    '--destination',
    dir,
  ])
  const pulled = await readFile(join(dir, `latchkey-${version}.tgz`))
  t.same(pulled, await readFile(join(out, `latchkey-${version}.tgz`)))
  const inside = await runWell('tar', ['tzf', join(dir, `latchkey-${version}.tgz`)])
  for (const name of ['LICENSE', 'README.md', 'Chart.yaml', 'values.schema.json']) {
    t.match(inside, `latchkey/${name}\n`)
  }
  t.notMatch(inside, /\/ci\//)
})

t.test('it says what is missing before it builds anything', async t => {
  const unknown = await release(['--loud'])
  t.not(unknown.code, 0)
  t.match(unknown.stderr, 'unknown argument --loud')
  t.match((await release(['--key', '/nowhere'])).stderr, "can't be read")
  const chart = join(copy, 'helm/latchkey/Chart.yaml')
  const text = await readFile(chart, 'utf8')
  await writeFile(chart, text.replace(/^version: .*$/m, 'version: 9.9.9'))
  t.match((await release([])).stderr, 'version of helm/latchkey/Chart.yaml is not')
  await writeFile(chart, `${text}\n`)
  t.match((await release([])).stderr, 'not committed')
})
