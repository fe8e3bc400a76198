// What is said of a release, and signed: where it came from (SLSA provenance), what is in it (CycloneDX), and
// that it is ours (cosign's simple signing). All by one key in a PEM file, with nothing asked of anybody.
import { createPrivateKey, sign, type KeyObject } from 'node:crypto'

const STATEMENT = 'https://in-toto.io/Statement/v1'
const PAYLOAD = 'application/vnd.in-toto+json'

export const PROVENANCE = 'https://slsa.dev/provenance/v1'
export const CYCLONEDX = 'https://cyclonedx.org/bom'

/** Something of the release, by name and digest. */
export interface Subject {
  readonly name: string
  /** `sha256:…` */
  readonly digest: string
}

/** What a release was built of. */
export interface Build {
  readonly version: string
  /** The commit. */
  readonly revision: string
  readonly source: string
  /** The images that it stands on, by digest where they were given so. */
  readonly bases: readonly string[]
  readonly platforms: readonly string[]
}

/** An in-toto statement about subjects. */
export function statementOf(
  subjects: readonly Subject[],
  predicateType: string,
  predicate: object,
) {
  return {
    _type: STATEMENT,
    subject: subjects.map(({ name, digest }) => ({
      name,
      digest: { sha256: digest.replace(/^sha256:/, '') },
    })),
    predicateType,
    predicate,
  }
}

/** SLSA's provenance, version 1: what was built, of what, by which script. No time: it would never repeat. */
export function provenanceOf({ version, revision, source, bases, platforms }: Build) {
  return {
    buildDefinition: {
      buildType: `${source}/blob/main/scripts/release`,
      externalParameters: { version, platforms },
      resolvedDependencies: [
        { uri: `git+${source}`, digest: { gitCommit: revision } },
        ...bases.map(dependencyOf),
      ],
    },
    runDetails: { builder: { id: `${source}/blob/main/scripts/release` } },
  }
}

function dependencyOf(image: string) {
  const [name = '', sha256] = image.split('@sha256:')
  return { uri: `docker://${name}`, ...(sha256 !== undefined && { digest: { sha256 } }) }
}

/**
 * Reads the key that signs.
 *
 * @throws Error when it is none, or not of the curve that cosign verifies by default
 */
export function readKey(pem: string): KeyObject {
  const key = createPrivateKey(pem)
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new Error(
      'the key must be an EC key on P-256 (openssl ecparam -name prime256v1 -genkey -noout)',
    )
  }
  return key
}

/** A signature as `cosign verify-blob` reads it: ECDSA with SHA-256, in base64. */
export function signatureOf(bytes: Uint8Array, key: KeyObject): string {
  return sign('sha256', bytes, key).toString('base64')
}

/** What cosign signs in place of an image (containers' simple signing). */
export function signedImage(reference: string, digest: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': reference },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  )
}

/** A statement in its signed envelope (DSSE), as `cosign verify-attestation` reads it. */
export function envelopeOf(statement: object, key: KeyObject): Buffer {
  const payload = Buffer.from(JSON.stringify(statement))
  const head = `DSSEv1 ${PAYLOAD.length} ${PAYLOAD} ${payload.length} `
  return Buffer.from(
    JSON.stringify({
      payloadType: PAYLOAD,
      payload: payload.toString('base64'),
      signatures: [
        { sig: signatureOf(Buffer.concat([Buffer.from(head), payload]), key) },
      ],
    }),
  )
}
