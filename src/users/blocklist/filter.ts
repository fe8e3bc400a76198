// A Bloom filter in a file. It finds every listed password, and falsely one in a million others. A search
// reads one block of the file, however long the list was.
import { hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

/** The first bytes of such a file. */
export const FILTER_MAGIC = 'latchkey-blocklist-1'

const HEADER_BYTES = 64
const BLOCK_BYTES = 4096
const BLOCK_BITS = BLOCK_BYTES * 8
const BITS_PER_MARK = 16
// As many as SHA-512 yields.
const MOST_MARKS = 32

/** How large a filter is. */
export interface FilterSize {
  readonly blocks: number
  /** Bits that each entry sets. */
  readonly marks: number
}

/**
 * The size of a filter for so many entries, which takes at most the share `falsePositives` of other passwords
 * for listed ones. Bloom's formulas; an entry's bits lie in one block, which costs a little.
 */
export function filterSize(entries: number, falsePositives: number): FilterSize {
  const bits = (Math.max(1, entries) * -Math.log(falsePositives)) / Math.LN2 ** 2
  return {
    blocks: Math.ceil((bits * 1.05) / BLOCK_BITS),
    marks: Math.min(MOST_MARKS, Math.max(1, Math.round(-Math.log2(falsePositives)))),
  }
}

/** A filter that is being filled; all of it is in memory. */
export interface GrowingFilter {
  /** Takes an entry by its SHA-1. */
  add(sha1: Buffer): void
  /** The parts of the file, in order. */
  parts(): Buffer[]
}

/** Makes an empty filter. */
export function createFilter({ blocks, marks }: FilterSize): GrowingFilter {
  const bytes = Buffer.alloc(blocks * BLOCK_BYTES)
  return {
    add(sha1) {
      const { block, bits } = placesOf(sha1, { blocks, marks })
      for (const bit of bits) {
        const at = block * BLOCK_BYTES + (bit >> 3)
        bytes.writeUInt8(bytes.readUInt8(at) | (1 << (bit & 7)), at)
      }
    },
    parts: () => [headerOf({ blocks, marks }), bytes],
  }
}

/**
 * Makes the search of an open file.
 *
 * @returns a function that finds a password by its SHA-1; throws when the file isn't whole
 */
export async function openFilter(
  file: FileHandle,
): Promise<(sha1: Buffer) => Promise<boolean>> {
  const header = Buffer.alloc(HEADER_BYTES)
  await file.read(header, 0, HEADER_BYTES, 0)
  const size: FilterSize = {
    marks: header.readUInt32BE(FILTER_MAGIC.length),
    blocks: header.readUInt32BE(FILTER_MAGIC.length + 4),
  }
  if ((await file.stat()).size !== HEADER_BYTES + size.blocks * BLOCK_BYTES) {
    throw new Error('the blocklist is a filter that is not whole: build it again')
  }
  return async sha1 => {
    const { block, bits } = placesOf(sha1, size)
    const bytes = Buffer.alloc(BLOCK_BYTES)
    await file.read(bytes, 0, BLOCK_BYTES, HEADER_BYTES + block * BLOCK_BYTES)
    return bits.every(bit => (bytes.readUInt8(bit >> 3) & (1 << (bit & 7))) !== 0)
  }
}

function headerOf({ blocks, marks }: FilterSize): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  const at = header.write(FILTER_MAGIC, 'latin1')
  header.writeUInt32BE(blocks, header.writeUInt32BE(marks, at))
  return header
}

function placesOf(
  sha1: Buffer,
  { blocks, marks }: FilterSize,
): { readonly block: number; readonly bits: number[] } {
  const spread = hash('sha512', sha1, 'buffer')
  return {
    block: sha1.readUIntBE(0, 6) % blocks,
    bits: Array.from(
      { length: marks },
      (_, index) => spread.readUInt16BE((index * BITS_PER_MARK) / 8) % BLOCK_BITS,
    ),
  }
}
