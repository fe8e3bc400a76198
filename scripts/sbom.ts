// Writes the bill of materials of what a production server runs, as CycloneDX 1.6 (ECMA-424) on standard
// output: `node scripts/sbom.ts`. It says what package-lock.json says and asks nobody. `npm sbom --omit dev`
// leaves out each package that development needs as well.
import { readFileSync } from 'node:fs'

const LOCK_FILE = new URL('../package-lock.json', import.meta.url)

/** What is read of a package in the lock file. */
interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<
    Record<string, { readonly optional?: boolean }>
  >
}

/** A package-lock.json, version 3. */
export interface Lock {
  readonly name: string
  readonly packages: Readonly<Record<string, Locked>>
}

/**
 * The bill of materials: each package that isn't of development alone, with its hashes, its license and what
 * it depends on.
 *
 * @throws Error when a package has no version or no integrity in the lock file
 */
export function sbomOf({ name, packages }: Lock) {
  const { '': root = {}, ...others } = packages
  const production = Object.entries(others).filter(([, { dev }]) => dev !== true)
  const refs = new Map([['', `${name}@${root.version}`]])
  for (const [path] of production) refs.set(path, path)
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': refs.get(''),
        name,
        version: root.version,
        licenses: licensesOf(root),
      },
    },
    components: production.map(([path, locked]) => componentOf(path, locked)),
    dependencies: [...refs].map(([path, ref]) => ({
      ref,
      dependsOn: [
        ...new Set(
          neededBy(packages[path] ?? {}).flatMap(
            needed => refs.get(placeOf(needed, path, packages) ?? '-') ?? [],
          ),
        ),
      ],
    })),
  }
}

function componentOf(path: string, locked: Locked) {
  const { version, integrity, optional } = locked
  if (version === undefined || integrity === undefined) {
    throw new Error(`${path} has no version or integrity in package-lock.json`)
  }
  const fullName = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
  const [name = '', group] = fullName.split('/').reverse()
  return {
    type: 'library',
    'bom-ref': path,
    ...(group !== undefined && { group }),
    name,
    version,
    scope: optional === true ? 'optional' : 'required',
    hashes: integrity.split(' ').map(hashOf),
    licenses: licensesOf(locked),
    // The sign before a scope is escaped, the one before the version isn't.
    purl: `pkg:npm/${fullName.replace('@', '%40')}@${version}`,
  }
}

/** A hash as Subresource Integrity writes it: `sha512-` and base64. */
function hashOf(integrity: string) {
  const [algorithm = '', base64 = ''] = integrity.split('-', 2)
  return {
    alg: algorithm.toUpperCase().replace('SHA', 'SHA-'),
    content: Buffer.from(base64, 'base64').toString('hex'),
  }
}

function licensesOf({ license }: Locked) {
  return license === undefined ? [] : [{ expression: license }]
}

function neededBy({
  dependencies = {},
  optionalDependencies = {},
  peerDependencies = {},
  peerDependenciesMeta = {},
}: Locked): string[] {
  // npm installs a peer, too, where nothing says that it may be missing.
  const peers = Object.keys(peerDependencies).filter(
    name => peerDependenciesMeta[name]?.optional !== true,
  )
  return [...Object.keys(dependencies), ...Object.keys(optionalDependencies), ...peers]
}

/** Where Node finds a package that is asked for from another one's folder; undefined: it isn't there. */
function placeOf(
  name: string,
  from: string,
  packages: Lock['packages'],
): string | undefined {
  const place = from === '' ? `node_modules/${name}` : `${from}/node_modules/${name}`
  if (place in packages) return place
  if (from === '') return undefined
  const outer = from.slice(0, Math.max(0, from.lastIndexOf('node_modules/') - 1))
  return placeOf(name, outer, packages)
}

if (import.meta.main) {
  const sbom = sbomOf(JSON.parse(readFileSync(LOCK_FILE, 'utf8')))
  process.stdout.write(`${JSON.stringify(sbom, undefined, 2)}\n`)
}
