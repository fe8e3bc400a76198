// PBKDF2 (RFC 8018 §5.2) as Django, Werkzeug, passlib and Spring Security write it. Keycloak's is turned into
// passlib's form when it is imported.
import { pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { fromAdaptedBase64 } from './adapted-base64.ts'
import { MOST, type StoredHash } from './cost.ts'

const derive = promisify(pbkdf2)

const DIGEST_BYTES = { sha1: 20, sha256: 32, sha512: 64 } as const
type Digest = keyof typeof DIGEST_BYTES

// pbkdf2_sha256$1000000$salt$base64
const DJANGO =
  /^pbkdf2_(?<digest>sha1|sha256)\$(?<iterations>[1-9]\d{0,8})\$(?<salt>[^$]{1,255})\$(?<hash>[A-Za-z0-9+/]{27,43}=)$/
// pbkdf2:sha256:1000000$salt$hex
const WERKZEUG =
  /^pbkdf2:(?<digest>[a-z0-9]+):(?<iterations>[1-9]\d{0,8})\$(?<salt>[^$]{1,255})\$(?<hash>(?:[0-9a-f]{2}){20,512})$/
// $pbkdf2-sha256$29000$salt$hash, both in base64 with . for + and without padding
const PASSLIB =
  /^\$pbkdf2(?:-(?<digest>sha256|sha512))?\$(?<iterations>[1-9]\d{0,8})\$(?<salt>[A-Za-z0-9./]{0,1366})\$(?<hash>[A-Za-z0-9./]{27,683})$/

// Salt and hash in hex, one behind the other; the rest is what the name in front of them stands for.
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

/** What a name of Spring Security's stands for. */
export interface SpringPbkdf2 {
  readonly digest: Digest
  readonly iterations: number
  readonly saltBytes: number
}

/** Reads what stands behind `{pbkdf2…}`. */
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
 * Each block of the output is computed from the password by itself (RFC 8018 §5.2, steps 3 and 4), at the
 * cost of all iterations: the first one, of at least 160 bits, says whether the password is right.
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
  /** Its groups: digest, iterations, salt, hash. */
  readonly form: RegExp
  readonly readSalt: Decode
  readonly readHash: Decode
}

// The forms vouch for the groups; String and Number only tell the compiler.
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
