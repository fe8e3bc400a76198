// latchkey users list: every account, a page of them, or those whose name or unique value begins with a text.
import { InvalidArgumentError, type Command } from 'commander'
import type { Account } from '../../stores/ports/directory.ts'
import { declarationsOf } from '../../users/attributes/declarations.ts'
import { searchFor } from '../../users/directory/search-for.ts'
import type { Io } from '../terminal/io.ts'
import { Refused } from '../terminal/refused.ts'
import { withStore, type StoreTools } from '../tools.ts'
import { describe } from './reading.ts'

interface ListOptions {
  readonly after?: string
  readonly limit?: number
  readonly search?: string
  readonly by: string
}

/** An account, and the cursor behind it. */
interface Listed {
  readonly account: Account
  readonly cursor: string
}

/** Gives the next ones behind a cursor. */
type Pages = (after: string | undefined, limit: number) => Promise<readonly Listed[]>

const MAX_LIMIT = 1000
/** As in a cursor: an instant, and a `sub`. */
const PLACE = /^(\d{1,15}) ([\x21-\x7E]{1,255})$/
const NAME = 'name'

/** Adds `users list`. */
export function addList(users: Command, io: Io): void {
  users
    .command('list')
    .description('every account in the order of creation, or those that are searched for')
    .option('--limit <number>', `one page of so many, 1 to ${MAX_LIMIT}`, readLimit)
    .option('--after <cursor>', 'continue after a page: the cursor that it ended with')
    .option(
      '--search <text>',
      'only accounts whose name begins with this, in the order of names',
    )
    .option(
      '--by <name>',
      'search by a unique attribute, such as email, instead of the name',
      NAME,
    )
    .action(
      withStore(io, async (tools, options: ListOptions) => {
        const count = await list(tools, options)
        if (count > 0 || options.after !== undefined) return
        tools.remark(
          options.search === undefined
            ? 'no account yet: latchkey users add NAME makes one'
            : `no account whose ${options.by} begins with ${options.search}`,
        )
      }),
    )
}

/** Prints them; resolves to their number. */
async function list(tools: StoreTools, options: ListOptions): Promise<number> {
  const { accounts, print } = tools
  const { after, limit, search } = options
  let count = 0
  const show = ({ account }: Pick<Listed, 'account'>) => {
    count += 1
    print(...describe(account))
  }
  if (after === undefined && limit === undefined && search === undefined) {
    for await (const account of accounts.all()) show({ account })
    return count
  }
  const pages = search === undefined ? byCreation(tools) : byText(tools, options)
  let page = await pages(after, limit ?? MAX_LIMIT)
  page.forEach(show)
  if (limit === undefined) {
    while (page.length === MAX_LIMIT) {
      page = await pages(page.at(-1)?.cursor, MAX_LIMIT)
      page.forEach(show)
    }
  } else if (page.length === limit) {
    const next = String(page.at(-1)?.cursor)
    print({ next }, `more: --after ${next}`)
  }
  return count
}

function byCreation({ accounts }: StoreTools): Pages {
  return async (cursor, limit) => {
    const after = cursor === undefined ? undefined : placeOf(cursor)
    const page = await accounts.page({ after, limit })
    return page.map(account => ({
      account,
      cursor: encode(`${account.createdAt} ${account.sub}`),
    }))
  }
}

function byText(
  { accounts, config }: StoreTools,
  { search = '', by }: ListOptions,
): Pages {
  const wanted = searchFor({ by, text: search }, declarationsOf(config.attributes))
  if (wanted === undefined) {
    throw new Refused('attribute_unknown', `${by} is neither name nor a unique attribute`)
  }
  return async (cursor, limit) => {
    const after = cursor === undefined ? undefined : decode(cursor)
    if (after?.startsWith(wanted.prefix) === false) throw badCursor()
    const found = await accounts.search({ ...wanted, after, limit })
    return found.map(({ account, text }) => ({ account, cursor: encode(text) }))
  }
}

function placeOf(cursor: string): Pick<Account, 'createdAt' | 'sub'> {
  const [, createdAt, sub] = PLACE.exec(decode(cursor)) ?? []
  if (sub === undefined) throw badCursor()
  return { createdAt: Number(createdAt), sub }
}

function badCursor(): Refused {
  return new Refused(
    'cursor_invalid',
    'cursor invalid: --after takes the cursor of a page of the same list',
  )
}

function encode(text: string): string {
  // Begins with no dash, which would look like an option.
  return `c${Buffer.from(text).toString('base64url')}`
}

function decode(cursor: string): string {
  return Buffer.from(cursor.slice(1), 'base64url').toString()
}

function readLimit(text: string): number {
  const limit = Number(text)
  if (!/^\d{1,4}$/.test(text) || limit < 1 || limit > MAX_LIMIT) {
    throw new InvalidArgumentError(`A whole number from 1 to ${MAX_LIMIT}.`)
  }
  return limit
}
