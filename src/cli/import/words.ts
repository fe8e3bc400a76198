// What becomes of an import, in words: which field, which scheme, which number.
import type { ImportFault, Refusal } from '../../users/import/outcome.ts'
import { isPasswordFault, passwordWords, type PasswordLimits } from '../terminal/words.ts'
import type { Format } from './format.ts'

type OwnFault = Exclude<ImportFault, Parameters<typeof passwordWords>[0]>

const WORDS: Readonly<Record<OwnFault, string>> = {
  line_no_json: 'no JSON',
  line_malformed: 'malformed',
  user_deleted: 'the account is deleted there',
  no_password:
    'there is no password, and no hash of one (--invite makes an account that gets one later)',
  changed_meanwhile: 'somebody else is changing the account; run it again',
  directory_owns:
    'the account is the user of a directory elsewhere, which says what it is',
  name_invalid: 'name invalid',
  name_taken: 'name taken: another account has it',
  sub_invalid: 'sub invalid: it has 1 to 255 printable ASCII characters without blanks',
  sub_taken: 'sub taken: another account has it',
  sub_of_client:
    'sub taken: it is the id of a client (clients[].id), whose own tokens have it as sub',
  attribute_undeclared: 'no such attribute is declared',
  attribute_invalid: 'not what the attribute is declared as',
  attributes_too_large: 'too many attributes, or too long ones',
  claims_too_large: 'tokens would be too long with these attributes',
  attribute_taken: 'another account has this value',
  hash_unsupported: 'hash unsupported',
  hash_too_costly: 'hash too costly',
}

/** What a place in a file of that format is called: a line, or in a document the number of the user. */
export function placeWord(format: Format): string {
  return format === 'json' ? 'user' : 'line'
}

/** Why a record is refused. */
export function refusalWords(
  { reason, field, detail, twin }: Refusal,
  { format, ...limits }: PasswordLimits & { readonly format: Format },
): string {
  if (isPasswordFault(reason)) return passwordWords(reason, limits)
  if (twin !== undefined) {
    const what = field ?? reason.replace('_taken', '')
    return `${what} taken: ${placeWord(format)} ${twin} of this file has it as well`
  }
  if (reason === 'hash_too_costly') return `${WORDS[reason]}: ${detail}`
  const words = detail ?? WORDS[reason]
  return field === undefined ? words : `${field}: ${words}`
}
