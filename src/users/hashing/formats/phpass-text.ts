// The portable hashes of phpass ($P$, and phpBB's $H$): MD5 over and over. WordPress made them before 6.8.
import { hash as digestOf, timingSafeEqual } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MOST, type StoredHash } from './cost.ts'
import { trimAsPhp } from './trim-as-php.ts'

const DIGITS = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

// $P$B12345678digest: B says how often, as a power of two.
const PHPASS =
  /^\$[PH]\$(?<rounds>[5-9A-S])(?<salt>[./0-9A-Za-z]{8})(?<digest>[./0-9A-Za-z]{21}[./01])$/

/** After so many digests others have their turn: node runs MD5 on the event loop. */
const AT_ONCE = 512
const MD5_BYTES = 16

/** Reads a portable hash of phpass. */
export function readPhpass(text: string): StoredHash | undefined {
  const groups = PHPASS.exec(text)?.groups
  if (groups === undefined) return undefined
  const rounds = DIGITS.indexOf(String(groups['rounds']))
  const salt = Buffer.from(String(groups['salt']))
  const expected = decode(String(groups['digest']))
  return {
    algorithm: 'phpass',
    memoryKiB: 1,
    bearable: rounds <= MOST.phpassRounds,
    bounds: `2^${rounds} rounds, at most 2^${MOST.phpassRounds}`,
    async verify(password) {
      // WordPress made them of what its trim leaves, others of the text as it was typed.
      for (const spelling of new Set([password, trimAsPhp(password)])) {
        const derived = await derive(Buffer.from(spelling), { salt, times: 2 ** rounds })
        if (timingSafeEqual(derived, expected)) return true
      }
      return false
    },
  }
}

interface Stretching {
  readonly salt: Buffer
  readonly times: number
}

async function derive(password: Buffer, { salt, times }: Stretching): Promise<Buffer> {
  let digest = md5(Buffer.concat([salt, password]))
  const block = Buffer.concat([digest, password])
  for (let time = 0; time < times; time++) {
    digest.copy(block)
    digest = md5(block)
    if (time % AT_ONCE === AT_ONCE - 1) await nextTurn()
  }
  return digest
}

function md5(bytes: Buffer): Buffer {
  return digestOf('md5', bytes, 'buffer')
}

/** Reads phpass's base64: its own digits, and of three bytes the first one's lowest bits first. */
function decode(text: string): Buffer {
  const bytes: number[] = []
  for (let at = 0; at < text.length; at += 4) {
    const value = [...text.slice(at, at + 4)].reduceRight(
      (sum, digit) => sum * 64 + DIGITS.indexOf(digit),
      0,
    )
    bytes.push(value & 0xff, (value >> 8) & 0xff, value >> 16)
  }
  return Buffer.from(bytes.slice(0, MD5_BYTES))
}
