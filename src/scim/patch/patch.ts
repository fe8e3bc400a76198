// This folder says what a PATCH makes of a resource (RFC 7644 §3.5.2): all of its operations, or none. It
// works on a copy and knows nothing but the schemas: what they don't name can't be reached. Whoever calls it
// reads the result as if it had been sent whole.
import { scimError, undeclared } from '../errors.ts'
import { parsePath, type PatchPath } from '../filter/filter.ts'
import { isObject, member, type Resource, type ResourceSchemas } from '../schema.ts'
import { patchAttribute, type PatchKind } from './patch-attribute.ts'
import { resolve } from './resolve.ts'

const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'
const OPS: readonly PatchKind[] = ['add', 'replace', 'remove']

/** More are refused: each walks over what the ones before have made. */
const MOST_OPERATIONS = 1000

/** How a PATCH is read. */
export interface PatchRules {
  readonly schemas: ResourceSchemas
  /**
   * Whether what Okta, Entra ID and others send beside the RFC is refused: capitals, no `schemas`, targets
   * that are not known, a filter that finds nothing.
   */
  readonly strict: boolean
}

interface Operation {
  readonly kind: PatchKind
  readonly path: string | undefined
  readonly value: unknown
}

/**
 * The resource as it is to be; the one that is given stays as it is.
 *
 * @throws OAuthError invalidSyntax, invalidPath, invalidValue, noTarget, mutability
 */
export function applyPatch(
  resource: Resource,
  body: unknown,
  rules: PatchRules,
): Resource {
  const operations = operationsIn(body, rules)
  return operations.reduce(
    (before, operation) => applyOperation(before, operation, rules),
    resource,
  )
}

function operationsIn(body: unknown, { strict }: PatchRules): readonly Operation[] {
  const schemas = member(body, 'schemas')
  const isNamed = Array.isArray(schemas) && schemas.includes(PATCH_OP)
  if (!isNamed && (strict || schemas !== undefined)) {
    throw scimError('invalidSyntax', `schemas must name ${PATCH_OP}`)
  }
  const operations = member(body, 'Operations')
  if (!Array.isArray(operations) || operations.length === 0) {
    throw scimError('invalidSyntax', 'Operations must be a list')
  }
  if (operations.length > MOST_OPERATIONS) {
    throw scimError('tooMany', `there may be ${MOST_OPERATIONS} operations at most`)
  }
  return operations.map(each => operationOf(each, strict))
}

function operationOf(given: unknown, strict: boolean): Operation {
  const op = member(given, 'op')
  const kind = OPS.find(each => each === (strict ? op : String(op).toLowerCase()))
  if (kind === undefined) {
    throw scimError('invalidSyntax', 'op must be add, remove or replace')
  }
  const path = member(given, 'path')
  if (path !== undefined && typeof path !== 'string') {
    throw scimError('invalidPath', 'path must be a text')
  }
  const value = member(given, 'value')
  if (kind === 'add' && value === undefined && strict) {
    throw scimError('invalidValue', 'add needs a value')
  }
  return { kind, path: path === '' ? undefined : path, value }
}

function applyOperation(
  resource: Resource,
  { kind, path, value }: Operation,
  rules: PatchRules,
): Resource {
  if (path !== undefined) return applyAt(resource, { kind, path, value }, rules)
  if (kind === 'remove') throw scimError('noTarget', 'remove needs a path')
  if (!isObject(value)) {
    throw scimError('invalidValue', 'without a path the value must be an object')
  }
  return Object.entries(value).reduce(
    (before, [key, each]) => applyAt(before, { kind, path: key, value: each }, rules),
    resource,
  )
}

/** One target: an attribute, or all of an extension. */
function applyAt(
  resource: Resource,
  { kind, path, value }: { kind: PatchKind; path: string; value: unknown },
  rules: PatchRules,
): Resource {
  const extension = rules.schemas.extensions.find(
    ({ id }) => id.toLowerCase() === path.toLowerCase(),
  )
  if (extension !== undefined) {
    if (kind === 'remove') return { ...resource, [extension.id]: {} }
    if (!isObject(value)) {
      throw scimError('invalidValue', `${extension.id} must be an object`)
    }
    return Object.entries(value).reduce(
      (before, [key, each]) =>
        applyAt(before, { kind, path: `${extension.id}:${key}`, value: each }, rules),
      resource,
    )
  }
  const target = targetOf(path, rules)
  return target === undefined
    ? resource
    : patchAttribute(resource, { ...target, kind, value, strict: rules.strict })
}

/** Undefined: nothing that is kept here, such as a part of the enterprise extension. */
function targetOf(path: string, { schemas, strict }: PatchRules) {
  const parsed: PatchPath = parsePath(path)
  const found = resolve(parsed.path, schemas)
  if (found !== undefined) return { ...found, filter: parsed.filter }
  const { schema, name } = parsed.path
  const ours = schemas.extensions.find(({ id }) => id.toLowerCase() === schema)
  if (ours !== undefined && name !== 'schemas') throw undeclared(ours, name)
  if (strict) {
    throw scimError('invalidPath', 'the path names no attribute that is kept here')
  }
  return undefined
}
