// PBKDF2 (RFC 8018 §5.2) as Django, Werkzeug, passlib and Spring Security write it. The import rewrites
// Keycloak's hashes into passlib's form.
import { pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { fromAdaptedBase64 } from './adapted-base64.ts'
import { MOST, type StoredHash } from './cost.ts'
import { pattern } from './pattern.ts'

const derive = promisify(pbkdf2)

const DIGEST_BYTES = { sha1: 20, sha256: 32, sha512: 64 } as const
type Digest = keyof typeof DIGEST_BYTES

// pbkdf2_sha256$1000000$salt$base64
const DJANGO = pattern(
  /^pbkdf2_(?<digest>sha1|sha256)\$(?<iterations>[1-9]\d{0,8})/,
  /\$(?<salt>[^$]{1,255})\$(?<hash>[A-Za-z0-9+/]{27,43}=)$/,
)
// pbkdf2:sha256:1000000$salt$hex
const WERKZEUG = pattern(
  /^pbkdf2:(?<digest>[a-z0-9]+):(?<iterations>[1-9]\d{0,8})/,
  /\$(?<salt>[^$]{1,255})\$(?<hash>(?:[0-9a-f]{2}){20,512})$/,
)
// $pbkdf2-sha256$29000$salt$hash, both in base64 with . for + and without padding
const PASSLIB = pattern(
  /^\$pbkdf2(?:-(?<digest>sha256|sha512))?\$(?<iterations>[1-9]\d{0,8})/,
  /\$(?<salt>[A-Za-z0-9./]{0,1366})\$(?<hash>[A-Za-z0-9./]{27,683})$/,
)

// Salt and hash in hex, one after the other; the name in front of them stands for the rest.
const SPRING = /^(?:[0-9a-f]{2}){28,512}$/

interface Pbkdf2Hash {
  readonly digest: Digest
  readonly iterations: number
  readonly salt: Buffer
  readonly hash: Buffer
}

/** Reads a PBKDF2 hash. */
export function readPbkdf2(text: string): StoredHash | undefined {
  const found =
    readWith(text, { form: DJANGO, readSalt: utf8, readHash: base64 }) ??
    readWith(text, { form: WERKZEUG, readSalt: utf8, readHash: hex }) ??
    readWith(text, {
      form: PASSLIB,
      readSalt: fromAdaptedBase64,
      readHash: fromAdaptedBase64,
    })
  return found && stored(found)
}

/** The parameters that one of Spring Security's names stands for. */
export interface SpringPbkdf2 {
  readonly digest: Digest
  readonly iterations: number
  readonly saltBytes: number
}

/** Reads the text after `{pbkdf2…}`. */
export function readSpringPbkdf2(
  text: string,
  { digest, iterations, saltBytes }: SpringPbkdf2,
): StoredHash | undefined {
  if (!SPRING.test(text)) return undefined
  const bytes = hex(text)
  return stored({
    digest,
    iterations,
    salt: bytes.subarray(0, saltBytes),
    hash: bytes.subarray(saltBytes),
  })
}

/**
 * PBKDF2 computes each block of its output separately, each at the cost of all iterations (RFC 8018 §5.2,
 * steps 3 and 4). The first block, of at least 160 bits, is enough to check the password.
 */
function stored({ digest, iterations, salt, hash }: Pbkdf2Hash): StoredHash {
  const first = hash.subarray(0, DIGEST_BYTES[digest])
  return {
    algorithm: `pbkdf2-${digest}`,
    memoryKiB: 1,
    bearable: iterations <= MOST.pbkdf2[digest],
    bounds: `${iterations} iterations, at most ${MOST.pbkdf2[digest]}`,
    verify: async password =>
      timingSafeEqual(
        await derive(password, salt, iterations, first.length, digest),
        first,
      ),
  }
}

type Decode = (text: string) => Buffer

interface TextForm {
  /** Its named groups: digest, iterations, salt, hash. */
  readonly form: RegExp
  readonly readSalt: Decode
  readonly readHash: Decode
}

// The patterns guarantee the groups; String and Number only convince the compiler.
function readWith(
  text: string,
  { form, readSalt, readHash }: TextForm,
): Pbkdf2Hash | undefined {
  const groups = form.exec(text)?.groups
  const digest = groups?.['digest'] ?? 'sha1'
  if (groups === undefined || !isDigest(digest)) return undefined
  const hash = readHash(String(groups['hash']))
  return {
    digest,
    iterations: Number(groups['iterations']),
    salt: readSalt(String(groups['salt'])),
    hash,
  }
}

function isDigest(name: string): name is Digest {
  return Object.hasOwn(DIGEST_BYTES, name)
}

function utf8(text: string): Buffer {
  return Buffer.from(text)
}

function base64(text: string): Buffer {
  return Buffer.from(text, 'base64')
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
