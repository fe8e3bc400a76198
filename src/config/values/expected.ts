// What the schema expects at a place, in words.
import { ConfigSchema } from '../schema.ts'
import type { Place } from '../faults.ts'

/** What is read of a JSON Schema here. */
interface Node {
  readonly type?: string
  readonly const?: unknown
  readonly expected?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, Node>>
  readonly patternProperties?: Readonly<Record<string, Node>>
  readonly propertyNames?: Node
  readonly items?: Node
  readonly anyOf?: readonly Node[]
}

const WORDS: Readonly<Record<string, (node: Node) => string>> = {
  object: () => 'a mapping',
  array: describeList,
  string: () => 'a text',
  boolean: () => 'true or false',
  integer: describeNumber,
}

/** Says what belongs at `place`, which the schema knows. */
export function expectedAt(place: Place): string {
  return describe(nodeAt(place))
}

/** Says what the keys of the mapping at `place` are, where they are free. */
export function expectedKeyAt(place: Place): string {
  return describe(nodeAt(place).propertyNames ?? {})
}

/** The keys that the mapping at `place` may have. */
export function keysAt(place: Place): string[] {
  return Object.keys(nodeAt(place).properties ?? {})
}

function nodeAt(place: Place): Node {
  return place.reduce<Node>((node, step) => childOf(node, step) ?? {}, ConfigSchema)
}

function childOf(node: Node, step: string | number): Node | undefined {
  if (typeof step === 'number') return node.items
  return node.properties?.[step] ?? Object.values(node.patternProperties ?? {})[0]
}

function describe(node: Node): string {
  return (
    node.expected ?? describeUnion(node) ?? WORDS[node.type ?? '']?.(node) ?? 'nothing'
  )
}

function describeUnion({ anyOf }: Node): string | undefined {
  return anyOf && `one of ${anyOf.map(node => String(node.const)).join(', ')}`
}

function describeNumber({ minimum, maximum }: Node): string {
  return maximum === undefined
    ? `a whole number of at least ${minimum}`
    : `a whole number from ${minimum} to ${maximum}`
}

function describeList({ minItems, maxItems }: Node): string {
  if (minItems !== undefined) return `a list of at least ${minItems}`
  return maxItems === undefined ? 'a list' : `a list of at most ${maxItems}`
}
