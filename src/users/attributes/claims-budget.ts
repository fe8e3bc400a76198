// How much the claims of one token may be. It is asked before an attribute is written, and never at a login.
import {
  bytesOf,
  rulesOf,
  valueBy,
  type ClaimRules,
  type ConfiguredClaims,
  type KnownOfUser,
} from '../../oauth/claims.ts'
import type { AttributeFault } from './check.ts'

/** What is configured. */
export interface ClaimsBudget extends ConfiguredClaims {
  /** The longest that the claims of one audience may be, as JSON; bytes of UTF-8. */
  readonly claimsMaxBytes: number
}

/**
 * Holds what an account would have against what it has; undefined: tokens may carry it. The fault's path is
 * the attribute that grew most.
 */
export type CheckClaims = (
  before: KnownOfUser,
  after: KnownOfUser,
) => AttributeFault | undefined

/**
 * Makes the check of a change of attributes: the claims of every audience, whatever the scope, must be within
 * the budget. A change that makes none of them longer passes also where the budget has become smaller since.
 */
export function createCheckClaims(budget: () => ClaimsBudget): CheckClaims {
  return (before, after) => {
    const { claimsMaxBytes, ...configured } = budget()
    const change = { before, after, claimsMaxBytes }
    return everyAudience(configured)
      .map(({ where, rules }) => checkAudience(where, rules, change))
      .find(fault => fault !== undefined)
  }
}

function everyAudience(
  configured: ConfiguredClaims,
): { readonly where: string; readonly rules: ClaimRules }[] {
  const { claims, audiences } = configured
  return [
    { where: 'every token', rules: claims },
    ...Object.keys(audiences).map(audience => ({
      where: `tokens for ${audience}`,
      rules: rulesOf(audience, configured),
    })),
  ]
}

function checkAudience(
  where: string,
  rules: ClaimRules,
  {
    before,
    after,
    claimsMaxBytes,
  }: Pick<ClaimsBudget, 'claimsMaxBytes'> & {
    readonly before: KnownOfUser
    readonly after: KnownOfUser
  },
): AttributeFault | undefined {
  const bytes = bytesBy(rules, after)
  if (bytes <= claimsMaxBytes || bytes <= bytesBy(rules, before)) return undefined
  const growth = (from: string) => lengthOf(from, after) - lengthOf(from, before)
  return {
    reason: 'claims_too_large',
    path: Object.values(rules)
      .map(({ from = '' }) => from)
      .reduce((most, from) => (growth(from) > growth(most) ? from : most)),
    expected:
      `claims of at most ${claimsMaxBytes} bytes (tokens.claimsMaxBytes) in ${where}; with this value they ` +
      `have ${bytes}`,
  }
}

function bytesBy(rules: ClaimRules, user: KnownOfUser): number {
  return bytesOf(
    Object.fromEntries(
      Object.entries(rules).map(([name, rule]) => [name, valueBy(rule, user)]),
    ),
  )
}

function lengthOf(from: string, user: KnownOfUser): number {
  return bytesOf({ '': valueBy({ from }, user) })
}
