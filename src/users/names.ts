// How user names are compared: two names that a reader would take for one are one.

const MAX_BYTES = 255

// Controls, format characters (bidi controls among them), surrogates, private use, unassigned; every blank;
// and what is not to be seen.
const REFUSED = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u

// After folding: `．` is a dot, and so are three in `…`; `。` is one in addresses.
const TRAILING_DOT = /[.。]$/u

/**
 * Gives the form in which a user name is compared and is unique: RFC 8265 §3.3 (UsernameCaseMapped), but
 * folding case fully and compatibility characters too, so that `ＡＬＩＣＥ`, `Alice` and `alice` are one, and so
 * are `STRASSE` and `straße`. What shares a capital is one as well: dotless `ı` and `i`.
 *
 * As in RFC 8264's IdentifierClass a name holds no blanks at all. Unassigned characters are refused because a
 * later Unicode could fold them otherwise, and invisible ones because two names that look alike would be two
 * accounts; for the same reason no name ends in a dot: `example.com.` is `example.com`.
 *
 * @returns undefined for a name that nobody can have: empty, longer than 255 bytes of UTF-8 (as written or
 * folded), or ending in a dot, or
 *   holding a blank, control, format, private-use, unassigned or invisible character or a lone surrogate
 */
export function foldName(name: string): string | undefined {
  if (isRefused(name)) return undefined
  const folded = foldUntilStable(name)
  return isRefused(folded) || TRAILING_DOT.test(folded) ? undefined : folded
}

function isRefused(name: string): boolean {
  return name === '' || Buffer.byteLength(name) > MAX_BYTES || REFUSED.test(name)
}

// Folding can make a sequence that normalisation changes again, and the other way round.
function foldUntilStable(name: string): string {
  const folded = foldCase(name.normalize('NFKC')).normalize('NFKC')
  return folded === name ? name : foldUntilStable(folded)
}

// Lower case first: the capital ẞ has no upper case but itself, its small form has SS. A final sigma is a
// sigma.
function foldCase(text: string): string {
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ')
}
