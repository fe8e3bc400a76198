// The built-in directory in Redis: a hash for each account (account-record.ts), and claims on names and
// unique values (claims.ts).
import type { Account, BuiltInDirectory, UniqueValue } from '../../ports/directory.ts'
import { TICKET_PURPOSES } from '../../ports/people/tickets.ts'
import type { RedisAdapter } from '../adapter.ts'
import { oneOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'
import { createAccountReader, type AccountReader } from './account-reader.ts'
import { createAddAccount } from './add-account.ts'
import {
  CHANGED,
  createChangeAccount,
  createChangeAt,
  type ChangeAccount,
} from './change-account.ts'
import { createChangeWhole } from './change-whole.ts'
import { createClaims, type Claims } from './claims/claims.ts'
import { uniqueValuesIn } from './account-record.ts'
import {
  createAccountIndex,
  indexedOf,
  type AccountIndex,
} from './index/account-index.ts'
import { entriesOf } from './index/entries.ts'
import { createPages } from './index/pages.ts'
import { createReadTogether } from './index/reach.ts'
import { createRename } from './rename-account.ts'
import { createSetAttributes } from './set-attributes.ts'
import { createFindTaken } from './claims/login-texts.ts'
import { createUniqueValues, type UniqueValues } from './claims/unique-values.ts'

export function createRedisDirectory(adapter: RedisAdapter): BuiltInDirectory {
  const { link, keys, doubt } = adapter
  const reader = createAccountReader(adapter)
  const names = createClaims(adapter, { at: adapter.names.at, holds: reader.holds })
  const values = createUniqueValues(adapter, reader)
  const change = createChangeAccount(adapter)
  const changeAt = createChangeAt(adapter)
  const upgradeScript = loadScript(link, 'people/user-upgrade')
  const index = createAccountIndex(adapter, reader)
  const parts = {
    reader,
    names,
    values,
    index,
    findTaken: createFindTaken({ names, values }),
  }
  const add = createAddAccount(adapter, parts)
  const ofName = createOfName(reader)
  const ofValue = createOfValue(reader)

  return {
    add,
    async addAll(accounts) {
      const outcomes = await Promise.all(accounts.map(add))
      return new Set(accounts.filter((_, index) => outcomes[index] === 'added'))
    },
    async byName(foldedName) {
      const account = await ofName(foldedName, await names.ownerOf(foldedName))
      // Also when somebody is found: the time taken must not give away who exists.
      await doubt()
      return account
    },
    byTag: reader.byTag,
    async byValue(value) {
      const account = await ofValue(value, await values.ownerOf(value))
      await doubt()
      return account
    },
    uniqueValuesOf: async tag => (await reader.read(tag))?.uniqueValues ?? [],
    ...createChangeWhole(adapter, parts),
    count: createCount(adapter),
    setAttributes: createSetAttributes(adapter, parts).plainly,
    rename: createRename(adapter, parts),
    setPassword: (tag, passwordHash) =>
      change({ tag, set: { passwordHash }, endsSessions: true }),
    async changePassword({ tag, passwordHash, version, keeps }) {
      const kind = await changeAt({ tag, version, set: { passwordHash }, keeps })
      // Without a ticket nothing else is refused.
      return oneOf(CHANGED, kind)
    },
    async changePending({ tag, version, pending, disabled, endsSessions }) {
      const set = { pending, ...(disabled === true && { disabled }) }
      return oneOf(CHANGED, await changeAt({ tag, version, set, endsSessions }))
    },
    async upgradePassword(tag, from, to) {
      const [upgraded] = await upgradeScript([keys.user(tag)], [from, to])
      return upgraded === 1
    },
    adopt: tag =>
      change({
        tag,
        set: { external: null },
        endsSessions: false,
      }),
    remove: createRemove(adapter, { ...parts, change }),
    ...createPages(adapter, { reader, index }),
  }
}

type OfName = (foldedName: string, tag?: string) => Promise<Account | undefined>

/**
 * Makes the look at the account of a name and the tag that has claimed it: a claim alone is no account. For a
 * name without owner somebody else's account is read, so that the time taken doesn't give away who exists.
 */
function createOfName({ byTag }: AccountReader): OfName {
  let foundLast = ''
  return async (foldedName, tag = foundLast) => {
    const account = await byTag(tag)
    if (account?.foldedName !== foldedName) return undefined
    foundLast = tag
    return account
  }
}

/** The same for a unique value. */
function createOfValue({
  read,
}: AccountReader): (value: UniqueValue, tag?: string) => Promise<Account | undefined> {
  let foundLast = ''
  return async ({ attribute, value }, tag = foundLast) => {
    const found = await read(tag)
    const isTheirs = found?.uniqueValues.some(
      own => own.attribute === attribute && own.value === value,
    )
    if (isTheirs !== true) return undefined
    foundLast = tag
    return found?.account
  }
}

/** Names stand for their accounts: each account has one. */
function createCount({ link, names }: RedisAdapter): BuiltInDirectory['count'] {
  const countScript = loadScript(link, 'people/index/count')
  const readTogether = createReadTogether(link)
  const together = async (hashes: readonly string[]) =>
    Number((await countScript(hashes))[0])
  const apart = async (hashes: readonly string[]) => {
    const counts = await link.run(client =>
      Promise.all(hashes.map(key => client.hlen(key))),
    )
    return counts.reduce((sum, count) => sum + count, 0)
  }
  return () =>
    names.everywhere(hashes =>
      readTogether(
        () => together(hashes),
        () => apart(hashes),
      ),
    )
}

interface RemoveParts {
  readonly reader: AccountReader
  readonly names: Claims
  readonly values: UniqueValues
  readonly index: AccountIndex
  readonly change: ChangeAccount
}

function createRemove(
  adapter: RedisAdapter,
  { reader, names, values, index, change }: RemoveParts,
): BuiltInDirectory['remove'] {
  const { keys, time, durably, statusBits } = adapter
  const removeScript = durably('people/user-remove')
  return async function removeAccount(tag) {
    const before = await reader.read(tag)
    // Sessions end first: whoever repeats this after a fault must still find the account.
    const areEnded = before !== undefined && (await change({ tag, endsSessions: true }))
    if (!areEnded) return false
    const [foldedName, tokens, unique] = await removeScript(
      [
        keys.user(tag),
        keys.live(tag),
        ...TICKET_PURPOSES.map(purpose => keys.ticket(tag, purpose)),
      ],
      [time()],
    )
    await statusBits.setAll(tokens)
    if (foldedName === 0) return false
    await names.release(String(foldedName), tag)
    await values.giveUp(tag, uniqueValuesIn(unique))
    await index.tidy(tag, entriesOf(indexedOf(before)))
    return true
  }
}
