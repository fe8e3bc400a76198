// References in the strings of a parsed file: ${NAME} is taken from the environment, ${file:PATH} from a
// file; $${ is a plain ${.
import { formatPlace, type Fault, type Place } from '../faults.ts'
import { looksLikeSecret } from './shown.ts'
import { readValueFile, type ValueFile } from '../../base/value-file.ts'

/** The environment, as `process.env` gives it. */
export type Environment = Readonly<Record<string, string | undefined>>

const REFERENCE = /\$?\$\{([^}]*)\}?/g
// eslint-disable-next-line no-template-curly-in-string -- it is what people write
const FORM = '${NAME} or ${file:/path}, or $${ for a plain ${'
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const FILE = /^file:(.+)$/
const NO_LINE_BREAK =
  "no line break at its end (`echo` puts one there: use printf '%s', or kubectl create secret " +
  '--from-literal)'

/**
 * Replaces every reference in the strings of `tree`; keys are left as they are. Files are read anew at each
 * call.
 *
 * @returns the tree, and a fault for each reference that is malformed, names a variable that isn't set or a
 * file that can't be read
 */
export function substitute(
  tree: unknown,
  env: Environment,
): { tree: unknown; faults: Fault[] } {
  const faults: Fault[] = []
  return {
    tree: walk(tree, [], (text, place) => replace(text, { place, env, faults })),
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

function replace(
  text: string,
  { place, env, faults }: { place: Place; env: Environment; faults: Fault[] },
): string {
  return text.replaceAll(REFERENCE, (reference, name: string) => {
    if (reference.startsWith('$$')) return reference.slice(1)
    const found = reference.endsWith('}') ? valueOf(name, env) : { expected: FORM }
    if ('value' in found) return found.value
    faults.push({ path: formatPlace(place), expected: found.expected })
    return ''
  })
}

function valueOf(name: string, env: Environment): ValueFile {
  const file = FILE.exec(name)?.[1]
  if (file !== undefined) return readValueFile(file)
  // A malformed reference isn't repeated: it may be a piece of a secret.
  if (!NAME.test(name)) return { expected: FORM }
  const value = env[name]
  if (value !== undefined && !/[\r\n]$/.test(value)) return { value }
  const shown = looksLikeSecret(name) ? '(not shown, as it may be a secret)' : name
  const wanted = value === undefined ? 'to be set' : `to have ${NO_LINE_BREAK}`
  return { expected: `the environment variable ${shown} ${wanted}` }
}
