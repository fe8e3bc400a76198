// Filters of the operator's with a place for what was typed. The place is filled in the parsed filter: what
// was typed is a value then, whatever it holds, and never part of the grammar (RFC 4515).
import {
  AndFilter,
  EqualityFilter,
  ExtensibleFilter,
  FilterParser,
  NotFilter,
  OrFilter,
  PresenceFilter,
  type Filter,
} from 'ldapts'

/** A filter with a place. */
export interface Template {
  /** The filter of a value. */
  fill(value: string): Filter
  /** The filter of any value. */
  any(): Filter
}

/** Makes a leaf that has the place. */
type MakeLeaf = (leaf: EqualityFilter | ExtensibleFilter) => Filter

/**
 * Reads a filter.
 *
 * @param text as RFC 4515 writes it
 * @param place such as `{name}`: stands in the value of at least one comparison, and nowhere else
 * @returns the template, or what was expected
 */
export function readTemplate(text: string, place: string): Template | string {
  const parse = () => FilterParser.parseString(text)
  let places = 0
  try {
    if (!text.startsWith('(')) return 'a filter in brackets (RFC 4515)'
    mapLeaves(parse(), place, leaf => {
      places += 1
      return leaf
    })
  } catch {
    return 'a filter that follows RFC 4515'
  }
  if (places === 0 || places !== text.split(place).length - 1) {
    return `${place} as the value of a comparison, such as (uid=${place}), and nowhere else`
  }
  return {
    fill: value => mapLeaves(parse(), place, leaf => filled(leaf, place, value)),
    any: () => mapLeaves(parse(), place, presence),
  }
}

function mapLeaves(filter: Filter, place: string, make: MakeLeaf): Filter {
  const map = (inner: Filter) => mapLeaves(inner, place, make)
  if (filter instanceof AndFilter) {
    return new AndFilter({ filters: filter.filters.map(map) })
  }
  if (filter instanceof OrFilter) {
    return new OrFilter({ filters: filter.filters.map(map) })
  }
  if (filter instanceof NotFilter) return new NotFilter({ filter: map(filter.filter) })
  const isLeaf = filter instanceof EqualityFilter || filter instanceof ExtensibleFilter
  return isLeaf && filter.value.includes(place) ? make(filter) : filter
}

function filled(
  leaf: EqualityFilter | ExtensibleFilter,
  place: string,
  typed: string,
): Filter {
  const value = String(leaf.value).replaceAll(place, () => typed)
  if (leaf instanceof EqualityFilter) {
    return new EqualityFilter({ attribute: leaf.attribute, value })
  }
  const { matchType, rule, dnAttributes } = leaf
  return new ExtensibleFilter({ matchType, rule, dnAttributes, value })
}

function presence(leaf: EqualityFilter | ExtensibleFilter): Filter {
  const attribute = leaf instanceof EqualityFilter ? leaf.attribute : leaf.matchType
  return new PresenceFilter({ attribute })
}
