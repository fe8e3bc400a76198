// The built-in directory: accounts and subjects lie in the same store and change in one step.
import type { Store } from '../../stores/ports/store.ts'
import { foldName } from '../names/user-name.ts'
import type { Directory } from './directory.ts'

/** Makes the directory of the accounts that the store keeps. */
export function createBuiltInDirectory({
  directory,
  subjects,
}: Pick<Store, 'directory' | 'subjects'>): Directory {
  const { add, rename, setPassword, remove, all } = directory
  const { setDisabled, setAccess } = subjects
  return {
    add,
    rename,
    setPassword,
    setDisabled,
    setAccess,
    remove,
    all,
    async find(name) {
      const folded = foldName(name)
      return folded === undefined ? undefined : directory.byName(folded)
    },
    async verify({ account, password, hashing }) {
      if (account !== undefined) return hashing.verify(account.passwordHash, password)
      await hashing.verifyDummy(password)
      return false
    },
    upgradePassword: ({ tag, passwordHash }, better) =>
      directory.upgradePassword(tag, passwordHash, better),
  }
}
