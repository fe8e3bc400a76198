// A status list as it travels (IETF Token Status List §4): one bit per token, the lowest bit of a byte first,
// in ZLIB's format.
import { constants, deflateSync } from 'node:zlib'

// Runs of zeros are nearly all that there is to compress. Looking for nothing else is faster than the fastest
// level by half and gives less than level 6, which for 10,000 revoked tokens takes 9 ms against 0.6.
const ZLIB = { level: constants.Z_BEST_COMPRESSION, strategy: constants.Z_RLE }

/** The `lst` of a list: base64url. */
export function encodeBits(bits: Uint8Array): string {
  return deflateSync(bits, ZLIB).toString('base64url')
}

/** Sets a bit; false when it was set before. */
export function setBit(bits: Uint8Array, idx: number): boolean {
  const byte = idx >>> 3
  const mask = 1 << (idx & 7)
  const before = bits[byte]
  if (before === undefined || (before & mask) !== 0) return false
  bits[byte] = before | mask
  return true
}

/** Whether a bit is set. */
export function hasBit(bits: Uint8Array, idx: number): boolean {
  return (Number(bits[idx >>> 3]) & (1 << (idx & 7))) !== 0
}

/** The indices of the set bits. */
export function indicesOf(bits: Uint8Array): number[] {
  const indices: number[] = []
  for (const [byte, value] of bits.entries()) {
    if (value === 0) continue
    for (let bit = 0; bit < 8; bit++) {
      if ((value & (1 << bit)) !== 0) indices.push(8 * byte + bit)
    }
  }
  return indices
}
