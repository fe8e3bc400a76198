// What the parts of the configuration's schema are made of.
import { Type, type TSchema } from 'typebox'
import {
  JOSE_NAMES,
  requireAlgorithm,
  type AlgorithmName,
  type JoseName,
} from '../../oauth/algorithms.ts'
import { DURATION_PATTERN, formatDuration, parseDuration } from '../values/duration.ts'

/** Keys that nobody knows are refused. */
export const strict = { additionalProperties: false }

/** A span such as 15m, in milliseconds once it is read. */
export function duration(defaultValue: string, description: string) {
  const text = Type.String({
    pattern: DURATION_PATTERN,
    default: defaultValue,
    description,
    expected: 'a duration such as 10s, 15m, 12h or 14d',
  })
  return Type.Codec(text).Decode(parseDuration).Encode(formatDuration)
}

/** The same, where it may be left out. */
export function optionalDuration(description: string) {
  const text = Type.String({
    pattern: DURATION_PATTERN,
    description,
    expected: 'a duration such as 10s, 15m, 12h or 14d',
  })
  return Type.Optional(Type.Codec(text).Decode(parseDuration).Encode(formatDuration))
}

/** A part of the configuration; all of it may be left out. */
export function section<Properties extends Record<string, TSchema>>(
  description: string,
  properties: Properties,
) {
  return Type.Object(properties, { ...strict, default: {}, description })
}

/** A port to listen on. */
export const port = (value: number, description: string) =>
  Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: value,
    description,
  })

/** One scope (RFC 6749 §3.3). */
export const ScopeToken = Type.String({
  pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]+$',
  expected: 'a scope: printable ASCII without space, " and \\',
})

/** One audience (RFC 7519 §4.1.3). */
export const Audience = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: '^[\\x21-\\x7E]+$',
  expected: 'an audience: a URI or a name without blanks',
})

/**
 * A signing algorithm, decoded to the name that tokens bear: Ed25519 and EdDSA are the same (RFC 9864).
 */
export function algorithm(options: {
  readonly default?: AlgorithmName
  readonly description: string
}) {
  const names = Type.Union(JOSE_NAMES.map(name => Type.Literal(name)))
  const expected = `one of ${JOSE_NAMES.join(', ')}`
  return Type.Codec(Object.assign(Type.Unsafe<JoseName>(names), { ...options, expected }))
    .Decode(name => requireAlgorithm(name).name)
    .Encode(name => name)
}
