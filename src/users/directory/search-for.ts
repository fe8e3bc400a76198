// What is searched for: the beginning of a name or of a unique value, as somebody has typed it, in the form
// in which the directory compares it.
import type { AccountSearch } from '../../stores/ports/directory.ts'
import type { Declarations } from '../attributes/declarations.ts'
import { foldEmailPrefix } from '../attributes/email-address.ts'
import { foldPrefix } from '../names/user-name.ts'

/** `name` stands for the account's own name. */
const NAME = 'name'

/** What somebody has typed. */
export interface TypedSearch {
  /** `name`, or a unique attribute. */
  readonly by: string
  readonly text: string
}

/**
 * Reads a search; undefined where it is by something that is no unique attribute. A text has the form of its
 * type; of an e-mail address the domain is folded too, whole or not.
 */
export function searchFor(
  { by, text }: TypedSearch,
  declarations: Declarations,
): Pick<AccountSearch, 'attribute' | 'prefix'> | undefined {
  if (by === NAME) return { prefix: foldPrefix(text) }
  const declaration = declarations.get(by)
  if (declaration?.unique !== true) return undefined
  const prefix =
    declaration.type === 'email' ? foldEmailPrefix(text) : text.normalize('NFC')
  return { attribute: by, prefix }
}
