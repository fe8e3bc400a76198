// The built-in directory: accounts and subjects lie in the same store and change in one step.
import type { Store } from '../../stores/ports/store.ts'
import { foldName } from '../names/user-name.ts'
import type { Directory } from './directory.ts'
import {
  createNameLogins,
  NAME,
  namingLogins,
  type LoginTextsOptions,
  type NameLogins,
} from '../attributes/login-texts.ts'

/** What the directory goes by; each function gives the setting of now. */
export interface BuiltInOptions
  extends LoginTextsOptions, Pick<Store, 'directory' | 'subjects'> {}

/** Makes the directory of the accounts that the store keeps. */
export function createBuiltInDirectory(options: BuiltInOptions): Directory {
  const { subjects } = options
  const nameLogins = createNameLogins(options)
  const directory = namingLogins(options.directory, nameLogins)
  const { add, byTag, rename, setPassword, setAttributes, adopt, remove } = directory
  const { page, search, all, changePassword, changePending } = directory
  const { change, count, byValue, uniqueValuesOf } = directory
  const { setDisabled, setAccess } = subjects

  async function find(name: string) {
    const folded = foldName(name)
    return folded === undefined ? undefined : directory.byName(folded)
  }

  return {
    add,
    rename,
    byTag,
    setPassword,
    changePassword,
    changePending,
    setAttributes,
    change,
    count,
    byValue,
    uniqueValuesOf,
    setDisabled,
    setAccess,
    adopt,
    remove,
    page,
    search,
    all,
    find,
    ...createLogins(options, { find, ...nameLogins }),
    async verify({ account, password, hashing }) {
      if (account !== undefined) return hashing.verify(account.passwordHash, password)
      await hashing.verifyDummy(password)
      return false
    },
    upgradePassword: ({ tag, passwordHash }, better) =>
      directory.upgradePassword(tag, passwordHash, better),
  }
}

/** What a text may be that somebody logs in with. */
function createLogins(
  { directory, login }: BuiltInOptions,
  { find, valuesOf }: Pick<Directory, 'find'> & Pick<NameLogins, 'valuesOf'>,
): Pick<Directory, 'findLogin' | 'countedName'> {
  async function findLogin(text: string) {
    // All of them are asked, whoever is found: the time taken must not give away which it is.
    const found = await Promise.all([
      login().includes(NAME) ? find(text) : undefined,
      ...valuesOf(text).map(directory.byValue),
    ])
    return found.find(account => account !== undefined)
  }

  return {
    findLogin,
    async countedName(text) {
      if (valuesOf(text).length === 0) return text
      return (await findLogin(text))?.foldedName ?? text
    },
  }
}
