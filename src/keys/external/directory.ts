// Keys from the PEM and JWK files of a folder (keys.directory), such as a mounted Secret; read again when one
// of them changes.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ALGORITHM_NAMES,
  algorithmNamed,
  algorithmsFor,
  isPair,
  RSA_BOUNDS,
  type Algorithm,
} from '../../oauth/algorithms.ts'
import { publicMembers, thumbprint } from '../make.ts'
import type { ExternalKey, KeySource } from './key-source.ts'

export interface DirectoryOptions {
  readonly directory: string
  /** The algorithms that are asked for: an RSA key in PEM doesn't say whether it is for RS256 or PS256. */
  readonly algorithms: readonly string[]
  /** How often a watched folder is checked, in milliseconds. */
  readonly intervalMs?: number
  /** Default: the system's. */
  readonly files?: Files
}

/** What is asked of the file system; as node:fs/promises has it. */
export interface Files {
  readdir(path: string): Promise<string[]>
  stat(path: string): Promise<{ ino: number; size: number; mtimeMs: number }>
  readFile(path: string, encoding: 'utf8'): Promise<string>
}

/** A folder and how it is read. */
type Folder = Pick<DirectoryOptions, 'directory'> & { readonly files: Files }

const FILES = /^[^.].*[.](pem|key|jwk|json)$/

/**
 * Reads the folder.
 *
 * @throws Error when it can't be read, or when a file in it holds no private key that can sign here; the
 * message names the file and quotes nothing of it
 */
export async function openDirectory({
  directory,
  algorithms,
  intervalMs = 2_000,
  files = { readdir, stat, readFile },
}: DirectoryOptions): Promise<KeySource> {
  const folder = { directory, files }
  let fingerprint = await onceMore(() => fingerprintOf(folder))
  let keys = await onceMore(() => readKeys(folder, algorithms))

  const readAgain = async () => {
    const current = await onceMore(() => fingerprintOf(folder))
    if (current === fingerprint) return
    fingerprint = current
    keys = await onceMore(() => readKeys(folder, algorithms))
  }
  let timer: NodeJS.Timeout | undefined
  return {
    keys: () => keys,
    watch(onFault) {
      timer = setInterval(() => {
        readAgain().catch(onFault)
      }, intervalMs).unref()
    },
    close: async () => {
      clearInterval(timer)
    },
  }
}

/**
 * Looks once more where a file went between the list of names and the look at it: a folder that is swapped
 * while it is read is no fault. Kubernetes swaps a Secret's folder as a whole.
 */
async function onceMore<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look()
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isGone) throw error
    return look()
  }
}

/**
 * A text that changes when a file does. A Secret is swapped as a whole by a symlink, which stat(2) follows
 * and inotify does not.
 */
async function fingerprintOf(folder: Folder): Promise<string> {
  const stats = await Promise.all(
    (await namesIn(folder)).map(async name => {
      const { ino, size, mtimeMs } = await folder.files.stat(join(folder.directory, name))
      return `${name} ${ino} ${size} ${mtimeMs}`
    }),
  )
  return stats.join('\n')
}

async function namesIn({ directory, files }: Folder): Promise<string[]> {
  return (await files.readdir(directory)).filter(name => FILES.test(name)).sort()
}

async function readKeys(
  folder: Folder,
  algorithms: readonly string[],
): Promise<ExternalKey[]> {
  const names = await namesIn(folder)
  return Promise.all(
    names.map(async name => {
      const text = await folder.files.readFile(join(folder.directory, name), 'utf8')
      return toKey(name, text, algorithms)
    }),
  )
}

function toKey(name: string, text: string, algorithms: readonly string[]): ExternalKey {
  const { key, publicKey, stated } = parse(name, text)
  const algorithm = algorithmOf(key, stated, algorithms)
  if (algorithm === undefined) {
    throw new Error(
      `keys.directory: ${name} holds no key for ${ALGORITHM_NAMES.join(', ')} (${RSA_BOUNDS})`,
    )
  }
  if (!isPair(algorithm, key, publicKey)) {
    throw new Error(
      `keys.directory: the two halves of the key in ${name} don't belong together: nobody could verify ` +
        'what it signs. Put the right file there',
    )
  }
  const publicJwk = publicMembers(publicKey.export({ format: 'jwk' }))
  return {
    name,
    kid: thumbprint(publicJwk),
    alg: algorithm.name,
    publicJwk,
    signing: { privateKey: key.export({ format: 'pem', type: 'pkcs8' }).toString() },
  }
}

interface ParsedKey {
  readonly key: KeyObject
  /** As the file states it: for some keys OpenSSL would derive it from the private half. */
  readonly publicKey: KeyObject
  /** The `alg` of a JWK. */
  readonly stated: unknown
}

/** OpenSSL's messages may quote what it read: only the file is named. */
function parse(name: string, text: string): ParsedKey {
  try {
    if (!text.trimStart().startsWith('{')) {
      const key = createPrivateKey(text)
      return { key, publicKey: createPublicKey(key), stated: undefined }
    }
    const jwk = JSON.parse(text)
    return {
      key: createPrivateKey({ key: jwk, format: 'jwk' }),
      publicKey: createPublicKey({ key: publicMembers(jwk), format: 'jwk' }),
      stated: jwk.alg,
    }
  } catch {
    throw new Error(`keys.directory: ${name} holds no private key as PEM or JWK`)
  }
}

/** The algorithm of the key: the one that it states, or else the first of those asked for. */
function algorithmOf(
  key: KeyObject,
  stated: unknown,
  asked: readonly string[],
): Algorithm | undefined {
  const fitting = algorithmsFor(key)
  if (typeof stated === 'string') {
    return fitting.find(algorithm => algorithm === algorithmNamed(stated))
  }
  const wanted = asked
    .map(algorithmNamed)
    .find(algorithm => fitting.some(one => one === algorithm))
  // An RSA key that isn't asked for gets RS256, which every verifier knows.
  return wanted ?? fitting.at(-1)
}
