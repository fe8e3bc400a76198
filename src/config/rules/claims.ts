// The rules of claims: names that are taken, lists that must be lists, and the budget of what never changes.
import {
  bytesOf,
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
  const { claims, audiences, tokens } = config
  const places: [place: Place, own: ClaimRules, all: ClaimRules][] = [
    [['claims'], claims, claims],
    ...Object.entries(audiences).map(
      ([audience, { claims: own }]): [Place, ClaimRules, ClaimRules] => [
        ['audiences', audience, 'claims'],
        own,
        rulesOf(audience, config),
      ],
    ),
  ]
  return places.flatMap(([place, own, all]) => [
    ...Object.entries(own).flatMap(([name, rule]) =>
      checkClaim([...place, name], name, rule),
    ),
    ...(Object.keys(own).length > 0 ? checkBudget(place, all, tokens) : []),
  ])
}

function checkClaim(place: Place, name: string, { value }: ClaimRule): Fault[] {
  const source = RESERVED_CLAIMS.get(name)
  if (source !== undefined) {
    return [fault(place, `another name: ${name} is reserved (${source})`)]
  }
  return LIST_CLAIMS.has(name) && !isListOfTexts(value)
    ? [fault([...place, 'value'], `a list of texts, as RFC 9068 has ${name}`)]
    : []
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(item => typeof item === 'string')
}

function checkBudget(
  place: Place,
  rules: ClaimRules,
  { claimsMaxBytes }: Config['tokens'],
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
