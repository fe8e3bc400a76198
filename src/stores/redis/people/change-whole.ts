// Changes whatever is named of an account in Redis: name and unique values are put into the index and claimed
// first, then the record is written. Whoever dies in between leaves entries and claims that no account holds:
// the first are never shown, the second may be taken over.
import type {
  Account,
  AccountChange,
  AccountChangeOutcome,
  BuiltInDirectory,
} from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import { oneOf } from '../replies.ts'
import type { AccountReader, FoundAccount } from './account-reader.ts'
import { CHANGED, createChangeAt } from './change-account.ts'
import type { Claims } from './claims/claims.ts'
import type { FindTaken } from './claims/login-texts.ts'
import { indexedOf, type AccountIndex } from './index/account-index.ts'
import { entriesOf, type Indexed } from './index/entries.ts'
import type { UniqueValues } from './claims/unique-values.ts'

/** What the change needs beside the adapter. */
interface ChangeParts {
  readonly reader: AccountReader
  readonly names: Claims
  readonly values: UniqueValues
  readonly index: AccountIndex
  readonly findTaken: FindTaken
}

type Taken = Extract<AccountChangeOutcome, { kind: 'name_taken' | 'value_taken' }>

/** Makes `change`. */
export function createChangeWhole(
  adapter: RedisAdapter,
  parts: ChangeParts,
): Pick<BuiltInDirectory, 'change'> {
  const { reader, index } = parts
  const changeFrom = createChangeFrom(adapter, parts)
  return {
    async change(request) {
      const { tag, version } = request
      const before = await reader.read(tag)
      if (before === undefined) return { kind: 'user_unknown' }
      if (before.account.version !== version) return { kind: 'superseded' }
      const next = nextOf(request, before)
      const outcome = await changeFrom(request, before, next)
      const texts = [indexedOf(before), next].flatMap(each => entriesOf(each).texts)
      await index.tidy(tag, { created: [], texts })
      return outcome
    },
  }
}

function nextOf(
  { foldedName, uniqueValues }: AccountChange,
  { account }: FoundAccount,
): Indexed {
  return { ...account, foldedName: foldedName ?? account.foldedName, uniqueValues }
}

function createChangeFrom(
  adapter: RedisAdapter,
  { index, findTaken, ...claims }: ChangeParts,
) {
  const changeAt = createChangeAt(adapter)
  const { claimAll, giveUp } = createBothClaims(claims)

  // Without a ticket none is refused.
  const write = async ({
    tag,
    version,
    endsSessions,
    logins: _,
    ...set
  }: AccountChange) => oneOf(CHANGED, await changeAt({ tag, version, endsSessions, set }))

  return async function changeFrom(
    request: AccountChange,
    before: FoundAccount,
    next: Indexed,
  ): Promise<AccountChangeOutcome> {
    const isRenamed = next.foldedName !== before.account.foldedName
    const wanted = {
      tag: next.tag,
      logins: request.logins,
      isNamed: isRenamed,
      had: before.uniqueValues,
    }
    const claim = async () => {
      const taken = (await claimAll(next, isRenamed)) ?? (await findTaken(wanted))
      if (taken !== undefined) await giveUp(next, isRenamed)
      return taken
    }
    await index.put(next)
    const taken = await claim()
    if (taken !== undefined) return taken
    const kind = await write(request)
    if (kind !== 'changed') {
      await giveUp(next, isRenamed)
      return { kind }
    }
    await index.put(next)
    // Somebody may have taken a claim over while we were slow.
    const lost = await claim()
    if (lost !== undefined) {
      await write(undoing(request, before))
      await giveUp(next, isRenamed)
      return lost
    }
    await giveUp(indexedOf(before), isRenamed)
    return { kind: 'changed' }
  }
}

/** What puts back what the account had. Sessions that have ended stay ended. */
function undoing(
  { tag, version }: AccountChange,
  { account, uniqueValues }: FoundAccount,
): AccountChange {
  const { name, foldedName, passwordHash, disabled, scopes, roles }: Account = account
  const { attributes, emailVerified } = account
  return {
    tag,
    version: version + 1,
    name,
    foldedName,
    passwordHash,
    disabled,
    scopes,
    roles,
    attributes,
    emailVerified,
    uniqueValues,
    endsSessions: false,
  }
}

/** Claims on names and unique values, together. */
function createBothClaims({ names, values }: Pick<ChangeParts, 'names' | 'values'>) {
  async function giveUp(
    { tag, foldedName, uniqueValues }: Indexed,
    isRenamed: boolean,
  ): Promise<void> {
    await values.giveUp(tag, uniqueValues)
    if (isRenamed) await names.giveUp(foldedName, tag)
  }

  return {
    giveUp,
    async claimAll(next: Indexed, isRenamed: boolean): Promise<Taken | undefined> {
      const { tag, foldedName, uniqueValues } = next
      const taken = await values.claimAll(tag, uniqueValues)
      if (taken !== undefined) return taken
      if (!isRenamed) return undefined
      return (await names.claim(foldedName, tag)) ? undefined : { kind: 'name_taken' }
    },
  }
}
