// Of which kind an e-mail address or a telephone number is (RFC 7643 §2.4, `type`): whoever sent it as
// `mobile` finds it by that again. Kept with the attributes, under names that no declared attribute can have.
import type { Declaration } from './declarations.ts'

const PREFIX = '@type/'

/** What such a value may be. */
export const VALUE_TYPE: Declaration = {
  type: 'string',
  maxLength: 64,
  list: false,
  unique: false,
  self: false,
}

/** The name under which the kind of that attribute's value is kept. */
export function valueTypeOf(attribute: string): string {
  return `${PREFIX}${attribute}`
}

/** The attribute whose value's kind is kept under that name; undefined: no kind is. */
export function attributeOfType(name: string): string | undefined {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : undefined
}
