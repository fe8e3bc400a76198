// Keys from the PEM and JWK files of a folder (keys.directory), such as a mounted Secret; read again when one
// of them changes.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { publicMembers, thumbprint } from './make.ts'
import type { ExternalKey, KeySource } from './source.ts'

export interface DirectoryOptions {
  readonly directory: string
  /** The algorithms that are asked for: an RSA key in PEM doesn't say whether it is for RS256 or PS256. */
  readonly algorithms: readonly string[]
  /** How often a watched folder is looked at, in milliseconds. */
  readonly intervalMs?: number
}

const FILES = /^[^.].*[.](pem|key|jwk|json)$/
const LEAST_RSA_BITS = 2048

/**
 * Reads the folder.
 *
 * @throws Error when it can't be read, or when a file in it holds no private key that can sign here; it names
 * the file and tells nothing of its contents
 */
export async function openDirectory({
  directory,
  algorithms,
  intervalMs = 2_000,
}: DirectoryOptions): Promise<KeySource> {
  let state = await lookAt(directory)
  let keys = await readKeys(directory, algorithms)

  const look = async () => {
    const now = await lookAt(directory)
    if (now === state) return
    state = now
    keys = await readKeys(directory, algorithms)
  }
  let timer: NodeJS.Timeout | undefined
  return {
    keys: () => keys,
    watch(onFault) {
      timer = setInterval(() => {
        look().catch(onFault)
      }, intervalMs).unref()
    },
    close: async () => {
      clearInterval(timer)
    },
  }
}

/**
 * What changes when a file does. A Secret is swapped as a whole by a symlink, which stat(2) follows and
 * inotify does not.
 */
async function lookAt(directory: string): Promise<string> {
  const stats = await Promise.all(
    (await namesIn(directory)).map(async name => {
      const { ino, size, mtimeMs } = await stat(join(directory, name))
      return `${name} ${ino} ${size} ${mtimeMs}`
    }),
  )
  return stats.join('\n')
}

async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter(name => FILES.test(name)).sort()
}

async function readKeys(
  directory: string,
  algorithms: readonly string[],
): Promise<ExternalKey[]> {
  const names = await namesIn(directory)
  return Promise.all(
    names.map(async name =>
      toKey(name, await readFile(join(directory, name), 'utf8'), algorithms),
    ),
  )
}

function toKey(name: string, text: string, algorithms: readonly string[]): ExternalKey {
  const { key, says } = parse(name, text)
  const alg = says ?? algorithmOf(key, algorithms)
  if (alg === undefined || !fits(key, alg)) {
    throw new Error(
      `keys.directory: ${name} holds no key for ES256, EdDSA, RS256 or PS256 (RSA of at least ` +
        `${LEAST_RSA_BITS} bits)`,
    )
  }
  const publicJwk = publicMembers(createPublicKey(key).export({ format: 'jwk' }))
  return {
    name,
    kid: thumbprint(publicJwk),
    alg,
    publicJwk,
    signing: { privateKey: key.export({ format: 'pem', type: 'pkcs8' }).toString() },
  }
}

/** OpenSSL's messages may quote what it read: only the file is named. */
function parse(
  name: string,
  text: string,
): { readonly key: KeyObject; readonly says: string | undefined } {
  try {
    if (!text.trimStart().startsWith('{')) {
      return { key: createPrivateKey(text), says: undefined }
    }
    const jwk = JSON.parse(text)
    return {
      key: createPrivateKey({ key: jwk, format: 'jwk' }),
      says: typeof jwk.alg === 'string' ? jwk.alg : undefined,
    }
  } catch {
    throw new Error(`keys.directory: ${name} holds no private key as PEM or JWK`)
  }
}

function algorithmOf(
  { asymmetricKeyType }: KeyObject,
  algorithms: readonly string[],
): string | undefined {
  if (asymmetricKeyType === 'ec') return 'ES256'
  if (asymmetricKeyType === 'ed25519') return 'EdDSA'
  return algorithms.find(alg => RSA.includes(alg)) ?? 'RS256'
}

const RSA: readonly string[] = ['RS256', 'PS256']

function fits(
  { asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject,
  alg: string,
): boolean {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails
  if (alg === 'ES256') return namedCurve === 'prime256v1'
  if (alg === 'EdDSA') return asymmetricKeyType === 'ed25519'
  return (
    RSA.includes(alg) && asymmetricKeyType === 'rsa' && modulusLength >= LEAST_RSA_BITS
  )
}
