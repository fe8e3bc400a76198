// What one operation makes of one attribute.
import { isDeepStrictEqual } from 'node:util'
import { scimError } from '../errors.ts'
import type { Filter } from '../filter/filter.ts'
import { matches, partsMeant } from '../filter/matches.ts'
import { isObject, member, type Resource, type ScimAttribute } from '../schema.ts'
import type { Resolved } from './resolve.ts'

/** What is done to a target. */
export type PatchKind = 'add' | 'replace' | 'remove'

/** An operation, and what it is about. */
export interface Patched extends Resolved {
  readonly kind: PatchKind
  readonly value: unknown
  /** Which of several values; undefined: all. */
  readonly filter: Filter | undefined
  readonly strict: boolean
}

/** The resource with that attribute changed. */
export function patchAttribute(resource: Resource, patched: Patched): Resource {
  const { extension, attribute } = patched
  if (extension !== undefined) {
    const inner = member(resource, extension)
    return {
      ...resource,
      [extension]: patchAttribute(isObject(inner) ? inner : {}, {
        ...patched,
        extension: undefined,
      }),
    }
  }
  const before = member(resource, attribute.name)
  refuseReadOnly(before, patched)
  const after = changed(before, patched)
  if (after === undefined && attribute.required) {
    throw scimError('mutability', `${attribute.name} must stay`)
  }
  const { [attribute.name]: _, ...rest } = resource
  return after === undefined ? rest : { ...rest, [attribute.name]: after }
}

// Some send the id along (Okta): that changes nothing.
function refuseReadOnly(
  before: unknown,
  { attribute, value, kind, strict }: Patched,
): void {
  if (attribute.mutability !== 'readOnly') return
  const stays = kind !== 'remove' && isDeepStrictEqual(before, value)
  if (!stays || strict) throw scimError('mutability', `${attribute.name} is read-only`)
}

function changed(before: unknown, patched: Patched): unknown {
  const { attribute, sub, kind, value, filter } = patched
  if (attribute.multiValued) return changedValues(listOf(before), patched)
  if (filter !== undefined) {
    throw scimError('invalidPath', `${attribute.name} has one value only`)
  }
  if (sub !== undefined) {
    return changedPart(before, sub, kind === 'remove' ? undefined : value)
  }
  if (kind === 'remove' || value === null) return undefined
  if (attribute.type !== 'complex') return value
  if (!isObject(value)) {
    throw scimError('invalidValue', `${attribute.name} must be an object`)
  }
  return knownParts(attribute, value).reduce(
    (parts, [part, each]) => changedPart(parts, part, each),
    before,
  )
}

/** An object with one part changed; undefined where nothing is left of it. */
function changedPart(before: unknown, part: ScimAttribute, value: unknown): unknown {
  const { [part.name]: _, ...rest } = isObject(before) ? before : {}
  const after =
    value === undefined || value === null ? rest : { ...rest, [part.name]: value }
  return Object.keys(after).length === 0 ? undefined : after
}

/** The parts of a value that are kept; others are left out. */
function knownParts(
  { subAttributes = [] }: ScimAttribute,
  value: Resource,
): ReadonlyArray<readonly [ScimAttribute, unknown]> {
  return subAttributes.flatMap(part => {
    const given = Object.entries(value).find(
      ([key]) => key.toLowerCase() === part.name.toLowerCase(),
    )
    return given === undefined ? [] : [[part, given[1]] as const]
  })
}

function changedValues(before: readonly unknown[], patched: Patched): unknown {
  const { filter, sub, kind, value, attribute } = patched
  if (filter !== undefined) return orNothing(changedMatches(before, filter, patched))
  if (sub !== undefined) {
    const items = before.length === 0 && kind !== 'remove' ? [{}] : before
    return orNothing(
      items.map(item => changedPart(item, sub, kind === 'remove' ? undefined : value)),
    )
  }
  const given = listOf(value).map(each => readItem(each, attribute))
  if (kind === 'replace') return orNothing(given)
  if (kind === 'add') return orNothing(added(before, given))
  if (value === undefined) return undefined
  // With values: these, and nobody else.
  const gone = new Set(given.map(keyOf))
  return orNothing(before.filter(item => !gone.has(keyOf(item))))
}

function added(
  before: readonly unknown[],
  given: readonly unknown[],
): readonly unknown[] {
  const known = new Set(before.map(keyOf))
  const fresh = given.filter(each => !known.has(keyOf(each)))
  // One is primary (RFC 7643 §2.4).
  const hasPrimary = fresh.some(each => member(each, 'primary') === true)
  const kept = hasPrimary
    ? before.map(each => ({ ...Object(each), primary: false }))
    : before
  return [...kept, ...fresh]
}

function changedMatches(
  before: readonly unknown[],
  filter: Filter,
  { kind, sub, value, attribute, strict }: Patched,
): readonly unknown[] {
  const isMeant = (item: unknown) => matches(filter, partsOf(item))
  const change = (item: unknown): unknown => {
    if (sub !== undefined) {
      return changedPart(item, sub, kind === 'remove' ? undefined : value)
    }
    return kind === 'remove'
      ? undefined
      : { ...Object(item), ...Object(readItem(value, attribute)) }
  }
  if (before.some(isMeant)) {
    return before.map(item => (isMeant(item) ? change(item) : item))
  }
  if (kind === 'remove') return before
  // Entra ID replaces the address of a user that has none, and means one to be made.
  const parts = strict ? undefined : partsMeant(filter)
  if (parts === undefined) throw scimError('noTarget', 'no value is meant by the filter')
  return [...before, change(namedParts(parts, attribute))]
}

/** The parts, whose names are in lower case, by the names that they have. */
function namedParts(
  parts: ReadonlyMap<string, unknown>,
  { subAttributes = [] }: ScimAttribute,
) {
  return Object.fromEntries(
    subAttributes.flatMap(({ name }) =>
      parts.has(name.toLowerCase()) ? [[name, parts.get(name.toLowerCase())]] : [],
    ),
  )
}

function partsOf(item: unknown): ReadonlyMap<string, unknown> {
  if (!isObject(item)) return new Map([['value', item]])
  return new Map(Object.entries(item).map(([key, each]) => [key.toLowerCase(), each]))
}

/** A value as it is kept: the known parts of an object, by their names. */
function readItem(value: unknown, attribute: ScimAttribute): unknown {
  if (attribute.type !== 'complex') return value
  if (typeof value === 'string') return { value }
  if (!isObject(value)) {
    throw scimError('invalidValue', `a value of ${attribute.name} must be an object`)
  }
  return Object.fromEntries(
    knownParts(attribute, value).map(([{ name }, each]) => [name, each]),
  )
}

/** Values are the same by their `value`, where they have one. */
function keyOf(item: unknown): string {
  return JSON.stringify(member(item, 'value') ?? item)
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

function orNothing(values: readonly unknown[]): unknown {
  const left = values.filter(value => value !== undefined)
  return left.length === 0 ? undefined : left
}
