// Which attributes of a resource an answer has (RFC 7644 §3.4.2.5, §3.9).
import { scimError } from './errors.ts'
import { parsePath } from './filter/filter.ts'
import { isObject, type Resource, type ResourceSchemas } from './schema.ts'

/** What a caller wants to see; undefined: all that is shown unasked. */
export interface Projection {
  readonly attributes: readonly string[] | undefined
  readonly excluded: readonly string[] | undefined
}

const ALWAYS: ReadonlySet<string> = new Set(['id', 'schemas'])

/** How many may be named: each is looked for in each resource of a page. */
const MOST_NAMES = 100

/** Reads `attributes` and `excludedAttributes`: lists, or texts with commas. */
export function readProjection(attributes: unknown, excluded: unknown): Projection {
  const read = { attributes: namesIn(attributes), excluded: namesIn(excluded) }
  if (read.attributes !== undefined && read.excluded !== undefined) {
    throw scimError(
      'invalidValue',
      'attributes and excludedAttributes exclude each other',
    )
  }
  return read
}

/** The resource with what is wanted of it. */
export function project(
  resource: Resource,
  projection: Projection,
  schemas: ResourceSchemas,
): Resource {
  return projectorOf(projection, schemas)(resource)
}

/** The same for many resources. */
export function projectorOf(
  { attributes, excluded }: Projection,
  schemas: ResourceSchemas,
): (resource: Resource) => Resource {
  const names = attributes ?? excluded
  if (names === undefined) return resource => resource
  const paths = pathsOf(names, schemas)
  return resource => pick(resource, paths, attributes !== undefined)
}

function namesIn(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined
  const items: readonly unknown[] = Array.isArray(value) ? value : [value]
  const names = items.flatMap(item => (typeof item === 'string' ? item.split(',') : []))
  const read = names.map(name => name.trim()).filter(name => name !== '')
  if (read.length > MOST_NAMES) {
    throw scimError('invalidValue', `at most ${MOST_NAMES} attributes may be named`)
  }
  return read.length === 0 ? undefined : read
}

/** `name` or `name.sub`, in lower case; those of an extension behind its id. */
function pathsOf(
  names: readonly string[],
  { core, extensions }: ResourceSchemas,
): ReadonlySet<string> {
  return new Set(
    names.flatMap(text => {
      const lower = text.toLowerCase()
      if (extensions.some(({ id }) => id.toLowerCase() === lower)) return [lower]
      const { schema, name, sub } = parsePath(text).path
      const path = sub === undefined ? name : `${name}.${sub}`
      const isCore = schema === undefined || schema === core.id.toLowerCase()
      return [isCore ? path : `${schema} ${path}`]
    }),
  )
}

function pick(
  resource: Resource,
  paths: ReadonlySet<string>,
  isWanted: boolean,
): Resource {
  const kept = Object.entries(resource).flatMap(([key, value]) => {
    if (ALWAYS.has(key)) return [[key, value] as const]
    const left = pickValue(key.toLowerCase(), value, { paths, isWanted })
    return left === undefined ? [] : [[key, left] as const]
  })
  return Object.fromEntries(kept)
}

/** What is left of a value; undefined: nothing. */
function pickValue(
  path: string,
  value: unknown,
  picking: { readonly paths: ReadonlySet<string>; readonly isWanted: boolean },
): unknown {
  const { paths, isWanted } = picking
  if (paths.has(path)) return isWanted ? value : undefined
  const parts = [...paths].filter(
    each => /^[. ]$/.test(each.charAt(path.length)) && each.startsWith(path),
  )
  if (parts.length === 0) return isWanted ? undefined : value
  if (Array.isArray(value)) return value.map(item => pickParts(path, item, picking))
  return pickParts(path, value, picking)
}

function pickParts(
  path: string,
  value: unknown,
  {
    paths,
    isWanted,
  }: { readonly paths: ReadonlySet<string>; readonly isWanted: boolean },
): unknown {
  if (!isObject(value)) return value
  const isNamed = (key: string) =>
    ['.', ' '].some(sign => paths.has(`${path}${sign}${key.toLowerCase()}`))
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => isNamed(key) === isWanted),
  )
}
