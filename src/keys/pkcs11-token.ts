// A PKCS#11 token and the keys in it, through the npm package pkcs11js (PKCS#11 v3.0 §5). Every call blocks:
// pkcs11-worker.ts runs them.
import { createHash } from 'node:crypto'
import { publicMembers } from './make.ts'

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
  readonly alg: string
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
const CKA_KEY_TYPE = 0x100
const CKA_ID = 0x102
const CKA_MODULUS = 0x120
const CKA_PUBLIC_EXPONENT = 0x122
const CKA_EC_PARAMS = 0x180
const CKA_EC_POINT = 0x181
const CKO_PUBLIC_KEY = 2
const CKO_PRIVATE_KEY = 3
const CKK_RSA = 0x0
const CKK_EC = 0x3
const CKK_EC_EDWARDS = 0x40
const MOST_KEYS = 100
const SIGNATURE_BYTES = 1024

/** RFC 5480 §2.1.1.1, in DER. */
const P256 = '06082a8648ce3d030107'

/** Algorithm → how the token makes its signatures (PKCS#11 v3.0 current mechanisms §2.1, §2.3). */
const MECHANISMS: ReadonlyMap<
  string,
  { readonly mechanism: number; readonly parameter?: unknown }
> = new Map([
  // CKM_ECDSA takes a digest, which every token can.
  ['ES256', { mechanism: 0x1041 }],
  ['EdDSA', { mechanism: 0x1057 }],
  ['RS256', { mechanism: 0x40 }],
  // SHA-256, MGF1 with SHA-256, a salt as long as the digest (RFC 7518 §3.5); type 7 is pkcs11js' word for
  // these parameters.
  [
    'PS256',
    {
      mechanism: 0x43,
      parameter: {
        type: 7,
        hashAlg: 0x250,
        mgf: 2,
        saltLen: 32,
      },
    },
  ],
])

/**
 * Opens the token and finds its keys.
 *
 * @throws Error when there is no such token, or when the library refuses something
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
  const found = findKeys(library, session, algorithms)
  return {
    keys: found.map(({ handle, ...key }) => key),
    sign(index, data) {
      const key = found[index]
      const mechanism = MECHANISMS.get(key?.alg ?? '')
      if (key === undefined || mechanism === undefined) {
        throw new TypeError(`no key ${index}`)
      }
      library.C_SignInit(session, mechanism, key.handle)
      return library.C_Sign(
        session,
        key.alg === 'ES256' ? createHash('sha256').update(data).digest() : data,
        Buffer.alloc(SIGNATURE_BYTES),
      )
    },
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

function findKeys(
  library: Library,
  session: Buffer,
  algorithms: readonly string[],
): (TokenKey & { readonly handle: Buffer })[] {
  return find(library, session, [{ type: CKA_CLASS, value: CKO_PRIVATE_KEY }]).flatMap(
    handle => {
      const id = read(library, session, handle, CKA_ID)
      // The private half doesn't tell the public one; they share an id.
      const [publicHalf] = find(library, session, [
        { type: CKA_CLASS, value: CKO_PUBLIC_KEY },
        { type: CKA_ID, value: id },
      ])
      const half =
        publicHalf === undefined
          ? undefined
          : readPublic(library, session, publicHalf, algorithms)
      return half === undefined
        ? []
        : [
            {
              handle,
              name: read(library, session, handle, CKA_LABEL).toString(),
              ...half,
            },
          ]
    },
  )
}

function find(library: Library, session: Buffer, template: Attributes): Buffer[] {
  library.C_FindObjectsInit(session, template)
  const handles = library.C_FindObjects(session, MOST_KEYS)
  library.C_FindObjectsFinal(session)
  return handles
}

function read(library: Library, session: Buffer, object: Buffer, type: number): Buffer {
  const [attribute] = library.C_GetAttributeValue(session, object, [{ type }])
  return Buffer.from(attribute?.value ?? [])
}

/** The public half of a key, if it is one for us. */
function readPublic(
  library: Library,
  session: Buffer,
  handle: Buffer,
  algorithms: readonly string[],
): Pick<TokenKey, 'alg' | 'publicJwk'> | undefined {
  const attribute = (type: number) => read(library, session, handle, type)
  // A CK_ULONG as the machine writes it; every machine that Node runs on has its small end first.
  const type = attribute(CKA_KEY_TYPE).readUInt16LE(0)
  if (type === CKK_RSA) {
    const alg = algorithms.find(alg => alg === 'RS256' || alg === 'PS256') ?? 'RS256'
    return {
      alg,
      publicJwk: publicMembers({
        kty: 'RSA',
        n: text(attribute(CKA_MODULUS)),
        e: text(attribute(CKA_PUBLIC_EXPONENT)),
      }),
    }
  }
  if (type === CKK_EC_EDWARDS) {
    return {
      alg: 'EdDSA',
      publicJwk: publicMembers({
        kty: 'OKP',
        crv: 'Ed25519',
        x: text(attribute(CKA_EC_POINT).subarray(-32)),
      }),
    }
  }
  if (type !== CKK_EC || attribute(CKA_EC_PARAMS).toString('hex') !== P256) {
    return undefined
  }
  // The last bytes of 04 | X | Y, which most tokens wrap as an OCTET STRING.
  const point = attribute(CKA_EC_POINT)
  return {
    alg: 'ES256',
    publicJwk: publicMembers({
      kty: 'EC',
      crv: 'P-256',
      x: text(point.subarray(-64, -32)),
      y: text(point.subarray(-32)),
    }),
  }
}

function text(bytes: Buffer): string {
  return bytes.toString('base64url')
}
