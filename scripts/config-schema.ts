// Writes docs/config.schema.json, the table of keys in docs/configuration.md and `config` in the chart's
// values.schema.json from the one schema: `node scripts/config-schema.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { ConfigSchema } from '../src/config/schema.ts'
import { layOut } from './markdown.ts'

const SCHEMA_FILE = new URL('../docs/config.schema.json', import.meta.url)
const PAGE_FILE = new URL('../docs/configuration.md', import.meta.url)
const VALUES_FILE = new URL('../helm/latchkey/values.schema.json', import.meta.url)
const TABLE =
  /(<!-- keys: written by scripts\/config-schema.ts -->\n)[^]*(<!-- end of keys -->)/

/** What is read of a schema here. */
interface Node {
  readonly type?: string
  readonly const?: unknown
  readonly default?: unknown
  readonly description?: string
  readonly expected?: string
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly required?: readonly string[] | undefined
  readonly properties?: Readonly<Record<string, Node>>
  readonly patternProperties?: Readonly<Record<string, Node>>
  readonly items?: Node
  readonly anyOf?: readonly Node[]
}

/** The text of docs/config.schema.json. */
export function schemaText(): string {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'https://latchkey.example/config.schema.json',
    ...publicSchema(publicMembers),
  }
  return `${JSON.stringify(schema, undefined, 2)}\n`
}

const publicSchema = (members: typeof publicMembers) =>
  JSON.parse(JSON.stringify(ConfigSchema, members))

/** The text of docs/configuration.md: `page` with its table of keys written anew. */
export async function pageText(page: string): Promise<string> {
  const text = page.replace(
    TABLE,
    (_, head: string, tail: string) => `${head}${tableText()}${tail}`,
  )
  return layOut(text)
}

/**
 * The text of the chart's values.schema.json: `values` with its `config` written anew. The chart itself sets
 * the secrets and the store's URL. Helm says of a wrong text only which pattern it doesn't match: there the
 * pattern has a name, which says what was expected.
 */
export function valuesText(values: string): string {
  const {
    required,
    properties: { secrets, store, ...properties },
    ...config
  } = publicSchema(namedPatterns)
  delete store.properties.url
  const { properties: others, ...schema } = JSON.parse(values)
  const whole = {
    ...config,
    properties: {
      ...properties,
      issuer: { ...properties.issuer, pattern: `^$|${properties.issuer.pattern}` },
      store: { ...store, required: [] },
    },
  }
  return `${JSON.stringify({ ...schema, properties: { ...others, config: whole } }, undefined, 2)}\n`
}

/**
 * Leaves out what only we read; a key with a default may be missing in a file, and `${NAME}` may stand for a
 * string.
 */
function publicMembers(name: string, value: unknown): unknown {
  if (name.startsWith('~') || name === 'expected') return undefined
  if (!isNode(value)) return value
  if (value.properties && value.required) {
    return {
      ...value,
      required: value.required.filter(
        key => value.properties?.[key]?.default === undefined,
      ),
    }
  }
  if (value.pattern && name !== 'propertyNames') {
    return { ...value, pattern: `${value.pattern}|\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}` }
  }
  return value
}

function namedPatterns(name: string, value: unknown): unknown {
  const node = publicMembers(name, value)
  if (!isNode(node) || node.pattern === undefined || node.expected === undefined) {
    return node
  }
  const words = node.expected.replaceAll(/[^A-Za-z0-9]+/g, '_').replaceAll(/^_|_$/g, '')
  return { ...node, pattern: `(?<expected_${words}>${node.pattern})` }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null
}

function tableText(): string {
  const rows = rowsOf(ConfigSchema, '').map(
    cells => `| ${cells.map(escapeCell).join(' | ')} |\n`,
  )
  return `| key | type | default | meaning |\n| --- | --- | --- | --- |\n${rows.join('')}`
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function rowsOf(node: Node, path: string): string[][] {
  return childrenOf(node, path).flatMap(([child, childPath]) => {
    const below = rowsOf(child, childPath)
    return below.length > 0 && child.type === 'object'
      ? below
      : [rowOf(child, childPath), ...below]
  })
}

function childrenOf(node: Node, path: string): [Node, string][] {
  const prefix = path === '' ? '' : `${path}.`
  return [
    ...Object.entries(node.properties ?? {}).map(([key, child]): [Node, string] => [
      child,
      `${prefix}${key}`,
    ]),
    ...Object.values(node.patternProperties ?? {}).map((child): [Node, string] => [
      child,
      `${path}["…"]`,
    ]),
    ...(node.items?.properties ? childrenOf(node.items, `${path}[]`) : []),
  ]
}

function rowOf(node: Node, path: string): string[] {
  return [`\`${path}\``, typeOf(node), defaultOf(node), node.description ?? '']
}

function typeOf(node: Node): string {
  if (node.expected) return node.expected
  if (node.anyOf) {
    return node.anyOf.map(({ const: name }) => `\`${String(name)}\``).join(', ')
  }
  if (node.type === 'array') {
    return `list of: ${node.items?.properties ? 'mappings' : typeOf(node.items ?? {})}`
  }
  if (node.type === 'integer') {
    return node.maximum === undefined
      ? `whole number, at least ${node.minimum}`
      : `whole number, ${node.minimum} to ${node.maximum}`
  }
  return node.type === 'string' ? 'text' : (node.type ?? '')
}

function defaultOf(node: Node): string {
  return node.default === undefined
    ? ''
    : `\`${typeof node.default === 'string' ? node.default : JSON.stringify(node.default)}\``
}

if (import.meta.main) {
  writeFileSync(SCHEMA_FILE, schemaText())
  writeFileSync(VALUES_FILE, valuesText(readFileSync(VALUES_FILE, 'utf8')))
  writeFileSync(PAGE_FILE, await pageText(readFileSync(PAGE_FILE, 'utf8')))
}
