// The bill of materials names what a production server runs: every package that package.json's dependencies
// lead to, and none besides.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runChild } from './support/children.ts'
import { sbomOf, type Lock } from '../scripts/sbom.ts'

const ROOT = join(import.meta.dirname, '..')
const lock: Lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))

/** The folders of all packages that `dependencies` lead to, found as Node finds them. */
function production({ packages }: Lock): Set<string> {
  const found = new Set<string>()
  const visit = (folder: string) => {
    const { dependencies, optionalDependencies, peerDependencies } =
      packages[folder] ?? {}
    const { peerDependenciesMeta = {} } = packages[folder] ?? {}
    // npm installs a peer, too, where nothing says that it may be missing.
    const peers = Object.entries(peerDependencies ?? {}).filter(
      ([name]) => peerDependenciesMeta[name]?.optional !== true,
    )
    const wanted = {
      ...dependencies,
      ...optionalDependencies,
      ...Object.fromEntries(peers),
    }
    for (const name of Object.keys(wanted)) {
      const steps = folder.split('/node_modules/')
      const place = steps
        .map((_, depth) => steps.slice(0, steps.length - depth).join('/node_modules/'))
        .map(from => (from === '' ? '' : `${from}/`) + `node_modules/${name}`)
        .concat(`node_modules/${name}`)
        .find(path => path in packages)
      if (place === undefined || found.has(place)) continue
      found.add(place)
      visit(place)
    }
  }
  visit('')
  return found
}

const purlOf = (folder: string) => {
  const name = folder.replace(/^.*node_modules\//, '')
  return `pkg:npm/${name.replace('@', '%40')}@${lock.packages[folder]?.version}`
}

t.test(
  'the packages are those of production, also where development needs them',
  async t => {
    const { stdout } = await runChild(
      process.execPath,
      [join(ROOT, 'scripts/sbom.ts')],
      {},
    )
    const sbom: ReturnType<typeof sbomOf> = JSON.parse(stdout)
    const expected = [...production(lock)]
    t.ok(expected.length > 100, `${expected.length} packages`)
    t.same(
      sbom.components.map(({ purl }) => purl).toSorted(),
      expected.map(purlOf).toSorted(),
    )
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(join(ROOT, 'package.json'), 'utf8'),
    )
    const purls = sbom.components.map(({ purl }) => purl)
    for (const [name, version] of Object.entries(dependencies)) {
      t.ok(purls.includes(`pkg:npm/${name.replace('@', '%40')}@${String(version)}`), name)
    }
    for (const name of ['tap', 'typescript', 'eslint']) {
      t.ok(
        name in devDependencies && !purls.some(purl => purl.includes(`/${name}@`)),
        name,
      )
    }
    t.match(sbom, { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 })
  },
)

t.test('each says what it is, and all hang together', async t => {
  const { metadata, components, dependencies } = sbomOf(lock)
  for (const { purl, version, hashes, licenses } of components) {
    t.match({ version, hashes }, { version: /^\d/, hashes: [{ alg: 'SHA-512' }] }, purl)
    for (const { content } of hashes) t.match(content, /^[\da-f]{128}$/)
    t.equal(licenses.length, 1, 'a license')
  }
  const refs = new Set(components.map(component => component['bom-ref']))
  t.equal(refs.size, components.length)
  const edges = new Map(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
  const reached = new Set<string>()
  const visit = (ref: string) => {
    for (const next of edges.get(ref) ?? []) {
      if (reached.has(next)) continue
      reached.add(next)
      visit(next)
    }
  }
  visit(String(metadata.component['bom-ref']))
  t.same([...reached].toSorted(), [...refs].toSorted())
})

t.test('scopes, folders within folders, and what is optional', async t => {
  const integrity = `sha512-${Buffer.alloc(64).toString('base64')}`
  const packages = {
    '': { version: '1.0.0', dependencies: { '@a/b': '1', c: '2' } },
    'node_modules/@a/b': {
      version: '1.1.1',
      integrity,
      dependencies: { c: '1' },
      optionalDependencies: { d: '1', gone: '1' },
    },
    'node_modules/@a/b/node_modules/c': { version: '1.0.0', integrity, license: 'MIT' },
    'node_modules/c': { version: '2.0.0', integrity },
    'node_modules/d': { version: '3.0.0', integrity, optional: true },
    'node_modules/e': { version: '4.0.0', integrity, dev: true },
  }
  const { components, dependencies } = sbomOf({ name: 'x', packages })
  t.same(
    components.map(({ purl, scope, licenses }) => [purl, scope, licenses]),
    [
      ['pkg:npm/%40a/b@1.1.1', 'required', []],
      ['pkg:npm/c@1.0.0', 'required', [{ expression: 'MIT' }]],
      ['pkg:npm/c@2.0.0', 'required', []],
      ['pkg:npm/d@3.0.0', 'optional', []],
    ],
  )
  t.same(dependencies.slice(0, 2), [
    { ref: 'x@1.0.0', dependsOn: ['node_modules/@a/b', 'node_modules/c'] },
    {
      ref: 'node_modules/@a/b',
      dependsOn: ['node_modules/@a/b/node_modules/c', 'node_modules/d'],
    },
  ])
  t.throws(
    () => sbomOf({ name: 'x', packages: { 'node_modules/f': { version: '1.0.0' } } }),
    { message: 'node_modules/f has no version or integrity in package-lock.json' },
  )
})
