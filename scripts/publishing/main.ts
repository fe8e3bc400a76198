// The second half of scripts/release: `node scripts/publishing/main.ts OUT` writes checksums, provenance and
// signatures beside what was built in OUT, and pushes all of it where PUSH names a place.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import type { KeyObject } from 'node:crypto'
import { findLogin } from './logins.ts'
import {
  digestOf,
  INDEX,
  openRepository,
  putArtifact,
  type Descriptor,
  type Layer,
  type Repository,
} from './oci.ts'
import {
  CYCLONEDX,
  envelopeOf,
  PROVENANCE,
  provenanceOf,
  readKey,
  signatureOf,
  signedImage,
  statementOf,
  type Subject,
} from './statements.ts'

const HELM_CONFIG = 'application/vnd.cncf.helm.config.v1+json'
const HELM_CHART = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'
const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json'
const DSSE = 'application/vnd.dsse.envelope.v1+json'
const CONFIG = 'application/vnd.oci.image.config.v1+json'
const SIGNATURE = 'dev.cosignproject.cosign/signature'

const { env } = process
const [out = ''] = process.argv.slice(2)
const { VERSION = '', REVISION = '', SOURCE = '', BASES = '', PLATFORMS = '' } = env
const { PUSH = '', KEY = '' } = env
const layout = join(out, 'image')
const blobOf = (digest: string) =>
  readFile(join(layout, 'blobs', digest.replace(':', '/')))

/** What stands beside the image in OUT: chart and bill of materials. */
const files = [`latchkey-${VERSION}.tgz`, `latchkey-${VERSION}.cdx.json`]

async function main(): Promise<void> {
  const { manifests } = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'))
  const image: Descriptor = manifests[0]
  const subjects: Subject[] = [{ name: 'latchkey', digest: image.digest }]
  for (const name of files) {
    subjects.push({ name, digest: digestOf(await readFile(join(out, name))) })
  }
  const build = {
    version: VERSION,
    revision: REVISION,
    source: SOURCE,
    bases: BASES.split(' '),
    platforms: PLATFORMS.split(','),
  }
  const provenance = statementOf(subjects, PROVENANCE, provenanceOf(build))
  await writeFile(
    join(out, 'provenance.intoto.json'),
    `${JSON.stringify(provenance, undefined, 2)}\n`,
  )
  await writeChecksums()
  const key = KEY === '' ? undefined : readKey(await readFile(KEY, 'utf8'))
  if (key !== undefined) await signFiles(key)
  process.stdout.write(`image ${image.digest}\n`)
  if (PUSH !== '') await push(image, { provenance, key })
}

async function writeChecksums(): Promise<void> {
  const names = [...files, 'provenance.intoto.json']
  const lines = await Promise.all(
    names.map(async name => {
      const digest = digestOf(await readFile(join(out, name)))
      return `${digest.slice('sha256:'.length)}  ${name}\n`
    }),
  )
  await writeFile(join(out, 'sha256sums.txt'), lines.join(''))
}

/** One signature covers all files: that of their checksums. */
async function signFiles(key: KeyObject): Promise<void> {
  const sums = await readFile(join(out, 'sha256sums.txt'))
  await writeFile(join(out, 'sha256sums.txt.sig'), `${signatureOf(sums, key)}\n`)
}

interface Said {
  readonly provenance: object
  readonly key: KeyObject | undefined
}

async function open(name: string): Promise<Repository> {
  const { basic } = await findLogin(name, env)
  return openRepository(name, basic)
}

async function push(image: Descriptor, { provenance, key }: Said): Promise<void> {
  const repository = await open(`${PUSH}/latchkey`)
  await pushTree(repository, image)
  await repository.putManifest(VERSION, image.mediaType, await blobOf(image.digest))
  process.stdout.write(`pushed ${PUSH}/latchkey:${VERSION}@${image.digest}\n`)
  const charts = await open(`${PUSH}/charts/latchkey`)
  const chart = await pushChart(charts)
  process.stdout.write(
    `pushed oci://${PUSH}/charts/latchkey:${VERSION}@${chart.digest}\n`,
  )
  if (key === undefined) return
  await signImage(repository, `${PUSH}/latchkey`, { digest: image.digest, key })
  await signImage(charts, `${PUSH}/charts/latchkey`, { digest: chart.digest, key })
  const sbom = JSON.parse(await readFile(join(out, String(files[1])), 'utf8'))
  const about = [{ name: `${PUSH}/latchkey`, digest: image.digest }]
  await putArtifact(repository, tagOf(image.digest, 'att'), {
    config: NO_CONFIG,
    layers: [
      attestation(envelopeOf(provenance, key), PROVENANCE),
      attestation(envelopeOf(statementOf(about, CYCLONEDX, sbom), key), CYCLONEDX),
    ],
  })
}

const NO_CONFIG: Layer = { mediaType: CONFIG, bytes: Buffer.from('{}') }

function attestation(bytes: Buffer, predicateType: string): Layer {
  return {
    mediaType: DSSE,
    bytes,
    annotations: { [SIGNATURE]: '', predicateType },
  }
}

/** Where cosign looks for what belongs to a digest. */
function tagOf(digest: string, kind: 'sig' | 'att'): string {
  return `${digest.replace(':', '-')}.${kind}`
}

async function signImage(
  repository: Repository,
  reference: string,
  { digest, key }: { readonly digest: string; readonly key: KeyObject },
): Promise<void> {
  const bytes = signedImage(reference, digest)
  const annotations = { [SIGNATURE]: signatureOf(bytes, key) }
  const layers = [{ mediaType: SIMPLE_SIGNING, bytes, annotations }]
  await putArtifact(repository, tagOf(digest, 'sig'), { config: NO_CONFIG, layers })
}

/** An image of several platforms is an index of images: all that it leads to goes first. */
async function pushTree(repository: Repository, descriptor: Descriptor): Promise<void> {
  const { mediaType, digest } = descriptor
  const bytes = await blobOf(digest)
  const { manifests = [], config, layers = [] } = JSON.parse(bytes.toString())
  if (mediaType === INDEX) {
    for (const each of manifests) await pushTree(repository, each)
  } else {
    for (const each of [config, ...layers]) {
      await repository.putBlob(await blobOf(each.digest))
    }
  }
  await repository.putManifest(digest, mediaType, bytes)
}

/** The chart as `helm pull oci://…` expects it. */
async function pushChart(repository: Repository): Promise<Descriptor> {
  const config = await readFile(join(out, 'chart.json'))
  const bytes = await readFile(join(out, String(files[0])))
  return await putArtifact(repository, VERSION, {
    config: { mediaType: HELM_CONFIG, bytes: config },
    layers: [{ mediaType: HELM_CHART, bytes }],
  })
}

await main()
