// This folder claims values that accounts have had since before their attribute was declared as unique. Until
// then nobody is found by such a value, and somebody else may take it. The command line asks for it, and a
// server at its start looks whether it has to be asked for.
import type { Account, UniqueValue } from '../../stores/ports/directory.ts'
import { uniqueValuesOf } from '../attributes/check.ts'
import type { Declarations } from '../attributes/declarations.ts'
import { isExternalId } from '../attributes/external-ids.ts'
import type { ChangeWholeAccount } from '../change-account.ts'
import type { Directory } from '../directory/directory.ts'
import { roleValues } from '../groups/role-values.ts'
import type { NameLogins } from '../attributes/login-texts.ts'
import { findTwins, type Twins, type Wanted } from './find-twins.ts'

/** What comes of claiming, and of how many accounts something was claimed. */
export interface Claimed {
  readonly accounts: number
  /** Somebody has to lose a value first. Nothing was claimed, unless they became twins meanwhile. */
  readonly twins: readonly Twins[]
}

/** How a look at every account goes on. */
export interface LookOptions {
  /** Ends the look; nothing is found then. */
  readonly signal: AbortSignal
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>
}

/** Promises reject with StoreUnavailable. */
export interface ValueClaims {
  /**
   * Claims what accounts have and nobody has claimed, or nothing at all while two accounts have one value.
   * Servers may run meanwhile, and it may be run again.
   */
  claim(): Promise<Claimed>
  /**
   * The unique attributes of which some account has a value that isn't claimed. Reads every account, with
   * pauses, unless it has found all of them before.
   */
  unclaimed(options: LookOptions): Promise<readonly string[]>
}

export interface ValueClaimsOptions {
  readonly directory: Pick<Directory, 'byValue' | 'find' | 'page'>
  readonly nameLogins: Pick<NameLogins, 'naming'>
  readonly change: ChangeWholeAccount
  /** As configured now. */
  readonly declarations: () => Declarations
}

/** So many accounts are looked at at once, */
const PAGE = 100
/** and then a server has so long for others, in milliseconds: a million accounts take some minutes. */
const PAUSE_MS = 10

/** Makes the claims. */
export function createValueClaims(options: ValueClaimsOptions): ValueClaims {
  const { directory, declarations } = options
  const claimOf = createClaimOf(options)
  const pages = () => pagesOf(directory)
  const valuesOf = (account: Account) => valuesBy(declarations(), account)

  return {
    async claim() {
      const twins = await findTwins({
        pages,
        wantedBy: createWantedBy(options),
        isClaimed: async ({ tag }, value) =>
          (await directory.byValue(value))?.tag === tag,
      })
      if (twins.length > 0) return { accounts: 0, twins }
      const outcomes: Array<Awaited<ReturnType<typeof claimOf>>> = []
      for await (const accounts of pages()) {
        const each = await Promise.all(accounts.map(claimOf))
        outcomes.push(...each.filter(outcome => outcome !== 'there'))
      }
      return {
        accounts: outcomes.filter(outcome => outcome === 'claimed').length,
        twins: outcomes.filter(outcome => typeof outcome === 'object'),
      }
    },
    async unclaimed({ signal, wait }) {
      const unique = [...declarations()].filter(([, declared]) => declared.unique)
      if (unique.length === 0) return []
      const missing = new Set<string>()
      for await (const accounts of pages()) {
        const found = await Promise.all(
          accounts.map(account => unclaimedOf(directory, account, valuesOf(account))),
        )
        for (const { attribute } of found.flat()) {
          if (!isExternalId(attribute)) missing.add(attribute)
        }
        if (signal.aborted || missing.size === unique.length) break
        await wait(PAUSE_MS)
      }
      return [...missing]
    },
  }
}

async function* pagesOf({
  page,
}: Pick<Directory, 'page'>): AsyncGenerator<readonly Account[]> {
  let after: Account | undefined
  do {
    const accounts: readonly Account[] = await page({ after, limit: PAGE })
    yield accounts
    after = accounts.at(-1)
  } while (after !== undefined)
}

function valuesBy(declarations: Declarations, { attributes }: Account): UniqueValue[] {
  return uniqueValuesOf(attributes, declarations)
}

/**
 * Makes what says of which things an account wants to have the only one: its values, and its name and the
 * names that its values stand for where users log in by both.
 */
function createWantedBy({ declarations, nameLogins }: ValueClaimsOptions) {
  const keyOf = ({ attribute, value }: UniqueValue) => JSON.stringify([attribute, value])
  return (account: Account): readonly Wanted[] => {
    const { attributes, foldedName } = account
    const uniqueValues = valuesBy(declarations(), account)
    const { logins } = nameLogins.naming({ attributes, uniqueValues })
    return [
      ...uniqueValues.map(value => ({ key: keyOf(value), attribute: value.attribute })),
      { key: foldedName },
      ...(logins?.ofValues ?? []).map(({ attribute, value, foldedName: key }) => ({
        key,
        attribute,
        unless: { attribute, value },
      })),
    ]
  }
}

/** Those of the values that aren't the account's: nobody has claimed them, or somebody else. */
async function unclaimedOf(
  { byValue }: Pick<Directory, 'byValue'>,
  { tag }: Account,
  values: readonly UniqueValue[],
): Promise<readonly UniqueValue[]> {
  const owners = await Promise.all(values.map(byValue))
  return values.filter((_, index) => owners[index]?.tag !== tag)
}

/** Makes the step that writes an account as it is, which claims its values. */
function createClaimOf({ directory, change, declarations }: ValueClaimsOptions) {
  return async function claimOf(account: Account): Promise<'there' | 'claimed' | Twins> {
    const { name, sub, roles } = account
    const values = valuesBy(declarations(), account)
    // An earlier release has written accounts without these, too.
    const wanted = [...values, ...roleValues(sub, roles)]
    const open = await unclaimedOf(directory, account, wanted)
    if (open.length === 0) return 'there'
    const outcome = await change(sub, () => ({ rewrites: 'values' }))
    if (outcome.kind === 'done') return 'claimed'
    // Removed meanwhile, or written by somebody else, who has claimed what it has.
    if (outcome.reason !== 'attribute_taken') return 'there'
    const attribute = outcome.path
    const value = open.find(each => each.attribute === attribute)
    const owner =
      (value && (await directory.byValue(value))) ??
      (await directory.find(String(account.attributes[attribute])))
    return {
      attribute,
      accounts: [{ name, sub }, ...(owner ? [{ name: owner.name, sub: owner.sub }] : [])],
    }
  }
}
