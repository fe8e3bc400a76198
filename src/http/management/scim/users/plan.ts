// Which users a filter means, by what an index answers: one lookup, or a walk in an order, and what is
// checked of each account that it meets. A filter that no index answers is refused, and never run in part.
import { scimError } from '../../../../scim/errors.ts'
import type { Filter } from '../../../../scim/filter/filter.ts'
import { USER } from '../../../../scim/user/user-schema.ts'

/** A part of a filter. */
export type Term =
  | { readonly by: 'id' | 'externalId'; readonly op: 'eq'; readonly text: string }
  | { readonly by: 'userName' | 'email'; readonly op: 'eq' | 'sw'; readonly text: string }
  | { readonly by: 'active'; readonly op: 'eq'; readonly flag: boolean }

/** Each filter has one at least. */
type Terms = readonly [Term, ...Term[]]

/** How a filter is run: an index answers the first term, the others are checked. */
export interface UserPlan {
  readonly first: Term
  readonly checks: readonly Term[]
}

/** What narrows the most comes first. */
const ORDER: ReadonlyArray<readonly [by: Term['by'], op: Term['op']]> = [
  ['id', 'eq'],
  ['userName', 'eq'],
  ['externalId', 'eq'],
  ['email', 'eq'],
  ['userName', 'sw'],
  ['email', 'sw'],
  ['active', 'eq'],
]

/** By the name of an attribute and its part, in lower case. */
const TERMS: ReadonlyMap<string, Term['by']> = new Map([
  ['id', 'id'],
  ['username', 'userName'],
  ['externalid', 'externalId'],
  ['emails', 'email'],
  ['emails.value', 'email'],
  ['active', 'active'],
])

/**
 * Plans a filter of users.
 *
 * @param findsEmail whether e-mail addresses are unique, so that there is an index of them
 * @throws OAuthError invalidFilter
 */
export function planUsers(filter: Filter, findsEmail: boolean): UserPlan {
  const terms = termsOf(filter)
  if (!findsEmail && terms.some(({ by }) => by === 'email')) {
    throw notRun('emails.value has no index here: declare email with unique: true')
  }
  const first = terms.reduce((one, other) =>
    placeOf(other) < placeOf(one) ? other : one,
  )
  return { first, checks: terms.filter(term => term !== first) }
}

function placeOf(term: Term): number {
  return ORDER.findIndex(([by, op]) => by === term.by && op === term.op)
}

function termsOf(filter: Filter, within = ''): Terms {
  if (filter.kind === 'and') {
    const [one, other] = filter.filters
    return [...termsOf(one, within), ...termsOf(other, within)]
  }
  if (filter.kind === 'values' && within === '' && filter.path.sub === undefined) {
    return termsOf(filter.filter, `${filter.path.name}.`)
  }
  if (filter.kind !== 'compare') throw notRun(`${filter.kind} is not run on users`)
  const { path, op, value } = filter
  if (path.schema !== undefined && path.schema !== USER.toLowerCase()) {
    throw notRun(`${path.name} of that schema has no index`)
  }
  const name = `${within}${path.name}${path.sub === undefined ? '' : `.${path.sub}`}`
  const by = TERMS.get(name)
  if (by === undefined) throw notRun(`${name} has no index`)
  return [termOf(by, op, value)]
}

function termOf(by: Term['by'], op: string, value: unknown): Term {
  if (by === 'active') {
    const flag = String(value).toLowerCase()
    if (op === 'eq' && (flag === 'true' || flag === 'false')) {
      return { by, op, flag: flag === 'true' }
    }
    throw notRun('active is compared by eq with true or false')
  }
  if (typeof value !== 'string') throw notRun(`${by} is compared with a text`)
  if (op === 'eq') return { by, op, text: value }
  if (op === 'sw' && (by === 'userName' || by === 'email')) return { by, op, text: value }
  throw notRun(`${by} is not compared by ${op}`)
}

function notRun(why: string) {
  return scimError(
    'invalidFilter',
    `${why}; run are eq on id, userName, externalId, emails.value and active, sw on userName and ` +
      'emails.value, and these joined by and',
  )
}
