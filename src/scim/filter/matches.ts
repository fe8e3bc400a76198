// Whether one of several values is meant: the filter in a path such as emails[type eq "work"].
import type { AttributePath, CompareOp, Filter } from './filter.ts'
import type { Compared } from './tokens.ts'

type Comparison = (one: string, other: string) => boolean

const COMPARISONS: Readonly<Record<CompareOp, Comparison>> = {
  eq: (one, other) => one === other,
  ne: (one, other) => one !== other,
  co: (one, other) => one.includes(other),
  sw: (one, other) => one.startsWith(other),
  ew: (one, other) => one.endsWith(other),
  gt: (one, other) => one > other,
  ge: (one, other) => one >= other,
  lt: (one, other) => one < other,
  le: (one, other) => one <= other,
}

/** Whether a value, whose parts are named in lower case, is one that the filter means. */
export function matches(filter: Filter, value: ReadonlyMap<string, unknown>): boolean {
  switch (filter.kind) {
    case 'compare':
      return compares(filter.op, value.get(nameOf(filter.path)), filter.value)
    case 'present':
      return isPresent(value.get(nameOf(filter.path)))
    case 'and':
      return filter.filters.every(each => matches(each, value))
    case 'or':
      return filter.filters.some(each => matches(each, value))
    case 'not':
      return !matches(filter.filter, value)
    case 'values':
      return false
  }
}

/** The parts that a value has which the filter means: those that it compares by `eq` and `and`. */
export function partsMeant(filter: Filter): ReadonlyMap<string, Compared> | undefined {
  if (filter.kind === 'compare' && filter.op === 'eq') {
    return new Map([[nameOf(filter.path), filter.value]])
  }
  if (filter.kind !== 'and') return undefined
  const [left, right] = filter.filters.map(partsMeant)
  return left === undefined || right === undefined
    ? undefined
    : new Map([...left, ...right])
}

function nameOf({ name, sub }: AttributePath): string {
  return sub ?? name
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

// Texts are compared whatever their case: what we keep of a value has no part that is exact.
function compares(op: CompareOp, value: unknown, other: Compared): boolean {
  return COMPARISONS[op](textOf(value), textOf(other))
}

function textOf(value: unknown): string {
  return isPresent(value) ? String(value).toLowerCase() : ''
}
