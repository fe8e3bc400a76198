// scrypt (RFC 7914) as Werkzeug, Django, passlib and Spring Security write it, and Firebase's form, which
// encrypts a key with the output of scrypt.
import { createCipheriv, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'
import { MOST, type StoredHash } from './cost.ts'
import { pattern } from './pattern.ts'

const deriveKey = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)

// scrypt:32768:8:1$salt$hex
const WERKZEUG =
  /^scrypt:(?<N>\d{1,9}):(?<r>\d{1,4}):(?<p>\d{1,4})\$(?<salt>[^$]{1,255})\$(?<hash>[0-9a-f]{128})$/
// scrypt$16384$salt$8$5$base64
const DJANGO =
  /^scrypt\$(?<N>\d{1,9})\$(?<salt>[^$]{1,255})\$(?<r>\d{1,4})\$(?<p>\d{1,4})\$(?<hash>[A-Za-z0-9+/]{86}==)$/
// $scrypt$ln=16,r=8,p=1$salt$hash, both in base64 without padding
const PASSLIB = pattern(
  /^\$scrypt\$ln=(?<ln>\d{1,2}),r=(?<r>\d{1,4}),p=(?<p>\d{1,4})/,
  /\$(?<salt>[A-Za-z0-9+/]{0,1366})\$(?<hash>[A-Za-z0-9+/]{43})$/,
)
// $e0801$salt$hash, both in base64: log2 of N, then r and p, a byte each in hex
const SPRING =
  /^\$(?<costs>[0-9a-f]{5,6})\$(?<salt>[A-Za-z0-9+/]{8,172}={0,2})\$(?<hash>[A-Za-z0-9+/]{42,86}={0,2})$/
// $fbscrypt$v=1,n=14,r=8,p=1,ss=separator,sk=signer key$salt$hash, all in base64; the form in which Supabase
// keeps Firebase's hashes
const FIREBASE = pattern(
  /^\$fbscrypt\$v=1,n=(?<ln>\d{1,2}),r=(?<r>\d{1,4}),p=(?<p>\d{1,4})/,
  /,ss=(?<separator>[A-Za-z0-9+/_-]{0,64}={0,2}),sk=(?<key>[A-Za-z0-9+/_-]{43,172}={0,2})/,
  /\$(?<salt>[A-Za-z0-9+/_-]{1,172}={0,2})\$(?<hash>[A-Za-z0-9+/_-]{43,172}={0,2})$/,
)

interface ScryptCost {
  readonly N: number
  readonly r: number
  readonly p: number
}

type Groups = Readonly<Record<string, string | undefined>>
type Decode = (text: string | undefined) => Buffer

// The patterns guarantee the groups; String only convinces the compiler.
const utf8: Decode = text => Buffer.from(String(text))
const base64: Decode = text => Buffer.from(String(text), 'base64')
const hex: Decode = text => Buffer.from(String(text), 'hex')

const FORMS: readonly {
  readonly form: RegExp
  readonly readSalt: Decode
  readonly readHash: Decode
}[] = [
  { form: WERKZEUG, readSalt: utf8, readHash: hex },
  { form: DJANGO, readSalt: utf8, readHash: base64 },
  { form: PASSLIB, readSalt: base64, readHash: base64 },
]

/** Reads an scrypt hash. */
export function readScrypt(text: string): StoredHash | undefined {
  for (const { form, readSalt, readHash } of FORMS) {
    const groups = form.exec(text)?.groups
    if (groups === undefined) continue
    return plain(costOf(groups), readSalt(groups['salt']), readHash(groups['hash']))
  }
  return undefined
}

/** Reads the text after Spring Security's `{scrypt…}`. */
export function readSpringScrypt(text: string): StoredHash | undefined {
  const groups = SPRING.exec(text)?.groups
  if (groups === undefined) return undefined
  const costs = Number.parseInt(String(groups['costs']), 16)
  return plain(
    { N: 2 ** (costs >> 16), r: (costs >> 8) & 0xff, p: costs & 0xff },
    base64(groups['salt']),
    base64(groups['hash']),
  )
}

function plain(costs: ScryptCost, salt: Buffer, hash: Buffer): StoredHash | undefined {
  return stored('scrypt', costs, async (password, cost) =>
    timingSafeEqual(await derive(password, { salt, length: hash.length, cost }), hash),
  )
}

/** Reads a hash that Firebase made. */
export function readFirebase(text: string): StoredHash | undefined {
  const groups = FIREBASE.exec(text)?.groups
  if (groups === undefined) return undefined
  const [key, hash] = [base64(groups['key']), base64(groups['hash'])]
  if (key.length !== hash.length) return undefined
  const salt = Buffer.concat([base64(groups['salt']), base64(groups['separator'])])
  return stored('firebase-scrypt', costOf(groups), async (password, cost) => {
    const secret = await derive(password, { salt, length: 32, cost })
    return timingSafeEqual(
      createCipheriv('aes-256-ctr', secret, Buffer.alloc(16)).update(key),
      hash,
    )
  })
}

function costOf({ N, ln, r, p }: Groups): ScryptCost {
  return {
    N: ln === undefined ? Number(N) : 2 ** Number(ln),
    r: Number(r),
    p: Number(p),
  }
}

/** Undefined where RFC 7914 §2 forbids the cost. */
function stored(
  algorithm: string,
  cost: ScryptCost,
  verify: (password: string, cost: ScryptCost) => Promise<boolean>,
): StoredHash | undefined {
  const { N, r, p } = cost
  if (N < 2 || !Number.isInteger(Math.log2(N)) || r < 1 || p < 1) return undefined
  const memoryKiB = Math.ceil(memoryBytes(cost) / 1024)
  return {
    algorithm,
    memoryKiB,
    bearable: memoryKiB <= MOST.scrypt.memoryKiB && N * r * p <= MOST.scrypt.work,
    bounds:
      `${memoryKiB} KiB and a work (N·r·p) of ${N * r * p}, at most ` +
      `${MOST.scrypt.memoryKiB} KiB and ${MOST.scrypt.work}`,
    verify: password => verify(password, cost),
  }
}

function memoryBytes({ N, r }: ScryptCost): number {
  return 128 * N * r
}

function derive(
  password: string,
  {
    salt,
    length,
    cost,
  }: { readonly salt: Buffer; readonly length: number; readonly cost: ScryptCost },
): Promise<Buffer> {
  // The library counts a little more than the large block alone.
  return deriveKey(password, salt, length, {
    ...cost,
    maxmem: 2 * memoryBytes(cost) + 1024 * 1024,
  })
}
