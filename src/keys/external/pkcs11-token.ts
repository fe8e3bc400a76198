// A PKCS#11 token and the keys in it, through the npm package pkcs11js (PKCS#11 v3.0 §5). Every call blocks:
// pkcs11-process.ts runs them.
import { createHash, createPublicKey } from 'node:crypto'
import {
  algorithmsFor,
  isSignedBy,
  PROBE,
  requireAlgorithm,
  type AlgorithmName,
} from '../../oauth/algorithms.ts'
import { publicMembers } from '../make.ts'
import { publicJwkOf } from './pkcs11-public-key.ts'

/** What is used of pkcs11js. */
export interface Driver {
  readonly PKCS11: new () => Library
}

type Attributes = { readonly type: number; readonly value?: Buffer | number | boolean }[]

interface Library {
  load(path: string): void
  C_Initialize(): void
  C_GetSlotList(tokenPresent: boolean): Buffer[]
  C_GetTokenInfo(slot: Buffer): { readonly label: string }
  C_OpenSession(slot: Buffer, flags: number): Buffer
  C_Login(session: Buffer, userType: number, pin: string): void
  C_FindObjectsInit(session: Buffer, template: Attributes): void
  C_FindObjects(session: Buffer, count: number): Buffer[]
  C_FindObjectsFinal(session: Buffer): void
  C_GetAttributeValue(
    session: Buffer,
    object: Buffer,
    template: Attributes,
  ): { readonly value: Buffer }[]
  C_SignInit(
    session: Buffer,
    mechanism: { readonly mechanism: number; readonly parameter?: unknown },
    key: Buffer,
  ): void
  C_Sign(session: Buffer, data: Buffer, signature: Buffer): Buffer
}

/** Where the token is. */
export interface TokenOptions {
  /** The library. */
  readonly module: string
  /** The token's label. */
  readonly token: string
  readonly pin: string
  /** The algorithms that are asked for: an RSA key doesn't say whether it is for RS256 or PS256. */
  readonly algorithms: readonly string[]
}

/** A key that the token signs with. */
export interface TokenKey {
  /** CKA_LABEL. */
  readonly name: string
  readonly alg: AlgorithmName
  readonly publicJwk: Readonly<Record<string, string>>
}

/** An open token. */
export interface Token {
  readonly keys: readonly TokenKey[]
  /** Signs with the key of that place in `keys`. */
  sign(index: number, data: Buffer): Buffer
}

// PKCS#11's numbers, so that nothing here needs the package before it is asked for.
const CKF_SERIAL_SESSION = 4
const CKU_USER = 1
const CKA_CLASS = 0x0
const CKA_LABEL = 0x3
const CKA_ID = 0x102
const CKO_PUBLIC_KEY = 2
const CKO_PRIVATE_KEY = 3
const MOST_KEYS = 100
const SIGNATURE_BYTES = 1024

/** How the token makes the signatures of an algorithm (PKCS#11 v3.0 current mechanisms §2.1, §2.3). */
interface Mechanism {
  readonly mechanism: number
  readonly parameter?: unknown
}

const MECHANISMS: Readonly<Record<AlgorithmName, Mechanism>> = {
  // CKM_ECDSA takes a digest, which every token can.
  ES256: { mechanism: 0x1041 },
  EdDSA: { mechanism: 0x1057 },
  RS256: { mechanism: 0x40 },
  // SHA-256, MGF1 with SHA-256, a salt as long as the digest (RFC 7518 §3.5); type 7 is pkcs11js' word for
  // these parameters.
  PS256: {
    mechanism: 0x43,
    parameter: {
      type: 7,
      hashAlg: 0x250,
      mgf: 2,
      saltLen: 32,
    },
  },
}

/**
 * Opens the token and finds its keys. Those that are asked for prove by a signature that they fit their
 * public halves; others may be anybody's.
 *
 * @throws Error when there is no such token, when the library refuses something, or when a key proves nothing
 */
