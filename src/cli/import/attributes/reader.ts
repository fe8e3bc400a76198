// Which fields of a record become attributes, and which have no place here.
import { checkAttributes, isFault } from '../../../users/attributes/check.ts'
import type { Declarations } from '../../../users/attributes/declarations.ts'
import { isRecord, malformed, RecordRefused, valueAt, type FieldMap } from '../fields.ts'
import type { Format } from '../format.ts'
import type { System } from '../systems.ts'
import { NOTHING_WELL_KNOWN, type KnownAttribute } from './known.ts'
import { isSaid, valueFrom } from './values.ts'

/** Attribute → where a record has it. */
export type AttributeMap = Readonly<Record<string, string>>

/** A field that has a value and no place. */
export interface NotTaken {
  readonly field: string
  /** The attribute that it would be, were that declared; undefined: only a map can say. */
  readonly attribute: string | undefined
}

/** What a record says of its person. */
export interface ReadAttributes {
  readonly attributes: Readonly<Record<string, unknown>>
  readonly notTaken: readonly NotTaken[]
}

/** How attributes are found. */
export interface AttributeOrder {
  readonly from: System
  /** Where the account's own fields stand, in the place of what the system's mean. */
  readonly map: FieldMap | undefined
  /** What is said beside, or in the place of, what is known of the system. */
  readonly attributeMap: AttributeMap
  readonly declarations: Declarations
  readonly format: Format
}

/**
 * Makes the reader of a file.
 *
 * @throws RecordRefused, by the reader, when a value isn't of the declared type; it names the file's field
 */
export function createAttributeReader(
  order: AttributeOrder,
): (record: unknown) => ReadAttributes {
  const { declarations, attributeMap, format } = order
  const known = order.map === undefined ? order.from.known : NOTHING_WELL_KNOWN
  const sources = sourcesOf(order)
  const usedElsewhere = new Set(
    [attributeMap, order.map ?? order.from.map].flatMap(Object.values<string>),
  )
  const covered = coveredBy(order)
  const containers = new Set(known.containers)
  return record => {
    const attributes: Record<string, unknown> = {}
    const notTaken: NotTaken[] = []
    const take = (attribute: string, field: string, read = asItStands) => {
      const declaration = declarations.get(attribute)
      if (declaration === undefined || Object.hasOwn(attributes, attribute)) return false
      const isCell = format === 'csv' && isColumn(record, field)
      const value = valueFrom(read(valueAt(record, field)), declaration, isCell)
      check({ attribute, field, value }, declarations)
      attributes[attribute] = value
      return true
    }
    for (const { attribute, paths, read } of sources) {
      const field = paths.find(path => isSaid(valueAt(record, path)))
      if (field === undefined || take(attribute, field, read)) continue
      if (!usedElsewhere.has(field)) notTaken.push({ field, attribute })
    }
    for (const field of otherFields(record, { covered, containers })) {
      const isTaken =
        isColumn(record, field) && take(field.replace(/^attributes\./, ''), field)
      if (!isTaken) notTaken.push({ field, attribute: undefined })
    }
    return { attributes, notTaken }
  }
}

/** Whether our own form may have such a column beside the fields of an account. */
export function isAttributeColumn(
  column: string,
  { declarations, attributeMap }: Pick<AttributeOrder, 'declarations' | 'attributeMap'>,
): boolean {
  return (
    declarations.has(column.replace(/^attributes\./, '')) ||
    Object.values(attributeMap).some(path => `${path}.`.startsWith(`${column}.`))
  )
}

// A map has the last word on its attributes.
function sourcesOf({
  from,
  map,
  attributeMap,
}: Pick<AttributeOrder, 'from' | 'map' | 'attributeMap'>): KnownAttribute[] {
  const mapped = Object.entries(attributeMap).map(([attribute, path]) => ({
    attribute,
    paths: [path],
  }))
  const known = map === undefined ? from.known.attributes : []
  return [
    ...mapped,
    ...known.filter(({ attribute }) => !Object.hasOwn(attributeMap, attribute)),
  ]
}

/** Every field that is read, or that says nothing of a person. */
function coveredBy({ from, map, attributeMap }: AttributeOrder): readonly string[] {
  const mapped = Object.values(attributeMap)
  if (map !== undefined) return [...Object.values(map), ...mapped]
  return [
    ...mapped,
    ...Object.values(from.map),
    ...from.needs.flat(),
    ...from.expects.map(({ path }) => path),
    ...from.known.ignored,
    ...from.known.attributes.flatMap(({ paths }) => paths),
  ]
}

function otherFields(
  record: unknown,
  {
    covered,
    containers,
  }: { readonly covered: readonly string[]; readonly containers: ReadonlySet<string> },
): string[] {
  const within = (value: Readonly<Record<string, unknown>>, prefix: string): string[] =>
    Object.entries(value).flatMap(([key, member]) => {
      const path = `${prefix}${key}`
      if (!isSaid(member) || covered.includes(path)) return []
      const isContainer = containers.has(path)
      if (isContainer && !isRecord(member)) throw malformed(path, 'not an object of JSON')
      const isEntered = isContainer || covered.some(other => other.startsWith(`${path}.`))
      return isEntered && isRecord(member) ? within(member, `${path}.`) : [path]
    })
  return isRecord(record) ? within(record, '') : []
}

function isColumn(record: unknown, field: string): boolean {
  return isRecord(record) && Object.hasOwn(record, field)
}

function check(
  {
    attribute,
    field,
    value,
  }: { readonly attribute: string; readonly field: string; readonly value: unknown },
  declarations: Declarations,
): void {
  const fault = checkAttributes({}, { [attribute]: value }, declarations)
  if (!isFault(fault) || fault.reason !== 'attribute_invalid') return
  const { reason, path, expected } = fault
  throw new RecordRefused({
    reason,
    field: field + path.slice(attribute.length),
    detail: `expected ${expected}, for the attribute ${attribute}`,
  })
}

function asItStands(value: unknown): unknown {
  return value
}
