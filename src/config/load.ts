// Reads the configuration: YAML, ${NAME} from the environment, the schema, the rules between keys. All faults
// are told at once.
import { readFile } from 'node:fs/promises'
import { Settings } from 'typebox/system'
import { Value } from 'typebox/value'
import { decodeUtf8 } from '../base/utf8.ts'
import { ConfigError, formatPlace, type Fault, type Place } from './faults.ts'
import { expectedAt, expectedKeyAt, keysAt } from './values/expected.ts'
import { nearest } from './values/nearest.ts'
import { checkRules } from './rules/rules.ts'
import { ConfigSchema, type Config } from './schema.ts'
import { looksLikeKey } from './values/shown.ts'
import { unsafeKeys } from './values/unsafe-keys.ts'
import { substitute, type Environment } from './values/variables.ts'
import { parseYaml, type ParsedYaml } from './values/yaml.ts'

/** What the schema's check reports. */
type SchemaError = ReturnType<typeof Value.Errors>[number]

type LineOf = ParsedYaml['lineOf']

/** What is known of a tree before it is checked. */
interface Known {
  readonly faults: readonly Fault[]
  readonly lineOf: LineOf
}

const NOTHING_KNOWN: Known = { faults: [], lineOf: () => undefined }

/**
 * Reads a configuration file.
 *
 * @throws ConfigError when it can't be read or used
 */
export async function loadConfig(file: string, env: Environment): Promise<Config> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new ConfigError([
      { path: file, expected: `a file that can be read (${error.code})` },
    ])
  })
  return parseConfig(decode(bytes), env)
}

function decode(bytes: Buffer): string {
  const text = decodeUtf8(bytes)
  if (typeof text === 'string') return text
  const { line, advice } = text
  throw new ConfigError([{ path: `line ${line}`, expected: `UTF-8 (${advice})` }])
}

/**
 * Reads the text of a configuration file.
 *
 * @throws ConfigError with every fault of the schema, or, when there are none, of the rules between keys
 */
export function parseConfig(text: string, env: Environment): Config {
  const { tree: written, lineOf } = parseYaml(text)
  const { tree, faults } = substitute(written, env)
  return decodeConfig(tree, { faults, lineOf })
}

/**
 * Checks a parsed configuration and fills in the defaults.
 *
 * @param known.faults found before; what the schema says about the same places is left out
 * @param known.lineOf where a key stands in the file, which is undefined where there is no file
 * @throws ConfigError as parseConfig does
 */
export function decodeConfig(tree: unknown, known: Known = NOTHING_KNOWN): Config {
  const complete = Value.Default(ConfigSchema, tree)
  refuse(
    distinct([
      ...known.faults,
      ...schemaFaults(complete, known.lineOf),
      ...unsafeKeys(complete),
    ]),
  )
  const config = Value.Decode(ConfigSchema, complete)
  refuse(checkRules(config))
  return config
}

function refuse(faults: readonly Fault[]): void {
  if (faults.length > 0) throw new ConfigError(faults)
}

function distinct(faults: readonly Fault[]): Fault[] {
  return [
    ...new Map(faults.toReversed().map(fault => [fault.path, fault])).values(),
  ].reverse()
}

function schemaFaults(tree: unknown, lineOf: LineOf): Fault[] {
  return allErrors(tree).flatMap(error =>
    toFaults(error, toPlace(error.instancePath, tree), lineOf).map(fault => ({
      ...fault,
      expected: fault.expected + ofClient(toPlace(error.instancePath, tree), tree),
    })),
  )
}

// A secret that is refused: an operator looks for the client by its id.
function ofClient([section, number, key, item]: Place, tree: unknown): string {
  if (section !== 'clients' || key !== 'secrets' || item === undefined) return ''
  const { id } = Object(Object(tree)[section][Number(number)])
  return typeof id === 'string' && /^[\x20-\x7E]{1,64}$/.test(id)
    ? `, for the client ${id}`
    : ''
}

/**
 * The library stops at eight errors unless its process-wide setting says otherwise; requests keep that limit.
 */
function allErrors(tree: unknown): SchemaError[] {
  const { maxErrors } = Settings.Get()
  Settings.Set({ maxErrors: Number.MAX_SAFE_INTEGER })
  try {
    return Value.Errors(ConfigSchema, tree)
  } finally {
    Settings.Set({ maxErrors })
  }
}

function toFaults(error: SchemaError, place: Place, lineOf: LineOf): Fault[] {
  // These say again what the error of the whole mapping says.
  if (error.keyword === 'boolean' || error.schemaPath.endsWith('/propertyNames')) {
    return []
  }
  if (error.keyword === 'propertyNames') {
    return error.params.propertyNames.map(key =>
      faultOf([...place, key], expectedKeyAt(place)),
    )
  }
  if (error.keyword === 'additionalProperties') {
    return error.params.additionalProperties.map(key => unknownKey(place, key, lineOf))
  }
  if (error.keyword === 'required') {
    return error.params.requiredProperties.map(key => faultAt([...place, key]))
  }
  return [faultAt(place)]
}

function faultAt(place: Place): Fault {
  return faultOf(place, expectedAt(place))
}

function faultOf(place: Place, expected: string): Fault {
  return { path: formatPlace(place), expected }
}

function unknownKey(place: Place, key: string, lineOf: LineOf): Fault {
  const known = keysAt(place)
  const meant = nearest(key, known)
  if (meant !== undefined) {
    return faultOf([...place, key], `no such key (${meant} was meant?)`)
  }
  const expected = `no such key (known here: ${known.join(', ')})`
  if (looksLikeKey(key)) return faultOf([...place, key], expected)
  const line = lineOf([...place, key])
  const steps = [
    ...(place.length > 0 ? [formatPlace(place)] : []),
    ...(line === undefined ? [] : [`line ${line}`]),
  ]
  return {
    path: steps.join(', ') || formatPlace([]),
    expected: `${expected}; it is not shown, as it may be a secret`,
  }
}

/** Reads a JSON pointer, taking the steps through lists as numbers. */
function toPlace(pointer: string, tree: unknown): Place {
  let value = tree
  return pointer
    .split('/')
    .slice(1)
    .map(step => {
      const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
      const inList = Array.isArray(value)
      value = Object(value)[key]
      return inList ? Number(key) : key
    })
}
