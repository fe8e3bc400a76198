// The built-in directory in Redis: a hash for each account (account-record.ts), and claims on names and
// unique values (claims.ts).
import type { Account, BuiltInDirectory, UniqueValue } from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import { loadScript } from '../scripts.ts'
import { createAccountReader, type AccountReader } from './account-reader.ts'
import { createAddAccount } from './add-account.ts'
import { createChangeAccount, type ChangeAccount } from './change-account.ts'
import { createClaims, ownerIn, type Claims } from './claims.ts'
import { uniqueValuesIn } from './account-record.ts'
import { createRename } from './rename-account.ts'
import { createSetAttributes } from './set-attributes.ts'
import { createUniqueValues, type UniqueValues } from './unique-values.ts'

export function createRedisDirectory(adapter: RedisAdapter): BuiltInDirectory {
  const { link, keys, doubt } = adapter
  const reader = createAccountReader(adapter)
  const names = createClaims(adapter, { keyOf: () => keys.names, holds: reader.holds })
  const values = createUniqueValues(adapter, reader)
  const change = createChangeAccount(adapter)
  const upgradeScript = loadScript(link, 'people/user-upgrade')
  const add = createAddAccount(adapter, { names, values })
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
    setAttributes: createSetAttributes(adapter, { reader, values }),
    rename: createRename(adapter, { reader, names }),
    setPassword: (tag, passwordHash) =>
      change({ tag, set: { passwordHash }, endsSessions: true }),
    async upgradePassword(tag, from, to) {
      const [upgraded] = await upgradeScript([keys.user(tag)], [from, to])
      return upgraded === 1
    },
    remove: createRemove(adapter, { names, values, change }),
    all: createWalk(adapter, ofName),
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

function createRemove(
  adapter: RedisAdapter,
  {
    names,
    values,
    change,
  }: {
    readonly names: Claims
    readonly values: UniqueValues
    readonly change: ChangeAccount
  },
): BuiltInDirectory['remove'] {
  const { keys, time, durably, statusBits } = adapter
  const removeScript = durably('people/user-remove')
  return async function removeAccount(tag) {
    // Sessions end first: whoever repeats this after a fault must still find the account.
    if (!(await change({ tag, endsSessions: true }))) return false
    const [foldedName, tokens, unique] = await removeScript(
      [keys.user(tag), keys.live(tag)],
      [time()],
    )
    await statusBits.setAll(tokens)
    if (foldedName === 0) return false
    await names.release(String(foldedName), tag)
    await values.giveUp(tag, uniqueValuesIn(unique))
    return true
  }
}

function createWalk(
  { link, keys }: RedisAdapter,
  ofName: OfName,
): BuiltInDirectory['all'] {
  return async function* allAccounts() {
    // HSCAN may show a field twice while the hash grows or shrinks.
    const seen = new Set<string>()
    let cursor = '0'
    do {
      const [next, pairs] = await link.run(client => client.hscan(keys.names, cursor))
      cursor = next
      for (const [index, foldedName] of pairs.entries()) {
        if (index % 2 === 1 || seen.has(foldedName)) continue
        seen.add(foldedName)
        const account = await ofName(foldedName, ownerIn(pairs[index + 1]))
        if (account !== undefined) yield account
      }
    } while (cursor !== '0')
  }
}
