// Which attribute a path names.
import type { AttributePath } from '../filter/filter.ts'
import {
  COMMON,
  findAttribute,
  type ResourceSchemas,
  type ScimAttribute,
} from '../schema.ts'

/** An attribute of a resource. */
export interface Resolved {
  readonly attribute: ScimAttribute
  /** The part of it that is meant; undefined: all. */
  readonly sub: ScimAttribute | undefined
  /** The extension that it stands in; undefined: none. */
  readonly extension: string | undefined
}

/** Undefined: the schemas have no such attribute. */
export function resolve(
  { schema, name, sub }: AttributePath,
  { core, extensions }: ResourceSchemas,
): Resolved | undefined {
  const isCore = schema === undefined || schema === core.id.toLowerCase()
  const own = isCore ? findAttribute([...core.attributes, ...COMMON], name) : undefined
  if (own !== undefined) return withSub(own, sub, undefined)
  for (const { id, attributes } of extensions) {
    if (schema !== id.toLowerCase()) continue
    const found = findAttribute(attributes, name)
    if (found !== undefined) return withSub(found, sub, id)
  }
  return undefined
}

function withSub(
  attribute: ScimAttribute,
  name: string | undefined,
  extension: string | undefined,
): Resolved | undefined {
  if (name === undefined) return { attribute, sub: undefined, extension }
  const sub = findAttribute(attribute.subAttributes ?? [], name)
  return sub && { attribute, sub, extension }
}