export function openToken(
  { PKCS11 }: Driver,
  { module, token, pin, algorithms }: TokenOptions,
): Token {
  const library = new PKCS11()
  library.load(module)
  library.C_Initialize()
  const slot = library
    .C_GetSlotList(true)
    .find(slot => library.C_GetTokenInfo(slot).label.trim() === token)
  if (slot === undefined) throw new Error(`there is no token ${token}`)
  const session = library.C_OpenSession(slot, CKF_SERIAL_SESSION)
  library.C_Login(session, CKU_USER, pin)
  const found = findKeys({ library, session }, algorithms)
  const signWith = ({ handle, alg }: FoundKey, data: Buffer): Buffer => {
    library.C_SignInit(session, MECHANISMS[alg], handle)
    return library.C_Sign(
      session,
      alg === 'ES256' ? createHash('sha256').update(data).digest() : data,
      Buffer.alloc(SIGNATURE_BYTES),
    )
  }
  for (const key of found.filter(({ alg }) => algorithms.includes(alg))) {
    prove(key, () => signWith(key, PROBE))
  }
  return {
    keys: found.map(({ handle, ...key }) => key),
    sign(index, data) {
      const key = found[index]
      if (key === undefined) throw new TypeError(`no key ${index}`)
      return signWith(key, data)
    },
  }
}

function prove({ name, alg, publicJwk }: TokenKey, signProbe: () => Buffer): void {
  const outcome = attempt(signProbe)
  if ('fault' in outcome) {
    throw new Error(`the key ${name} doesn't sign: ${outcome.fault}`)
  }
  const isProven = isSignedBy(
    requireAlgorithm(alg),
    createPublicKey({ key: publicJwk, format: 'jwk' }),
    { data: PROBE, signature: outcome.signature },
  )
  if (!isProven) {
    throw new Error(
      `the key ${name} doesn't fit the public key of the same CKA_ID: nobody could verify what it signs`,
    )
  }
}

/** What comes of asking for a signature: that, or in words why there is none. */
export function attempt(
  sign: () => Buffer,
): { readonly signature: Buffer } | { readonly fault: string } {
  try {
    return { signature: sign() }
  } catch (error) {
    return { fault: String(error) }
  }
}

/** A library, and the session that we have with a token through it. */
interface Opened {
  readonly library: Library
  readonly session: Buffer
}

interface FoundKey extends TokenKey {
  readonly handle: Buffer
}

function findKeys(opened: Opened, algorithms: readonly string[]): FoundKey[] {
  return find(opened, [{ type: CKA_CLASS, value: CKO_PRIVATE_KEY }]).flatMap(handle => {
    const id = read(opened, handle, CKA_ID)
    // The private half doesn't tell the public one; they share an id.
    const [publicHalf] = find(opened, [
      { type: CKA_CLASS, value: CKO_PUBLIC_KEY },
      { type: CKA_ID, value: id },
    ])
    const half =
      publicHalf === undefined ? undefined : readPublic(opened, publicHalf, algorithms)
    return half === undefined
      ? []
      : [
          {
            handle,
            name: read(opened, handle, CKA_LABEL).toString(),
            ...half,
          },
        ]
  })
}

function find({ library, session }: Opened, template: Attributes): Buffer[] {
  library.C_FindObjectsInit(session, template)
  const handles = library.C_FindObjects(session, MOST_KEYS)
  library.C_FindObjectsFinal(session)
  return handles
}

function read({ library, session }: Opened, object: Buffer, type: number): Buffer {
  const [attribute] = library.C_GetAttributeValue(session, object, [{ type }])
  return Buffer.from(attribute?.value ?? [])
}

/** The public half of a key, if it is one for us. */
function readPublic(
  opened: Opened,
  handle: Buffer,
  algorithms: readonly string[],
): Pick<TokenKey, 'alg' | 'publicJwk'> | undefined {
  const publicJwk = publicJwkOf(type => read(opened, handle, type))
  if (publicJwk === undefined) return undefined
  const fitting = algorithmsFor(createPublicKey({ key: publicJwk, format: 'jwk' }))
  const { name: alg } =
    fitting.find(({ name }) => algorithms.includes(name)) ?? fitting.at(-1) ?? {}
  return alg === undefined ? undefined : { alg, publicJwk: publicMembers(publicJwk) }
}
