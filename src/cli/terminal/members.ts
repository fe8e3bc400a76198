/** A record to print: these members of a value, in this order, and none that it may get later. */
export function membersOf<Whole extends object>(
  whole: Whole,
  names: readonly (keyof Whole & string)[],
): Record<string, unknown> {
  return Object.fromEntries(names.map(name => [name, whole[name]]))
}
