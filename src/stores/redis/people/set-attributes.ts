// Replaces an account's attributes in Redis: unique values are put into the index and claimed first, then its
// record is written.
import type { AttributesChange, BuiltInDirectory } from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import type { AccountReader, FoundAccount } from './account-reader.ts'
import { createChangeAt } from './change-account.ts'
import { indexedOf, type AccountIndex } from './index/account-index.ts'
import { entriesOf } from './index/entries.ts'
import type { UniqueValues } from './unique-values.ts'

/** What the change needs beside the adapter. */
interface SetParts {
  readonly reader: AccountReader
  readonly values: UniqueValues
  readonly index: AccountIndex
}

/** Makes `setAttributes`. */
export function createSetAttributes(
  adapter: RedisAdapter,
  { reader, values, index }: SetParts,
): BuiltInDirectory['setAttributes'] {
  const changeAt = createChangeAt(adapter)
  const write = ({
    tag,
    version,
    attributes,
    emailVerified,
    uniqueValues,
  }: AttributesChange) =>
    changeAt({ tag, version, set: { attributes, emailVerified, uniqueValues } })

  async function setFrom(
    change: AttributesChange,
    before: FoundAccount,
  ): ReturnType<BuiltInDirectory['setAttributes']> {
    const { tag, version, uniqueValues } = change
    await index.put({ ...before.account, uniqueValues })
    const taken = await values.claimAll(tag, uniqueValues)
    if (taken !== undefined) return taken
    const kind = await write(change)
    if (kind !== 'changed') {
      await values.giveUp(tag, uniqueValues)
      return { kind }
    }
    await index.put({ ...before.account, uniqueValues })
    // Somebody may have taken a claim over while we were slow.
    const lost = await values.claimAll(tag, uniqueValues)
    if (lost !== undefined) {
      const { attributes, emailVerified } = before.account
      await write({ ...before, tag, attributes, emailVerified, version: version + 1 })
      await values.giveUp(tag, uniqueValues)
      return lost
    }
    await values.giveUp(tag, before.uniqueValues)
    return { kind: 'changed' }
  }

  return async function setAttributes(change) {
    const { tag, version, uniqueValues } = change
    const before = await reader.read(tag)
    if (before === undefined) return { kind: 'user_unknown' }
    if (before.account.version !== version) return { kind: 'superseded' }
    const outcome = await setFrom(change, before)
    const both = [indexedOf(before), { ...before.account, uniqueValues }]
    const texts = both.flatMap(each => entriesOf(each).texts)
    await index.tidy(tag, { created: [], texts })
    return outcome
  }
}
