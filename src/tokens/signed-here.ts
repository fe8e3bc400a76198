// The JWTs that this process has signed with a key that it holds. Their signature needs no check, which is
// the dearest part of seeing a token for the first time. Everything else about them is checked as for any
// other text.
import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'

/** How many are remembered, about 1.5 MB. */
const REMEMBERED = 10_000

/** The memory of what was signed here. */
export interface SignedHere {
  add(text: string): void
  /** Whether exactly this text was signed here, as far as it is remembered. */
  has(text: string): boolean
}

/** Makes the memory. */
export function createSignedHere(): SignedHere {
  const seen = new LRUCache<string, true>({ max: REMEMBERED })
  // Of the whole text, signature and all: whoever changes a character has another one.
  const idOf = (text: string) => hash('sha256', text, 'base64')
  return {
    add: text => {
      seen.set(idOf(text), true)
    },
    has: text => seen.has(idOf(text)),
  }
}
