// This folder checks the attributes of accounts against what the configuration declares. Every way in calls
// this one function: HTTP, the command line and imports.
import type {
  Attributes,
  AttributeValue,
  SingleValue,
} from '../../stores/ports/subjects.ts'
import type { UniqueValue } from '../../stores/ports/directory.ts'
import type { Declaration, Declarations } from './declarations.ts'
import { mailboxOf } from './email-address.ts'
import { EXTERNAL_ID, isExternalId } from './external-ids.ts'
import { attributeOfType, VALUE_TYPE } from './value-types.ts'
import { expectedOf, foldValue, readValue } from './values.ts'

/** What a change of attributes says: null removes, what isn't named stays. */
export type AttributeChanges = Readonly<Record<string, unknown>>

/** Why a value isn't taken: where, and what was expected there. Never what was found. */
export interface AttributeFault {
  readonly reason:
    | 'attribute_undeclared'
    | 'attribute_invalid'
    | 'attributes_too_large'
    | 'claims_too_large'
  /** The attribute, for an item of a list with its number: `groups[3]`. */
  readonly path: string
  readonly expected: string
}

/** The attributes that an account would have. */
export interface CheckedAttributes {
  readonly attributes: Attributes
  /** What no other account may have of them. */
  readonly uniqueValues: readonly UniqueValue[]
}

/** So many values a list may have. */
const MOST_ITEMS = 100
/** So long the attributes of one account may be, as JSON. */
const MAX_BYTES = 8192

/**
 * Checks a change of attributes.
 *
 * @param before those that the account has; what is no longer declared among them stays
 * @param changes by name, as JSON has them. `0`, `false`, `""` and `[]` are values, null removes
 * @returns the attributes of after the change, or the first fault
 */
export function checkAttributes(
  before: Attributes,
  changes: AttributeChanges,
  declarations: Declarations,
): CheckedAttributes | AttributeFault {
  const after = new Map<string, AttributeValue>(Object.entries(before))
  for (const [name, value] of Object.entries(changes)) {
    const declaration = declarationOf(name, declarations)
    if (declaration === undefined) return undeclared(name, declarations)
    const read = readAttribute(name, value, declaration)
    if (isFault(read)) return read
    if (read === null) after.delete(name)
    else after.set(name, read)
  }
  const attributes = Object.fromEntries(after)
  if (Buffer.byteLength(JSON.stringify(attributes)) > MAX_BYTES) {
    return {
      reason: 'attributes_too_large',
      path: Object.keys(changes).join(', '),
      expected: `at most ${MAX_BYTES} bytes for all attributes of an account, as JSON`,
    }
  }
  return { attributes, uniqueValues: uniqueValuesOf(attributes, declarations) }
}

/** Whether a check found a fault. */
export function isFault(checked: unknown): checked is AttributeFault {
  return typeof checked === 'object' && checked !== null && 'expected' in checked
}

/** Whether two addresses, or none, are the same mailbox: who reads one of them reads the other. */
export function isSameEmail(
  one: AttributeValue | undefined,
  other: AttributeValue | undefined,
): boolean {
  const fold = (value: AttributeValue | undefined) =>
    typeof value === 'string' ? mailboxOf(value) : undefined
  return fold(one) === fold(other)
}

/** What no other account may have of these attributes, as they are declared. */
export function uniqueValuesOf(
  attributes: Attributes,
  declarations: Declarations,
): UniqueValue[] {
  return Object.entries(attributes).flatMap(([attribute, value]) => {
    const declaration = declarationOf(attribute, declarations)
    return declaration?.unique === true && isSingle(value)
      ? [{ attribute, value: foldValue(value, declaration) }]
      : []
  })
}

function declarationOf(
  name: string,
  declarations: Declarations,
): Declaration | undefined {
  if (isExternalId(name)) return EXTERNAL_ID
  const typed = attributeOfType(name)
  return typed === undefined ? declarations.get(name) : VALUE_TYPE
}

function isSingle(value: AttributeValue): value is SingleValue {
  return typeof value !== 'object'
}

function undeclared(name: string, declarations: Declarations): AttributeFault {
  return {
    reason: 'attribute_undeclared',
    path: name,
    expected: `one of ${[...declarations.keys()].join(', ') || 'none: no attribute is declared'}`,
  }
}

function readAttribute(
  name: string,
  value: unknown,
  declaration: Declaration,
): AttributeValue | AttributeFault | null {
  if (value === null) return null
  if (!declaration.list) return readSingle(name, value, declaration)
  if (!Array.isArray(value) || value.length > MOST_ITEMS) {
    return invalid(name, `a list of at most ${MOST_ITEMS} values`)
  }
  const given: readonly unknown[] = value
  const items: SingleValue[] = []
  for (const [index, item] of given.entries()) {
    const read = readSingle(`${name}[${index}]`, item, declaration)
    if (isFault(read)) return read
    items.push(read)
  }
  return items
}

function readSingle(
  path: string,
  value: unknown,
  declaration: Declaration,
): SingleValue | AttributeFault {
  return readValue(value, declaration) ?? invalid(path, expectedOf(declaration))
}

function invalid(path: string, expected: string): AttributeFault {
  return { reason: 'attribute_invalid', path, expected }
}
