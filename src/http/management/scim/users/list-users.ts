// One page of a list of users: by cursor (RFC 9865), or by index for clients that know nothing else.
import { scimError } from '../../../../scim/errors.ts'
import type { Account } from '../../../../stores/ports/directory.ts'
import type { Cursors, Position } from '../cursor.ts'
import type { UserSource } from './find-users.ts'

/** So many accounts one answer looks at, where most of them are not meant. */
const MOST_LOOKED_AT = 2_000
/** So far pages by index go: each walks over all pages before it. */
const MOST_BY_INDEX = 20_000
/** So many in one step. */
const STEP = 500
/** So many at least, once some of those met were not meant. */
const LEAST_STEP = 100

type Walk = Extract<UserSource, { kind: 'walk' }>

/** Which page. */
export interface PageRequest {
  readonly count: number
  readonly startIndex: number
  /** Undefined: by index. */
  readonly cursor: string | undefined
}

/** A page. */
export interface Page {
  readonly accounts: readonly Account[]
  /** Undefined: nobody has counted. */
  readonly total: number | undefined
  /** Undefined: by cursor. */
  readonly startIndex: number | undefined
  /** Undefined: nothing follows, or by index. */
  readonly nextCursor: string | undefined
}

/**
 * Reads a page.
 *
 * @param list what the list is, for its cursors
 * @throws OAuthError invalidCursor, tooMany
 */
export async function readPage(
  source: UserSource,
  request: PageRequest,
  { cursors, list }: { readonly cursors: Cursors; readonly list: readonly string[] },
): Promise<Page> {
  if (source.kind === 'one') return pageOfOne(source.account, request)
  if (request.cursor === undefined) return pageByIndex(source, request)
  const after = request.cursor === '' ? undefined : cursors.open(request.cursor, list)
  const { accounts, rest } = await collect(source, after, request.count)
  return {
    accounts,
    total: await source.count?.(),
    startIndex: undefined,
    nextCursor: rest === undefined ? undefined : cursors.seal(rest, list),
  }
}

function pageOfOne(
  account: Account | undefined,
  { count, startIndex, cursor }: PageRequest,
): Page {
  const all = account === undefined ? [] : [account]
  return {
    accounts: all.slice(startIndex - 1, startIndex - 1 + count),
    total: all.length,
    startIndex: cursor === undefined ? startIndex : undefined,
    nextCursor: undefined,
  }
}

/** The next accounts that are meant; `rest`: where to go on, undefined where nothing follows. */
async function collect(
  { next, isMeant }: Walk,
  from: Position | undefined,
  count: number,
): Promise<{
  readonly accounts: readonly Account[]
  readonly rest: Position | undefined
}> {
  if (count === 0) return { accounts: [], rest: undefined }
  const accounts: Account[] = []
  let after = from
  let step = count
  for (let looked = 0; looked < MOST_LOOKED_AT; looked += step, step = LEAST_STEP) {
    step = Math.min(Math.max(step, count - accounts.length), MOST_LOOKED_AT - looked)
    // One more, which says whether anything follows.
    const met = await next(after, step + 1)
    for (const [index, { account, position }] of met.slice(0, step).entries()) {
      after = position
      if (isMeant(account)) accounts.push(account)
      if (accounts.length < count) continue
      return { accounts, rest: index + 1 < met.length ? after : undefined }
    }
    if (met.length <= step) return { accounts, rest: undefined }
  }
  return { accounts, rest: after }
}

async function pageByIndex(
  source: Walk,
  { count, startIndex }: PageRequest,
): Promise<Page> {
  const total = await source.count?.()
  const last = startIndex - 1 + count
  if (last > MOST_BY_INDEX && startIndex <= (total ?? startIndex)) throw tooMany()
  // Where nobody has counted, all that are meant are counted here.
  const isBeyond = total !== undefined && startIndex > total
  const wanted = total === undefined ? MOST_BY_INDEX + 1 : Math.min(last, total)
  const found = wanted === 0 || isBeyond ? [] : await walk(source, wanted)
  return {
    accounts: found.slice(startIndex - 1, last),
    total: total ?? found.length,
    startIndex,
    nextCursor: undefined,
  }
}

/** The first accounts that are meant: so many, or all where there are fewer. */
async function walk(
  { next, isMeant, count }: Walk,
  wanted: number,
): Promise<readonly Account[]> {
  const accounts: Account[] = []
  let after: Position | undefined
  for (let looked = 0; accounts.length < wanted; looked += STEP) {
    if (looked >= MOST_BY_INDEX && count === undefined) throw tooMany()
    // Whom nobody has asked for isn't read, where each that is met is meant.
    const step = count === undefined ? STEP : Math.min(STEP, wanted - accounts.length)
    const met = await next(after, step)
    accounts.push(...met.map(({ account }) => account).filter(isMeant))
    if (met.length < step) break
    after = met.at(-1)?.position
  }
  return accounts
}

function tooMany() {
  return scimError(
    'tooMany',
    `there are too many for pages by index, which go to ${MOST_BY_INDEX}: page by cursor`,
  )
}
