// Finds whose value a text is, whether or not anybody may log in by it: an operator asks for what users say.
import type { Account } from '../../stores/ports/directory.ts'
import type { Directory } from '../directory/directory.ts'
import { uniqueValuesOf } from './check.ts'
import type { Declarations } from './declarations.ts'
import { uniqueValueOf } from './texts.ts'

/** The account with such a unique value; of several attributes the one that is declared first. */
export async function findByValue(
  text: string,
  { byValue, declarations }: Pick<Directory, 'byValue'> & { declarations: Declarations },
): Promise<Account | undefined> {
  for (const attribute of declarations.keys()) {
    const value = uniqueValueOf(attribute, text, declarations)
    const found = value && (await byValue(value))
    if (found !== undefined) return found
  }
  return undefined
}

/** The texts that mean this account alone: its name, and its unique values as they are kept and compared. */
export function textsOf(
  { name, attributes }: Pick<Account, 'name' | 'attributes'>,
  declarations: Declarations,
): readonly string[] {
  const values = uniqueValuesOf(attributes, declarations)
    .filter(({ attribute }) => declarations.has(attribute))
    .flatMap(({ attribute, value }) => [String(attributes[attribute]), value])
  return [name, ...values]
}
