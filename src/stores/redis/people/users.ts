// The accounts in Redis: a hash each, and one hash of all names.
import type { Account, NewAccount, Users } from '../../ports/users.ts'
import type { RedisAdapter } from '../adapter.ts'
import { createNames, ownerIn } from './names.ts'
import { accountOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'

export function createRedisUsers(adapter: RedisAdapter): Users {
  const { link, keys, time, durably, doubt, statusBits } = adapter
  const names = createNames(adapter, holds)
  const addScript = durably('people/user-add')
  const changeScript = durably('people/user-change')
  const upgradeScript = loadScript(link, 'people/user-upgrade')
  const removeScript = durably('people/user-remove')
  let foundLast = ''

  const keysOf = (tag: string) => [keys.user(tag), keys.live(tag)]

  async function byTag(tag: string): Promise<Account | undefined> {
    return accountOf(tag, await link.run(client => client.hgetall(keys.user(tag))))
  }

  async function holds(tag: string, foldedName: string): Promise<boolean> {
    return (await byTag(tag))?.foldedName === foldedName
  }

  /**
   * The account of a name, if the name's owner has it: a claim alone is none. For a name without owner
   * somebody else's account is read, so that time does not tell who exists.
   */
  async function ofName(
    foldedName: string,
    tag: string = foundLast,
  ): Promise<Account | undefined> {
    const account = await byTag(tag)
    if (account?.foldedName !== foldedName) return undefined
    foundLast = tag
    return account
  }

  async function write({
    tag,
    sub,
    name,
    foldedName,
    passwordHash,
    scopes,
    roles,
    disabled,
  }: NewAccount): Promise<boolean> {
    const fields = [
      sub,
      name,
      foldedName,
      passwordHash,
      scopesField(scopes),
      JSON.stringify(roles),
      Number(disabled),
    ]
    const [added] = await addScript([keys.user(tag)], [time(), ...fields])
    return added === 1
  }

  /**
   * A claim that didn't reach the replicas is given up: who tries again isn't told that the name is taken.
   */
  async function claim(foldedName: string, tag: string): Promise<boolean> {
    try {
      return await names.claim(foldedName, tag)
    } catch (error) {
      if (!(await holds(tag, foldedName))) await names.release(foldedName, tag)
      throw error
    }
  }

  async function add(account: NewAccount): Promise<'added' | 'name_taken'> {
    const { tag, foldedName } = account
    if (!(await claim(foldedName, tag))) return 'name_taken'
    if (!(await write(account))) {
      // The tag has an account already: the claim stays only if it is that one's name.
      if (!(await holds(tag, foldedName))) await names.release(foldedName, tag)
      return 'name_taken'
    }
    if ((await names.ownerOf(foldedName)) === tag) return 'added'
    // Somebody took our claim over while we were slow.
    await removeScript(keysOf(tag), [time()])
    return 'name_taken'
  }

  async function addAll(
    accounts: readonly NewAccount[],
  ): Promise<ReadonlySet<NewAccount>> {
    const outcomes = await Promise.all(
      accounts.map(async account => ({ account, outcome: await add(account) })),
    )
    return new Set(
      outcomes.filter(({ outcome }) => outcome === 'added').map(({ account }) => account),
    )
  }

  async function change(
    tag: string,
    epochs: number,
    ...fields: ReadonlyArray<string | number>
  ): Promise<boolean> {
    const [changed, tokens] = await changeScript(keysOf(tag), [epochs, ...fields])
    await statusBits.setAll(tokens)
    return changed === 1
  }

  async function upgradePassword(
    tag: string,
    from: string,
    to: string,
  ): Promise<boolean> {
    const [upgraded] = await upgradeScript([keys.user(tag)], [from, to])
    return upgraded === 1
  }

  async function remove(tag: string): Promise<boolean> {
    // First, as who repeats this after a fault must still find the account.
    if (!(await change(tag, 1))) return false
    const [foldedName, tokens] = await removeScript(keysOf(tag), [time()])
    await statusBits.setAll(tokens)
    if (foldedName === 0) return false
    await names.release(String(foldedName), tag)
    return true
  }

  async function* all(): AsyncGenerator<Account> {
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

  return {
    add,
    addAll,
    async byName(foldedName) {
      const account = await ofName(foldedName, await names.ownerOf(foldedName))
      // Whether somebody is found or not: time tells nothing.
      await doubt()
      return account
    },
    byTag,
    setPassword: (tag, passwordHash) => change(tag, 1, 'hash', passwordHash),
    upgradePassword,
    setDisabled: (tag, disabled) =>
      change(tag, Number(disabled), 'disabled', Number(disabled)),
    setAccess: (tag, { scopes, roles }) =>
      change(tag, 0, 'scopes', scopesField(scopes), 'roles', JSON.stringify(roles)),
    endSessions: tag => change(tag, 1),
    remove,
    all,
  }
}

/** Empty stands for null; a list is JSON and never empty. */
function scopesField(scopes: readonly string[] | null): string {
  return scopes === null ? '' : JSON.stringify(scopes)
}
