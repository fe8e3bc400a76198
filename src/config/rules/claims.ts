// The rules of claims: names that are taken, attributes that are there, lists that must be lists, and the
// budget of what never changes.
import {
  bytesOf,
  EMAIL_VERIFIED,
  isListOfTexts,
  LIST_CLAIMS,
  RESERVED_CLAIMS,
  rulesOf,
  type ClaimRule,
  type ClaimRules,
} from '../../oauth/claims.ts'
import type { Fault, Place } from '../faults.ts'
import type { Config } from '../schema.ts'
import { fault } from './shared.ts'

/** Checks `claims`, for all audiences and for single ones. */
export function checkClaims(config: Config): Fault[] {
  const { claims, audiences } = config
  return [
    ...checkRulesAt(['claims'], claims, config),
    ...checkBudget(['claims'], claims, config),
    ...Object.entries(audiences).flatMap(([audience, { claims: own }]) => {
      const place = ['audiences', audience, 'claims']
      const all = Object.keys(own).length > 0 ? rulesOf(audience, config) : {}
      return [...checkRulesAt(place, own, config), ...checkBudget(place, all, config)]
    }),
  ]
}

function checkRulesAt(place: Place, rules: ClaimRules, { attributes }: Config): Fault[] {
  return Object.entries(rules).flatMap(([name, rule]) => {
    const source = RESERVED_CLAIMS.get(name)
    const at = [...place, name]
    if (source !== undefined) {
      return [fault(at, `another name: ${name} is reserved (${source})`)]
    }
    return rule.from === undefined
      ? checkValue(at, name, rule)
      : checkFrom(at, name, { ...rule, from: rule.from, attributes })
  })
}

function checkValue(place: Place, name: string, { value }: ClaimRule): Fault[] {
  const at = [...place, 'value']
  if (value === undefined) {
    return [fault(at, 'a value, or from with the name of an attribute in its place')]
  }
  return LIST_CLAIMS.has(name) && !isListOfTexts(value)
    ? [fault(at, `a list of texts, as RFC 9068 has ${name}`)]
    : []
}

function checkFrom(
  place: Place,
  name: string,
  {
    from,
    value,
    attributes,
  }: ClaimRule & { readonly from: string } & Pick<Config, 'attributes'>,
): Fault[] {
  const at = [...place, 'from']
  if (value !== undefined) return [fault(at, 'no such key beside value')]
  const known = Object.keys(attributes)
  if (known.includes('email')) known.push(EMAIL_VERIFIED)
  if (!known.includes(from)) {
    const names = known.join(', ') || 'there is none'
    return [fault(at, `an attribute that is declared in attributes (${names})`)]
  }
  return LIST_CLAIMS.has(name) && !isDeclaredAsTexts(attributes[from])
    ? [fault(at, `an attribute with list: true and texts, as RFC 9068 has ${name}`)]
    : []
}

function isDeclaredAsTexts(declared: Config['attributes'][string] | undefined): boolean {
  return (
    declared?.list === true && declared.type !== 'integer' && declared.type !== 'boolean'
  )
}

function checkBudget(
  place: Place,
  rules: ClaimRules,
  { tokens: { claimsMaxBytes } }: Config,
): Fault[] {
  const fixed = Object.entries(rules).map(([name, { value }]) => [name, value])
  const bytes = bytesOf(Object.fromEntries(fixed))
  return bytes > claimsMaxBytes
    ? [
        fault(
          place,
          `values of at most tokens.claimsMaxBytes (${claimsMaxBytes}) bytes; these have ${bytes}`,
        ),
      ]
    : []
}
