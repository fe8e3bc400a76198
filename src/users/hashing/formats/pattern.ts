// Long regular expressions, written over several lines.

/** Joins parts of a regular expression, in order, into one. Flags of the parts are ignored. */
export function pattern(...parts: readonly RegExp[]): RegExp {
  return new RegExp(parts.map(({ source }) => source).join(''))
}
