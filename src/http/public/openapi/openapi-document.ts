// The last step to the OpenAPI document: schemas that several routes share become components.
import { isDeepStrictEqual } from 'node:util'

/** The part of a document that is changed here. */
interface Document {
  readonly paths?: object
  readonly components?: object
}

/** The document without the tags that no operation has: a page would draw them as empty chapters. */
export function withUsedTags<Given extends TaggedDocument>(document: Given): Given {
  const operations: unknown[] = Object.values(document.paths ?? {}).flatMap(Object.values)
  const used = new Set(operations.flatMap(operation => Object(operation).tags))
  return { ...document, tags: document.tags?.filter(({ name }) => used.has(name)) }
}

interface TaggedDocument {
  readonly paths?: object
  readonly tags?: ReadonlyArray<{ readonly name: string }>
}

type Schemas = Record<string, unknown>

/**
 * The document with each schema that has a title as a component, and a reference wherever it stood. A body
 * without a required member may be left out.
 *
 * @throws Error when two different schemas have the same title
 */
export function withComponents<Given extends Document>(document: Given): Given {
  const schemas: Schemas = {}
  const paths = lift(document.paths, schemas)
  return { ...document, paths, components: { ...document.components, schemas } }
}

function lift(value: unknown, schemas: Schemas): unknown {
  if (Array.isArray(value)) return value.map(item => lift(item, schemas))
  if (typeof value !== 'object' || value === null) return value
  const lifted: Record<string, unknown> = Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, lift(inner, schemas)]),
  )
  if ('requestBody' in value) {
    const required = mustBeThere(value.requestBody)
    lifted['requestBody'] = { ...Object(lifted['requestBody']), required }
  }
  const { title } = lifted
  return typeof title === 'string' ? reference(title, lifted, schemas) : lifted
}

function reference(title: string, schema: unknown, schemas: Schemas): object {
  if (title in schemas && !isDeepStrictEqual(schemas[title], schema)) {
    throw new Error(`two schemas of the OpenAPI document are called ${title}`)
  }
  schemas[title] = schema
  return { $ref: `#/components/schemas/${title}` }
}

// Read before it is lifted: afterwards its schema is a reference.
function mustBeThere(body: unknown): boolean {
  const media: unknown[] = Object.values(Object(body).content)
  return media.some(form => Object(form).schema.required !== undefined)
}
