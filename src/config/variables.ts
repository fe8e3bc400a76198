// ${NAME} in the strings of a parsed file, taken from the environment; $${ is a plain ${.
import { formatPlace, type Fault, type Place } from './faults.ts'

/** The environment, as `process.env` gives it. */
export type Environment = Readonly<Record<string, string | undefined>>

const REFERENCE = /\$?\$\{([^}]*)\}?/g
// eslint-disable-next-line no-template-curly-in-string -- it is what people write
const FORM = '${NAME}, or $${ for a plain ${'
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Replaces every reference in the strings of `tree`; keys are left as they are.
 *
 * @returns the tree, and a fault for each reference that is malformed or names a variable that isn't set
 */
export function substitute(
  tree: unknown,
  env: Environment,
): { tree: unknown; faults: Fault[] } {
  const faults: Fault[] = []
  return {
    tree: walk(tree, [], (text, place) => replace(text, place, env, faults)),
    faults,
  }
}

function walk(
  value: unknown,
  place: Place,
  onText: (text: string, place: Place) => string,
): unknown {
  if (typeof value === 'string') return onText(value, place)
  if (Array.isArray(value)) {
    return value.map((item, index) => walk(item, [...place, index], onText))
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      walk(item, [...place, key], onText),
    ]),
  )
}

function replace(text: string, place: Place, env: Environment, faults: Fault[]): string {
  return text.replaceAll(REFERENCE, (reference, name: string) => {
    if (reference.startsWith('$$')) return reference.slice(1)
    const value = env[name]
    // A malformed reference isn't repeated: it may be a piece of a secret.
    if (!NAME.test(name) || !reference.endsWith('}')) {
      faults.push({ path: formatPlace(place), expected: FORM })
    } else if (value === undefined) {
      faults.push({
        path: formatPlace(place),
        expected: `the environment variable ${name} to be set`,
      })
    }
    return value ?? ''
  })
}
