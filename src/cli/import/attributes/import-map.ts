// --map: where a file has the fields of an account, and its attributes.
import { InvalidArgumentError } from 'commander'
import { FIELDS, isField, type FieldMap } from '../fields.ts'
import type { AttributeMap } from './reader.ts'

/** What --map says, however often it stands. */
export interface ImportMap {
  readonly fields: FieldMap
  readonly attributes: AttributeMap
}

/** Nothing said. */
export const EMPTY_MAP: ImportMap = { fields: {}, attributes: {} }

const ATTRIBUTE = /^attributes\.(.+)$/

/**
 * Reads a list of pairs, and adds it to what stood before.
 *
 * @throws InvalidArgumentError when a pair is none, or says again what was said
 */
export function parseMap(text: string, before: ImportMap = EMPTY_MAP): ImportMap {
  const fields = new Map<string, string>(Object.entries(before.fields))
  const attributes = new Map(Object.entries(before.attributes))
  for (const pair of text.split(',')) {
    const [ours = '', theirs = '', ...more] = pair.split('=')
    const [, attribute] = ATTRIBUTE.exec(ours) ?? []
    if (theirs === '' || more.length > 0 || (attribute === undefined && !isField(ours))) {
      throw new InvalidArgumentError(
        `Pairs such as name=mail,passwordHash=pw, of ${FIELDS.join(', ')} and attributes.NAME.`,
      )
    }
    const [known, name] =
      attribute === undefined ? [fields, ours] : [attributes, attribute]
    if (known.has(name)) throw new InvalidArgumentError('A field stands twice.')
    known.set(name, theirs)
  }
  return {
    fields: Object.fromEntries(fields),
    attributes: Object.fromEntries(attributes),
  }
}

/** Why a map can't be used; undefined: it can. Attributes alone leave the fields as the system has them. */
export function mapFault({ fields }: ImportMap): string | undefined {
  if (Object.keys(fields).length === 0) return undefined
  return fields.name === undefined ||
    (fields.password ?? fields.passwordHash) === undefined
    ? 'It needs name, and password or passwordHash.'
    : undefined
}
