// Finds the accounts that a list of users has: one by a lookup, or page after page of a walk.
import type { Account } from '../../../../stores/ports/directory.ts'
import type { Accounts } from '../../../../users/accounts.ts'
import { EXTERNAL_ID } from '../../../../users/attributes/external-ids.ts'
import type { Declarations } from '../../../../users/attributes/declarations.ts'
import { uniqueValueOf } from '../../../../users/attributes/texts.ts'
import { foldValue } from '../../../../users/attributes/values.ts'
import { searchFor } from '../../../../users/directory/search-for.ts'
import { foldName } from '../../../../users/names/user-name.ts'
import type { Position } from '../cursor.ts'
import type { Term, UserPlan } from './plan.ts'

/** What users are searched with. */
export interface SearchParts {
  readonly accounts: Pick<
    Accounts,
    'bySub' | 'find' | 'byValue' | 'page' | 'search' | 'count'
  >
  readonly declarations: Declarations
  /** The attribute that has the caller's `externalId`. */
  readonly externalId: string
}

/** An account that a walk has met, and where it stands. */
export interface Met {
  readonly account: Account
  readonly position: Position
}

/** What a list of users is. */
export type UserSource =
  | { readonly kind: 'one'; readonly account: Account | undefined }
  | {
      readonly kind: 'walk'
      /** The next ones behind a position, at most so many; fewer: nothing follows. */
      next(after: Position | undefined, limit: number): Promise<readonly Met[]>
      readonly isMeant: (account: Account) => boolean
      /** How many the walk meets; undefined: nobody has counted. */
      readonly count: (() => Promise<number>) | undefined
    }

/** Where the users of a plan are; undefined: all users. */
export async function sourceOf(
  plan: UserPlan | undefined,
  parts: SearchParts,
): Promise<UserSource> {
  const { accounts } = parts
  if (plan === undefined) {
    return {
      kind: 'walk',
      next: byCreation(accounts),
      isMeant: () => true,
      count: accounts.count,
    }
  }
  const { first, checks } = plan
  if (first.op === 'eq' && first.by !== 'active') {
    const found = await lookup(first, parts)
    const isMeant = found !== undefined && checks.every(each => holds(each, found, parts))
    return { kind: 'one', account: isMeant ? found : undefined }
  }
  return {
    kind: 'walk',
    next: first.by === 'active' ? byCreation(accounts) : byText(first, parts),
    isMeant: account => [first, ...checks].every(each => holds(each, account, parts)),
    count: undefined,
  }
}

async function lookup(
  term: Exclude<Term, { by: 'active' }>,
  { accounts, declarations, externalId }: SearchParts,
): Promise<Account | undefined> {
  if (term.by === 'id') return accounts.bySub(term.text)
  if (term.by === 'userName') return accounts.find(term.text)
  const value =
    term.by === 'email'
      ? uniqueValueOf('email', term.text, declarations)
      : { attribute: externalId, value: foldValue(term.text, EXTERNAL_ID) }
  return value && accounts.byValue(value)
}

function byCreation({ page }: SearchParts['accounts']) {
  return async (after: Position | undefined, limit: number): Promise<readonly Met[]> => {
    const [createdAt, sub] = typeof after === 'object' ? after : []
    const found = await page({
      limit,
      ...(createdAt !== undefined && sub !== undefined && { after: { createdAt, sub } }),
    })
    return found.map(account => ({
      account,
      position: [account.createdAt, account.sub] as const,
    }))
  }
}

function byText(
  { by, text }: Exclude<Term, { by: 'active' }>,
  { accounts, declarations }: SearchParts,
) {
  const search = searchFor({ by: by === 'email' ? 'email' : 'name', text }, declarations)
  return async (after: Position | undefined, limit: number): Promise<readonly Met[]> => {
    const found = await accounts.search({
      prefix: '',
      ...search,
      limit,
      ...(typeof after === 'string' && { after }),
    })
    return found.map(({ account, text: position }) => ({ account, position }))
  }
}

/** Whether an account is as a term has it. */
function holds(
  term: Term,
  account: Account,
  { declarations, externalId }: SearchParts,
): boolean {
  switch (term.by) {
    case 'active':
      return account.disabled !== term.flag
    case 'id':
      return account.sub === term.text
    case 'externalId':
      return account.attributes[externalId] === term.text
    case 'userName':
      return term.op === 'eq'
        ? account.foldedName === foldName(term.text)
        : startsWith(account.foldedName, { by: 'name', term, declarations })
    case 'email': {
      const email = account.attributes['email']
      const folded =
        typeof email === 'string' ? foldValue(email, { type: 'email' }) : undefined
      return term.op === 'eq'
        ? folded !== undefined &&
            folded === uniqueValueOf('email', term.text, declarations)?.value
        : startsWith(folded ?? '', { by: 'email', term, declarations })
    }
  }
}

function startsWith(
  folded: string,
  {
    by,
    term,
    declarations,
  }: { by: string; term: { readonly text: string }; declarations: Declarations },
): boolean {
  const search = searchFor({ by, text: term.text }, declarations)
  return search !== undefined && folded !== '' && folded.startsWith(search.prefix)
}
