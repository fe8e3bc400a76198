// How user names are read and compared: two names that a reader would take for one are one.
import { withoutJoiners, withoutVisibleJoiners } from './joiners.ts'

const MAX_BYTES = 255

// Controls, format characters (bidi controls among them), surrogates, private use, unassigned; and what is
// not to be seen.
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
const BLANK = /\p{Z}/u

// What a keyboard, a form or a copy puts around a name without anybody's knowing: blanks, the soft hyphen,
// the zero-width space, word joiner and byte order mark, and the marks that only say in which direction to
// write.
const AROUND =
  /^[\s\p{Z}\u00AD\u061C\u200B\u200E\u200F\u2060\uFEFF]+|[\s\p{Z}\u00AD\u061C\u200B\u200E\u200F\u2060\uFEFF]+$/gu
// Longer texts are no name, whatever stands around it.
const MAX_TYPED = 1024

// After folding: `．` is a dot, and so are three in `…`; `。` is one in addresses.
const TRAILING_DOT = /[.。]$/u

/** A user name. */
export interface Name {
  /** As it was written, without what stood around it. */
  readonly written: string
  /** The form in which it is compared and is unique. */
  readonly folded: string
}

/** Why a text is no name, to be read behind `the name`. */
export type NameFault =
  | 'is empty'
  | 'is longer than 255 bytes'
  | 'holds a blank'
  | 'holds a control, an invisible or an unassigned character'
  | 'ends in a dot'

/**
 * Reads a user name by RFC 8265 §3.3 (UsernameCaseMapped), but folding case fully and compatibility
 * characters too: `ＡＬＩＣＥ`, `Alice` and `alice` are one, and so are `STRASSE` and `straße`. What shares a
 * capital is one as well: dotless `ı` and `i`. What nobody sees around a name is cut off.
 *
 * As in RFC 8264's IdentifierClass a name holds no blanks at all, and joiners only where a script needs them.
 * Unassigned characters are refused because a later Unicode could fold them otherwise, and invisible ones
 * because two names that look alike would be two accounts; for the same reason no name ends in a dot:
 * `example.com.` is `example.com`.
 *
 * @returns a fault for a name that nobody can have: empty, longer than 255 bytes of UTF-8 (as written or
 *   folded), ending in a dot, or holding a blank or a control, format, private-use, unassigned or invisible
 *   character or a lone surrogate
 */
export function judgeName(text: string): Name | { readonly fault: NameFault } {
  if (text.length > MAX_TYPED) return { fault: 'is longer than 255 bytes' }
  const written = text.replace(AROUND, '')
  const faultAsWritten = faultOf(withoutJoiners(written), written)
  if (faultAsWritten !== undefined) return { fault: faultAsWritten }
  const folded = foldUntilStable(written)
  const fault = faultOf(withoutVisibleJoiners(folded), folded)
  if (fault !== undefined) return { fault }
  return TRAILING_DOT.test(folded) ? { fault: 'ends in a dot' } : { written, folded }
}

/** Reads a user name; undefined for one that nobody can have. */
export function readName(text: string): Name | undefined {
  const judged = judgeName(text)
  return 'fault' in judged ? undefined : judged
}

/** The form in which a user name is compared and is unique; undefined for one that nobody can have. */
export function foldName(text: string): string | undefined {
  return readName(text)?.folded
}

/** `seen`: the name without the joiners that may be in it. */
function faultOf(seen: string, name: string): NameFault | undefined {
  if (seen === '') return 'is empty'
  if (Buffer.byteLength(name) > MAX_BYTES) return 'is longer than 255 bytes'
  if (INVISIBLE.test(seen)) {
    return 'holds a control, an invisible or an unassigned character'
  }
  return BLANK.test(seen) ? 'holds a blank' : undefined
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
