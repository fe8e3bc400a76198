// Which keys and names a message may repeat. A secret that was pasted in the place of a key must not end up
// in a log.

/** As people make up names: `accessTtl`, `access_ttl`, `ACCESS-TTL`. */
const WORDS = /^(?:[a-z]+(?:[A-Z][a-z]+)*|[a-z]+(?:[_-][a-z]+)*|[A-Z]+(?:[_-][A-Z]+)*)$/
const LONGEST_WORD = 32

const LONGEST_NAME = 64
/** Runs that are no words: base64 and hexadecimal digits. */
const RUNS = /[A-Za-z0-9_-]{20,}/g
const HEX = /[0-9a-f]{32,}/i

/** Whether an unknown key looks like a key, and not like a secret in a key's place. */
export function looksLikeKey(text: string): boolean {
  return text.length <= LONGEST_WORD && WORDS.test(text)
}

/** Whether a name that may be anything, such as an audience or a variable, looks like a secret. */
export function looksLikeSecret(text: string): boolean {
  return (
    text.length > LONGEST_NAME || HEX.test(text) || (text.match(RUNS) ?? []).some(isMixed)
  )
}

function isMixed(run: string): boolean {
  return /[a-z]/.test(run) && /[A-Z]/.test(run) && /[0-9]/.test(run)
}
