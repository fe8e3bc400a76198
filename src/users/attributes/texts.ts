// Attributes that come as texts: a command line and a login form know no types.
import type { UniqueValue } from '../../stores/ports/directory.ts'
import type { AttributeChanges } from './check.ts'
import type { Declarations } from './declarations.ts'
import { foldValue, readValue, valueOfText } from './values.ts'

/** A name and the text that stands for its value. */
export type AttributeText = readonly [name: string, text: string]

/**
 * Reads texts by the declared types; a name that comes again makes a list. A text that means nothing stays as
 * it is, and so does that of an undeclared attribute: `checkAttributes` refuses both.
 */
export function changesOfTexts(
  texts: readonly AttributeText[],
  declarations: Declarations,
): AttributeChanges {
  const byName = Map.groupBy(texts, ([name]) => name)
  const changes = [...byName].map(([name, given]): [string, unknown] => {
    const declaration = declarations.get(name)
    const values = given.map(([, text]) =>
      declaration === undefined ? text : (valueOfText(text, declaration) ?? text),
    )
    return [name, declaration?.list === true || values.length > 1 ? values : values[0]]
  })
  return Object.fromEntries(changes)
}

/** The unique value that a text stands for; undefined where it can't be one of that attribute. */
export function uniqueValueOf(
  attribute: string,
  text: string,
  declarations: Declarations,
): UniqueValue | undefined {
  const declaration = declarations.get(attribute)
  if (declaration?.unique !== true) return undefined
  const value = readValue(valueOfText(text, declaration), declaration)
  return value === undefined
    ? undefined
    : { attribute, value: foldValue(value, declaration) }
}
