// This folder reads and compares user names: two names that look the same are one name. It knows no account.
// src/users/ calls it wherever a name is typed, and the audit log wherever one is logged.
import { withoutJoiners, withoutVisibleJoiners } from './joiners.ts'

const MAX_BYTES = 255

// Controls, format characters (bidi controls among them), surrogates, private use, unassigned and invisible
// characters.
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
const BLANK = /\p{Z}/u

// Keyboards, forms and copying put these around a name unnoticed: blanks, the soft hyphen, the zero-width
// space, word joiner and byte order mark, and the marks of writing direction.
const AROUND = new RegExp(
  '^[EDGE]+|[EDGE]+$'.replaceAll(
    'EDGE',
    String.raw`\s\p{Z}\u00AD\u061C\u200B\u200E\u200F\u2060\uFEFF`,
  ),
  'gu',
)
// A longer text is no name, whatever surrounds it.
const MAX_TYPED = 1024

// After folding: `．` is a dot, and so are three in `…`; `。` is one in addresses.
const TRAILING_DOT = /[.。]$/u

/** A user name. */
export interface Name {
  /** As it was written, without what surrounded it. */
  readonly written: string
  /** The form that is compared and unique. */
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
 * @returns a fault for an invalid name: empty, longer than 255 bytes of UTF-8 (as written or
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

/** Reads a user name; undefined for an invalid one. */
export function readName(text: string): Name | undefined {
  const judged = judgeName(text)
  return 'fault' in judged ? undefined : judged
}

/** The form of a user name that is compared and unique; undefined for an invalid name. */
export function foldName(text: string): string | undefined {
  return readName(text)?.folded
}

/** The beginning of a name, in the form in which names are compared; whatever it holds. */
export function foldPrefix(text: string): string {
  return foldUntilStable(text.slice(0, MAX_TYPED).replace(AROUND, ''))
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
